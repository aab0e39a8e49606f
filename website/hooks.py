"""What the documentation site makes out of the code and of the files at the repository's root.

mkdocs calls `on_files` and `on_page_markdown` (its documentation, "Hooks"). The pages that this
adds exist nowhere else, so they cannot go stale.
"""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
ROOT_PAGES = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
EXAMPLES = ("router", "tma_gate", "ampere_hopper", "parity", "minimal")
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the pages of a folder where the navigation names one, such as `rules/`."""
    config.nav = _listed(config.nav)
    return config


def _listed(node: Any) -> Any:  # nested lists and mappings, as YAML has them
    if isinstance(node, dict):
        return {name: _listed(child) for name, child in node.items()}
    if not isinstance(node, list):
        return node
    found = []
    for child in node:
        if isinstance(child, str) and child.endswith("/"):
            pages = sorted((ROOT / "docs" / child).glob("*.md"))
            found += [{page.stem: f"{child}{page.name}"} for page in pages]
        else:
            found.append(_listed(child))
    return found


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to those of `docs/`."""
    for path, text in _generated():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Point links that leave `docs/` at the pages that stand for their targets."""
    here = page.file.src_uri
    origin = {made: name for name, made in ROOT_PAGES.items()}.get(here, f"docs/{here}")
    if here.startswith("examples/"):
        origin = f"{here.removesuffix('.md')}/README.md"
    up = "../" * here.count("/")

    def target(match: re.Match[str]) -> str:
        wanted = (ROOT / origin).parent / match[1]
        inside = wanted.resolve().relative_to(ROOT).as_posix()
        made = _page_of(inside)
        if made is None:
            return f"]({match[1]}{match[2] or ''})"
        return f"]({up}{made}{match[2] or ''})"

    return _LINK.sub(target, markdown)


def _page_of(path: str) -> str | None:
    """The site's page for a file of the repository."""
    if path in ROOT_PAGES:
        return ROOT_PAGES[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    parts = path.split("/")
    if parts[0] == "examples":
        return f"examples/{parts[1]}.md" if len(parts) > 1 else "cases.md"
    return None


def _generated() -> Iterator[tuple[str, str]]:
    for name, made in ROOT_PAGES.items():
        yield made, (ROOT / name).read_text("utf-8")
    for example in EXAMPLES:
        yield f"examples/{example}.md", (ROOT / "examples" / example / "README.md").read_text()
    yield "reference/cli.md", _command_line()
    yield "reference/policy-keys.md", _policy_keys()
    yield "reference/presets.md", _presets()
    yield from _schemas()


def _command_line() -> str:
    """Every command with what `--help` prints."""
    import typer.main

    from sassay.cli.main import application

    root = typer.main.get_command(application())
    context = root.make_context("sassay", [], resilient_parsing=True)
    text = ["# Command line\n", "What `--help` prints, of every command.\n"]
    text += _help(root, context, "sassay", 2)
    return "\n".join(text)


def _help(command: Any, context: Any, name: str, level: int) -> list[str]:
    # Commands and contexts are those of the click that typer keeps inside, which has no types.
    shown = command.get_help(context).rstrip()
    text = [f"{'#' * level} {name}\n", f"```text\n{shown}\n```\n"]
    for child_name, child in sorted(getattr(command, "commands", {}).items()):
        info = type(context)(child, info_name=child_name, parent=context)
        text += _help(child, info, f"{name} {child_name}", min(level + 1, 3))
    return text


def _policy_keys() -> str:
    """Every key of a policy."""
    from sassay.policy import keys

    tables = (
        ("The policy", keys.POLICY),
        ("A rule", keys.RULE),
        ("A condition, in `match` and `exclude`", keys.CONDITION),
        ("A comparison", keys.COMPARE),
    )
    text = ["# Policy keys\n", "[Policies](../policy.md) tells how they work together.\n"]
    for title, table in tables:
        text += [f"## {title}\n", "| key | |\n| --- | --- |"]
        text += [f"| `{key}` | {about} |" for key, about in table.items()]
        text.append("")
    return "\n".join(text)


def _presets() -> str:
    """Every preset with its text."""
    from sassay.policy import list_presets

    text = ["# Presets\n"]
    for preset in list_presets():
        text.append(f"## {preset.name}\n")
        page = ROOT / "docs" / "presets" / f"{preset.name}.md"
        more = f" [More](../presets/{preset.name}.md)." if page.exists() else ""
        text.append(f"{preset.summary}.{more}\n")
        if preset.available:
            file = resources.files("sassay.policy") / "presets" / f"{preset.name}.yaml"
            text.append(f"```yaml\n{file.read_text('utf-8').rstrip()}\n```\n")
        else:
            text.append(f"Not in this release: it needs {preset.needs}.\n")
    return "\n".join(text)


def _schemas() -> Iterator[tuple[str, str]]:
    """The JSON Schemas, as files and in a list."""
    from sassay.policy import policy_schema
    from sassay.report import SCHEMAS, schema

    every = {name.partition("/")[0]: schema(name) for name in SCHEMAS} | {"policy": policy_schema()}
    lines = ["# JSON Schemas\n", "[JSON](../json.md) tells what the documents hold.\n"]
    for name, document in sorted(every.items()):
        yield f"reference/{name}.schema.json", json.dumps(document, indent=2, sort_keys=True)
        lines.append(f"- [{name}.schema.json]({name}.schema.json), as `sassay schema {name}`")
    yield "reference/schemas.md", "\n".join(lines) + "\n"
