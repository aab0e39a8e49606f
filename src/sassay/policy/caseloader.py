"""Reads the example cases of a policy file."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sassay.model.finding import Outcome, Verdict
from sassay.model.layers import Layer, Tier
from sassay.policy import keys, limits, schema
from sassay.policy.reader import Reader, join
from sassay.policy.resources import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sassay.model.artifact import Scalar
    from sassay.policy.yamltree import MapNode, Node

T = TypeVar("T")

CASE_RESOURCES: tuple[str, ...] = tuple(name for name in RESOURCES if name != "register_warps")
"""Resources that a case can give; `register_warps` follows from registers."""


def read_case(reader: Reader, node: Node, path: str, rules: Sequence[str]) -> schema.TestCase:
    """One entry of `tests`.

    Args:
        reader: Reader of the file.
        node: The entry.
        path: Its path.
        rules: Ids of the rules that the policy has.

    Raises:
        PolicyError: Unknown keys, wrong types, rules that do not exist.
    """
    mapping = reader.mapping(node, path, keys.TEST, ("name", "states", "expect"))
    entries = mapping.entries
    nodes = reader.items(entries["states"], join(path, "states"), least=1)
    states = tuple(
        _state(reader, item, place, _label(index, len(nodes)))
        for index, (item, place) in enumerate(nodes)
    )
    labels = [state.label for state in states]
    if len(set(labels)) != len(labels):
        reader.refuse("two states have one label", entries["states"].line, join(path, "states"))
    return schema.TestCase(
        name=reader.text(entries["name"], join(path, "name")),
        states=states,
        expect=_expect(reader, entries["expect"], join(path, "expect"), rules),
        today=reader.date(entries["today"], join(path, "today"))
        if "today" in entries
        else "2026-01-01",
        line=mapping.line,
    )


def _label(index: int, count: int) -> str:
    if count == 2:
        return ("before", "after")[index]
    return "after" if count == 1 else f"state{index + 1}"


def _optional(
    mapping: MapNode, key: str, path: str, read: Callable[[Node, str], T], default: T
) -> T:
    node = mapping.entries.get(key)
    return default if node is None else read(node, join(path, key))


def _named(
    reader: Reader,
    node: Node,
    path: str,
    read: Callable[[Node, str], T],
    known: Sequence[str] | None = None,
) -> dict[str, T]:
    if known is not None:
        mapping = reader.mapping(node, path, dict.fromkeys(known, ""))
    else:
        mapping = reader.free_mapping(node, path)
    return {key: read(value, join(path, key)) for key, value in mapping.entries.items()}


def _state(reader: Reader, node: Node, path: str, label: str) -> schema.CaseState:
    mapping = reader.mapping(node, path, keys.STATE, ("kernels",))
    kernels = tuple(
        _kernel(reader, item, place)
        for item, place in reader.items(mapping.entries["kernels"], join(path, "kernels"))
    )
    seen: set[tuple[str, str, str]] = set()
    for kernel in kernels:
        key = (kernel.family, kernel.arch, kernel.name)
        if key in seen:
            reader.refuse(
                f"two kernels are called {kernel.name!r}",
                mapping.entries["kernels"].line,
                join(path, "kernels"),
                "give instances of one family names of their own, or copies",
            )
        seen.add(key)

    def evidence(item: Node, place: str) -> dict[str, Scalar]:
        return _named(reader, item, place, reader.scalar)

    def missing(item: Node, place: str) -> tuple[schema.CaseMissing, ...]:
        return tuple(_missing(reader, each, p) for each, p in reader.items(item, place))

    return schema.CaseState(
        label=_optional(mapping, "label", path, reader.text, label),
        kernels=kernels,
        evidence=_optional(mapping, "evidence", path, evidence, {}),
        missing=_optional(mapping, "missing", path, missing, ()),
    )


def _missing(reader: Reader, node: Node, path: str) -> schema.CaseMissing:
    mapping = reader.mapping(node, path, keys.MISSING, ("place", "message"))
    layer = mapping.entries.get("layer")
    arch = mapping.entries.get("arch")
    return schema.CaseMissing(
        place=reader.text(mapping.entries["place"], join(path, "place")),
        message=reader.text(mapping.entries["message"], join(path, "message")),
        arch=reader.text(arch, join(path, "arch")) if arch else None,
        layer=reader.enum(layer, join(path, "layer"), Layer) if layer else None,
    )


def _kernel(reader: Reader, node: Node, path: str) -> schema.CaseKernel:
    mapping = reader.mapping(node, path, keys.KERNEL, ("family",))
    entries = mapping.entries
    family = reader.text(entries["family"], join(path, "family"))
    name = _optional(mapping, "name", path, reader.text, family)

    def census(item: Node, place: str) -> Mapping[str, int] | None:
        return _named(reader, item, place, reader.natural)

    def fact(item: Node, place: str) -> str | int | float | bool:
        value = reader.scalar(item, place)
        if value is None:
            reader.refuse("must have a value", item.line, place)
        return value

    def copies(item: Node, place: str) -> int:
        count = reader.natural(item, place, limits.MAX_CASE_COPIES)
        if count == 0:
            reader.refuse("must be at least 1", item.line, place)
        return count

    source = entries.get("source")
    tier = entries.get("tier")
    return schema.CaseKernel(
        family=family,
        name=name,
        symbol=_optional(mapping, "symbol", path, reader.text, name),
        arch=_optional(mapping, "arch", path, reader.text, "sm_90"),
        copies=_optional(mapping, "copies", path, copies, 1),
        source=reader.text(source, join(path, "source")) if source else None,
        ptx=_optional(mapping, "ptx", path, census, None),
        sass=_optional(mapping, "sass", path, census, None),
        resources=_optional(
            mapping,
            "resources",
            path,
            lambda n, p: _named(reader, n, p, reader.natural, CASE_RESOURCES),
            {},
        ),
        metadata=_optional(
            mapping, "metadata", path, lambda n, p: _named(reader, n, p, reader.scalar), {}
        ),
        facts=_optional(mapping, "facts", path, lambda n, p: _named(reader, n, p, fact), {}),
        tier=reader.enum(tier, join(path, "tier"), Tier) if tier else None,
    )


def _expect(reader: Reader, node: Node, path: str, rules: Sequence[str]) -> schema.Expectation:
    mapping = reader.mapping(node, path, keys.EXPECT)
    if not mapping.entries:
        reader.refuse("must not be empty", node.line, path, "verdict, findings or rules")
    verdict = mapping.entries.get("verdict")
    findings = mapping.entries.get("findings")
    return schema.Expectation(
        verdict=reader.enum(verdict, join(path, "verdict"), Verdict) if verdict else None,
        findings=tuple(
            _finding(reader, item, place, rules)
            for item, place in reader.items(findings, join(path, "findings"))
        )
        if findings
        else None,
        rules=_optional(
            mapping,
            "rules",
            path,
            lambda n, p: _named(reader, n, p, lambda i, q: reader.enum(i, q, Outcome), rules),
            {},
        ),
    )


def _finding(reader: Reader, node: Node, path: str, rules: Sequence[str]) -> schema.ExpectedFinding:
    mapping = reader.mapping(node, path, keys.FINDING, ("rule",))
    entries = mapping.entries

    def text(key: str) -> str | None:
        return reader.text(entries[key], join(path, key)) if key in entries else None

    return schema.ExpectedFinding(
        rule=reader.word(entries["rule"], join(path, "rule"), rules),
        family=text("family"),
        arch=text("arch"),
        layer=reader.enum(entries["layer"], join(path, "layer"), Layer)
        if "layer" in entries
        else None,
        count=reader.natural(entries["count"], join(path, "count")) if "count" in entries else None,
        waived=reader.boolean(entries["waived"], join(path, "waived"))
        if "waived" in entries
        else None,
    )
