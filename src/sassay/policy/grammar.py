"""Reads conditions and thresholds out of YAML nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sassay.isa.categories import CATEGORIES
from sassay.model.change import FamilyStatus, KernelStatus
from sassay.model.layers import Layer, Tier
from sassay.policy import keys, schema
from sassay.policy.reader import Reader, closest, join
from sassay.policy.resources import RESOURCES
from sassay.policy.yamltree import MapNode, Node, ScalarNode

if TYPE_CHECKING:
    from sassay.model.artifact import Scalar

_Read = Callable[[Reader, Node, str], schema.Condition]


def read_condition(reader: Reader, node: Node, path: str) -> schema.Condition:
    """A condition: the keys of one mapping must all hold; `exclude` in it subtracts.

    Args:
        reader: Reader of the file.
        node: The mapping.
        path: Its path.

    Raises:
        PolicyError: Unknown keys, wrong types, unknown words.
    """
    mapping = reader.mapping(node, path, keys.CONDITION)
    if not mapping.entries:
        reader.refuse("must not be empty", node.line, path, 'family: "*" matches everything')
    parts: list[schema.Condition] = []
    excluded: schema.Condition | None = None
    for key, value in mapping.entries.items():
        place = join(path, key)
        if key == "exclude":
            excluded = read_condition(reader, value, place)
        else:
            parts.append(_CONDITIONS[key](reader, value, place))
    base = parts[0] if len(parts) == 1 else schema.AllOf(tuple(parts))
    return base if excluded is None else schema.Without(base, excluded)


def _glob(field: schema.KernelField) -> _Read:
    return lambda reader, node, path: schema.KernelGlob(
        field, reader.one_or_more(node, path, reader.pattern)
    )


def _status(reader: Reader, node: Node, path: str) -> schema.Condition:
    return schema.FamilyStatusIs(
        reader.one_or_more(node, path, lambda n, p: reader.enum(n, p, FamilyStatus))
    )


def _kernel_status(reader: Reader, node: Node, path: str) -> schema.Condition:
    return schema.KernelStatusIs(
        reader.one_or_more(node, path, lambda n, p: reader.enum(n, p, KernelStatus))
    )


def _tier(reader: Reader, node: Node, path: str) -> schema.Condition:
    return schema.TierIs(reader.one_or_more(node, path, lambda n, p: reader.enum(n, p, Tier)))


def _coverage(reader: Reader, node: Node, path: str) -> schema.Condition:
    mapping = reader.mapping(node, path, keys.COVERAGE)
    if not mapping.entries:
        reader.refuse("must name what is expected", node.line, path, "archs: [sm_80, sm_90a]")
    archs, ptx = mapping.entries.get("archs"), mapping.entries.get("ptx")
    place = join(path, "archs")
    return schema.CoverageLacks(
        archs=() if archs is None else reader.one_or_more(archs, place, reader.pattern),
        ptx=schema.PtxFallback.OPTIONAL
        if ptx is None
        else reader.enum(ptx, join(path, "ptx"), schema.PtxFallback),
    )


def _operation(reader: Reader, node: Node, path: str) -> schema.Condition:
    return schema.OperationIs(reader.one_or_more(node, path, reader.pattern))


def _layer(reader: Reader, node: Node, path: str) -> schema.Condition:
    return schema.LayerIs(reader.one_or_more(node, path, lambda n, p: reader.enum(n, p, Layer)))


def _category(reader: Reader, node: Node, path: str) -> schema.Condition:
    return schema.CategoryIs(
        reader.one_or_more(node, path, lambda n, p: reader.word(n, p, CATEGORIES))
    )


def _list(reader: Reader, node: Node, path: str) -> tuple[schema.Condition, ...]:
    return tuple(read_condition(reader, item, p) for item, p in reader.items(node, path, least=1))


def _fact(reader: Reader, node: Node, path: str) -> schema.Condition:
    if isinstance(node, ScalarNode):
        return schema.FactIs(reader.text(node, path))
    mapping = reader.free_mapping(node, path)
    if not mapping.entries:
        reader.refuse("must not be empty", node.line, path)
    parts = [
        _one_fact(reader, name, value, join(path, name)) for name, value in mapping.entries.items()
    ]
    return parts[0] if len(parts) == 1 else schema.AllOf(tuple(parts))


def _one_fact(reader: Reader, name: str, node: Node, path: str) -> schema.Condition:
    if isinstance(node, MapNode) and "changed" in node.entries:
        mapping = reader.mapping(node, path, keys.FACT)
        changed = mapping.entries["changed"]
        return schema.FactIs(name, changed=reader.boolean(changed, join(path, "changed")))
    if isinstance(node, MapNode):
        return schema.FactIs(name, comparisons=read_comparisons(reader, node, path))

    def value(item: Node, place: str) -> Scalar:
        found = reader.scalar(item, place)
        if found is None:
            reader.refuse("must be text, a number, true or false", item.line, place)
        return reader.pattern(item, place) if isinstance(found, str) else found

    return schema.FactIs(name, values=reader.one_or_more(node, path, value))


_CONDITIONS: Mapping[str, _Read] = {
    "family": _glob(schema.KernelField.FAMILY),
    "group": _glob(schema.KernelField.GROUP),
    "kernel": _glob(schema.KernelField.KERNEL),
    "arch": _glob(schema.KernelField.ARCH),
    "source": _glob(schema.KernelField.SOURCE),
    "status": _status,
    "kernel_status": _kernel_status,
    "tier": _tier,
    "resource": lambda reader, node, path: schema.ResourceIs(read_resources(reader, node, path)),
    "fact": _fact,
    "coverage": _coverage,
    "operation": _operation,
    "layer": _layer,
    "category": _category,
    "all": lambda reader, node, path: schema.AllOf(_all_items(_list(reader, node, path))),
    "any": lambda reader, node, path: schema.AnyOf(_list(reader, node, path)),
    "not": lambda reader, node, path: schema.NoneOf(read_condition(reader, node, path)),
}


def _all_items(items: tuple[schema.Condition, ...]) -> tuple[schema.Condition, ...]:
    """Items of `all`, those that only exclude last, so that they subtract from the others."""
    everything = schema.AllOf(())
    pure = [i for i in items if isinstance(i, schema.Without) and i.base == everything]
    if not pure:
        return items
    rest: schema.Condition = schema.AllOf(tuple(i for i in items if i not in pure))
    for item in pure:
        rest = schema.Without(rest, item.excluded)
    return (rest,)


def read_comparisons(reader: Reader, node: Node, path: str) -> tuple[schema.Comparison, ...]:
    """`{gte: 1, lt: 5}`: one or more comparisons with numbers."""
    mapping = reader.mapping(node, path, keys.COMPARE)
    if not mapping.entries:
        reader.refuse("must hold a comparison", node.line, path, "such as gte: 1")
    return tuple(
        schema.Comparison(schema.Operator(key), reader.number(value, join(path, key)))
        for key, value in mapping.entries.items()
    )


def read_resources(reader: Reader, node: Node, path: str) -> tuple[schema.ResourceTest, ...]:
    """`{registers: {gt: 128}}` or `{registers: {delta: {gt: 16}}}`, one or more resources."""
    mapping = reader.free_mapping(node, path)
    if not mapping.entries:
        reader.refuse("must name a resource", node.line, path, ", ".join(RESOURCES))
    tests: list[schema.ResourceTest] = []
    for name, value in mapping.entries.items():
        place = join(path, name)
        if name not in RESOURCES:
            near = closest(name, RESOURCES)
            hint = f"did you mean {near}?" if near else "one of " + ", ".join(RESOURCES)
            reader.refuse("unknown resource", mapping.key_lines[name], place, hint)
        inner = reader.mapping(value, place, keys.RESOURCE)
        if not inner.entries:
            reader.refuse("must hold a comparison", value.line, place, "such as gt: 128")
        own = tuple(
            schema.Comparison(schema.Operator(key), reader.number(item, join(place, key)))
            for key, item in inner.entries.items()
            if key in keys.COMPARE
        )
        if own:
            tests.append(schema.ResourceTest(name, schema.Measure.VALUE, own))
        tests.extend(
            schema.ResourceTest(
                name, schema.Measure(key), read_comparisons(reader, item, join(place, key))
            )
            for key, item in inner.entries.items()
            if key not in keys.COMPARE
        )
    return tuple(tests)


def read_when(reader: Reader, node: Node, path: str, *, nested: bool = False) -> schema.When:
    """The `when` of a rule, or one alternative of its `any`."""
    allowed = {key: text for key, text in keys.WHEN.items() if key != "any" or not nested}
    mapping = reader.mapping(node, path, allowed)
    if not mapping.entries:
        reader.refuse("must hold a threshold", node.line, path, "such as count: {gte: 1}")
    entries = mapping.entries
    thresholds = tuple(
        schema.Threshold(
            schema.Measure(key), read_comparisons(reader, entries[key], join(path, key))
        )
        for key in entries
        if key in keys.MEASURE
    )
    resources = entries.get("resource")
    alternatives: tuple[schema.When, ...] = ()
    if "any" in entries:
        place = join(path, "any")
        alternatives = tuple(
            read_when(reader, item, p, nested=True)
            for item, p in reader.items(entries["any"], place, least=1)
        )
    return schema.When(
        thresholds=thresholds,
        resources=read_resources(reader, resources, join(path, "resource")) if resources else (),
        any=alternatives,
    )
