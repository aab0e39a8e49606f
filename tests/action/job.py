"""A GitHub job on this machine: runs the `run:` steps of a composite action, in their order.

What only GitHub has (`uses:` steps: caches, uploads) is recorded, not run.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TOKEN = re.compile(r"'(?:[^']|'')*'|\|\||&&|==|!=|[()!]|[A-Za-z_][\w.-]*|\s+")
_OPERATORS = {"||": " or ", "&&": " and ", "==": "==", "!=": "!=", "!": " not "}
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


@dataclass
class Job:
    """What a job knows, and what its steps did.

    Attributes:
        action: Folder of the `action.yml`.
        workspace: The checkout.
        temp: `RUNNER_TEMP`.
        inputs: Given to the action, over its defaults.
        github: The `github` context, as nested mappings.
        environment: Variables of every step.
        hits: Steps that use a cache and find it.
    """

    action: Path
    workspace: Path
    temp: Path
    inputs: Mapping[str, str]
    github: Mapping[str, Any]
    environment: Mapping[str, str]
    hits: frozenset[str] = frozenset()
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    used: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    log: str = ""
    status: int = 0
    summary: str = ""
    _contexts: dict[str, Any] = field(default_factory=dict)
    _steps: dict[str, Any] = field(default_factory=dict)

    def run(self) -> Job:
        """Run the steps until one fails."""
        document = YAML(typ="safe").load(self.action / "action.yml")
        defaults = {name: item.get("default", "") for name, item in document["inputs"].items()}
        self._contexts = {
            "inputs": {
                **{name: self._text(value) for name, value in defaults.items()},
                **self.inputs,
            },
            "github": self.github,
            "steps": self._steps,
            "runner": {"temp": str(self.temp)},
        }
        self.temp.mkdir(parents=True, exist_ok=True)
        for step in document["runs"]["steps"]:
            if "if" in step and not self._value(step["if"]):
                continue
            if "uses" in step:
                self._use(step)
            elif not self._shell(step):
                break
        return self

    def _use(self, step: Mapping[str, Any]) -> None:
        given = {key: self._text(value) for key, value in step["with"].items()}
        self.used.append((step["uses"].partition("@")[0], given))
        outputs = {"cache-hit": "true"} if step.get("id") in self.hits else {}
        self._steps[step.get("id", "")] = {"outputs": outputs}

    def _shell(self, step: Mapping[str, Any]) -> bool:
        files = {name: self.temp / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_PATH")}
        for path in files.values():
            path.write_text("")
        summary = self.temp / "summary"
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.workspace,
            env={
                **os.environ,
                **self.environment,
                **{name: str(path) for name, path in files.items()},
                **{name: self._text(value) for name, value in step.get("env", {}).items()},
                "GITHUB_ACTION_PATH": str(self.action),
                "GITHUB_STEP_SUMMARY": str(summary),
                "RUNNER_TEMP": str(self.temp),
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        self.log += done.stdout + done.stderr
        lines = files["GITHUB_OUTPUT"].read_text().splitlines()
        outputs = dict(line.split("=", 1) for line in lines)
        if "id" in step:
            self._steps[step["id"]] = {"outputs": outputs}
            self.outputs[step["id"]] = outputs
        self.summary = summary.read_text() if summary.exists() else ""
        self.status = done.returncode
        return done.returncode == 0

    def _text(self, value: object) -> str:
        return _EXPRESSION.sub(lambda match: str(self._value(match[1]) or ""), str(value))

    def _value(self, expression: str) -> Any:
        expression = expression.strip().removeprefix("${{").removesuffix("}}")
        tokens = _TOKEN.findall(expression)
        assert "".join(tokens) == expression, f"not understood: {expression}"
        return eval("".join(map(self._token, tokens)))

    def _token(self, token: str) -> str:
        if token in _OPERATORS or token in "()" or token.isspace():
            return _OPERATORS.get(token, token)
        if token.startswith("'"):
            return repr(token[1:-1].replace("''", "'"))
        found: Any = self._contexts
        for part in token.split("."):
            found = found.get(part, "") if isinstance(found, dict) else ""
        return repr(found)
