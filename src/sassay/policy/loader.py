"""Loads a policy from a file or from the presets, and refuses a wrong one with line and path."""

from __future__ import annotations

import re
from pathlib import Path

from sassay.errors import PolicyError
from sassay.model.finding import Effect
from sassay.model.lint_rules import LINT_LEVELS, LINT_RULES
from sassay.policy import conditions, keys, limits, schema
from sassay.policy.caseloader import read_case
from sassay.policy.catalogue import find_preset, list_presets, preset_text
from sassay.policy.globs import has_wildcard, matches
from sassay.policy.grammar import read_condition, read_when
from sassay.policy.reader import Reader, closest, join
from sassay.policy.yamltree import MapNode, Node, read_tree

EXPIRED_WAIVER = "expired-waiver"
"""Rule id of the finding that an expired waiver gives."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def load_policy(path_or_preset: str | Path) -> schema.Policy:
    """A policy from a file, or a preset by its name.

    Args:
        path_or_preset: A file, or a name that `sassay policy list` shows. A preset wins over a
            file of the same name unless a path separator or an ending says that a file is meant.

    Raises:
        PolicyError: No such file or preset, a preset whose wing is missing, or a wrong policy;
            the place is `line N, path`.
    """
    text = str(path_or_preset)
    if isinstance(path_or_preset, str) and find_preset(text) is not None:
        return parse_policy(preset_text(text), artifact=text)
    path = Path(path_or_preset)
    try:
        if not path.is_file():
            raise PolicyError("no such policy file or preset", artifact=text, hint=_suggest(text))
        with path.open("rb") as file:
            data = file.read(limits.MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PolicyError(f"cannot be read: {reason}", artifact=text) from None
    if len(data) > limits.MAX_FILE_BYTES:
        raise PolicyError(f"larger than {limits.MAX_FILE_BYTES} bytes", artifact=text)
    try:
        decoded = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PolicyError("not UTF-8 text", artifact=text, place=f"line {line}") from None
    return parse_policy(decoded, artifact=text)


def _suggest(text: str) -> str:
    names = [preset.name for preset in list_presets() if preset.available]
    near = closest(text, names)
    return f"did you mean {near}?" if near else "presets: " + ", ".join(names)


def parse_policy(text: str, *, artifact: str) -> schema.Policy:
    """A policy from YAML text.

    Args:
        text: The YAML.
        artifact: Name for errors and reports.

    Raises:
        PolicyError: The policy is wrong; the place is `line N, path`.
    """
    reader = Reader(artifact)
    tree = reader.mapping(read_tree(text, artifact=artifact), "", keys.POLICY, ("version",))
    entries = tree.entries
    if "rules" not in entries and "lint" not in entries:
        reader.mapping(tree, "", keys.POLICY, ("rules",))
    reader.word(entries["version"], "version", ("v1",))
    groups = _groups(reader, entries["groups"]) if "groups" in entries else {}
    rules = tuple(
        _rule(reader, node, path)
        for node, path in (
            reader.items(entries["rules"], "rules", least=1) if "rules" in entries else ()
        )
    )
    _distinct(reader, rules)
    ids = [rule.id for rule in rules]
    waivers = tuple(
        _waiver(reader, node, path, [*ids, *LINT_RULES])
        for node, path in (
            reader.items(entries["waivers"], "waivers") if "waivers" in entries else ()
        )
    )
    cases = tuple(
        read_case(reader, node, path, [*ids, EXPIRED_WAIVER])
        for node, path in (reader.items(entries["tests"], "tests") if "tests" in entries else ())
    )
    return schema.Policy(
        name=reader.text(entries["name"], "name") if "name" in entries else artifact,
        description=reader.text(entries["description"], "description")
        if "description" in entries
        else "",
        rendering=_rendering(reader, entries.get("rendering")),
        groups=groups,
        rules=rules,
        waivers=waivers,
        tests=cases,
        lint=_lint(reader, entries["lint"]) if "lint" in entries else None,
    )


def _rendering(reader: Reader, node: Node | None) -> schema.Rendering:
    if node is None:
        return schema.Rendering.DELTA
    mapping = reader.mapping(node, "rendering", keys.RENDERING, ("default",))
    return reader.enum(mapping.entries["default"], "rendering.default", schema.Rendering)


def _groups(reader: Reader, node: Node) -> dict[str, tuple[str, ...]]:
    mapping = reader.free_mapping(node, "groups")
    return {
        name: reader.one_or_more(value, join("groups", name), reader.pattern)
        for name, value in mapping.entries.items()
    }


def _lint(reader: Reader, node: Node) -> tuple[schema.LintRule, ...]:
    """The `lint` section: for each rule its level, or a mapping of its settings."""
    mapping = reader.free_mapping(node, "lint")
    found = []
    for name, value in mapping.entries.items():
        place = join("lint", name[:60])
        if name not in LINT_RULES:
            near = closest(name, LINT_RULES)
            hint = f"did you mean {near}?" if near else "`sassay lint --list` shows them"
            reader.refuse("unknown lint rule", mapping.key_lines[name], place, hint)
        settings: dict[str, str | int | bool] = {}
        if isinstance(value, MapNode):
            for key, item in value.entries.items():
                settings[key] = _setting(reader, key, item, join(place, key[:60]))
        else:
            settings["level"] = reader.word(value, place, LINT_LEVELS)
        found.append(schema.LintRule(name, settings, mapping.key_lines[name]))
    return tuple(found)


def _setting(reader: Reader, key: str, node: Node, path: str) -> str | int | bool:
    if key == "level":
        return reader.word(node, path, LINT_LEVELS)
    value = reader.scalar(node, path)
    if value is None or isinstance(value, float):
        reader.refuse("must be text, a whole number, true or false", node.line, path)
    return value


def _rule(reader: Reader, node: Node, path: str) -> schema.Rule:
    mapping = reader.mapping(node, path, keys.RULE, ("id", "effect", "reason", "match"))
    entries = mapping.entries
    name = reader.text(entries["id"], join(path, "id"))
    if not _ID.fullmatch(name) or name == EXPIRED_WAIVER:
        reader.refuse(
            "not a rule id", entries["id"].line, join(path, "id"),
            "reserved" if name == EXPIRED_WAIVER else "letters, digits, '.', '_' and '-'",
        )  # fmt: skip
    match = read_condition(reader, entries["match"], join(path, "match"))
    if "exclude" in entries:
        match = schema.Without(
            match, read_condition(reader, entries["exclude"], join(path, "exclude"))
        )
    _check_condition(reader, match, mapping.line, path)
    when = read_when(reader, entries["when"], join(path, "when")) if "when" in entries else None
    absent = entries.get("if_absent")
    requires = entries.get("requires")
    description = entries.get("description")
    return schema.Rule(
        id=name,
        effect=reader.enum(entries["effect"], join(path, "effect"), Effect),
        reason=reader.text(entries["reason"], join(path, "reason")),
        match=match,
        when=when,
        if_absent=reader.enum(absent, join(path, "if_absent"), schema.IfAbsent)
        if absent
        else schema.IfAbsent.UNKNOWN,
        requires=reader.one_or_more(requires, join(path, "requires"), reader.text)
        if requires
        else (),
        description=reader.text(description, join(path, "description")) if description else "",
        line=mapping.line,
    )


def _check_condition(reader: Reader, match: schema.Condition, line: int, path: str) -> None:
    """Refuses conditions that can never mean what they say."""
    for part in conditions.walk(match):
        if (
            isinstance(part, schema.Without)
            and conditions.selects_instructions(part.excluded)
            and not conditions.selects_instructions(match)
        ):
            reader.refuse(
                "exclude leaves out instructions, but match selects whole kernels",
                line,
                path,
                "not: {operation: ...} leaves out kernels that have them",
            )
    if conditions.selects_instructions(match) and not conditions.possible_layers(match):
        reader.refuse(
            "selects instructions that no layer can have",
            line,
            path,
            "PTX opcodes are lower case, SASS mnemonics upper case",
        )


def _distinct(reader: Reader, rules: tuple[schema.Rule, ...]) -> None:
    first: dict[str, int] = {}
    for index, rule in enumerate(rules):
        if rule.id in first:
            reader.refuse(
                f"the id {rule.id!r} stands twice",
                rule.line,
                f"rules[{index}].id",
                f"first on line {first[rule.id]}",
            )
        first[rule.id] = rule.line


def _waiver(reader: Reader, node: Node, path: str, ids: list[str]) -> schema.Waiver:
    required = ("rule", "family", "reason", "owner", "expires")
    mapping = reader.mapping(node, path, keys.WAIVER, required)
    entries = mapping.entries
    rule = reader.pattern(entries["rule"], join(path, "rule"))
    if not any(matches(rule, known) for known in ids):
        near = None if has_wildcard(rule) else closest(rule, ids)
        reader.refuse(
            f"no rule of this policy is called {rule[:60]!r}",
            entries["rule"].line,
            join(path, "rule"),
            f"did you mean {near}?" if near else "rules: " + ", ".join(ids[:10]),
        )
    return schema.Waiver(
        rule=rule,
        family=reader.pattern(entries["family"], join(path, "family")),
        arch=reader.pattern(entries["arch"], join(path, "arch")) if "arch" in entries else "*",
        reason=reader.text(entries["reason"], join(path, "reason")),
        owner=reader.text(entries["owner"], join(path, "owner")),
        expires=reader.date(entries["expires"], join(path, "expires")),
        line=mapping.line,
    )
