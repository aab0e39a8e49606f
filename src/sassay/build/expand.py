"""Turns the tables of a manifest into variants: defaults, kernels, variants and grids."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from sassay.build.manifest import OptionValue, TypeTree, Variant
from sassay.build.node import Node
from sassay.build.signature import EXPECTED, canonical_type
from sassay.build.values import Value, text
from sassay.errors import LimitError

MAX_VARIANTS = 10_000

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Layer(msgspec.Struct, frozen=True):
    """What defaults, a kernel or a variant set; later layers win key by key."""

    node: Node
    signature: Mapping[str, TypeTree]
    constants: Mapping[str, Value]
    divisibility: Mapping[str, int]
    options: Mapping[str, OptionValue]
    types: Mapping[str, str]
    archs: tuple[str, ...] | None
    globals: Mapping[str, Value]
    grid: tuple[tuple[str, str, tuple[Any, ...]], ...]


class KernelTable(msgspec.Struct, frozen=True):
    """One `[[kernel]]` with its variants."""

    number: int
    name: str
    file: str | None
    module: str | None
    function: str
    layer: Layer
    variants: tuple[tuple[str, Layer], ...]


def expand(
    defaults: Layer, kernels: Sequence[KernelTable], *, artifact: str
) -> tuple[Variant, ...]:
    """All variants in the order of the manifest; equal ones once.

    Raises:
        LimitError: More than `MAX_VARIANTS`, counted before anything is built.
        ManifestError: A type placeholder without a type, or no architecture.
    """
    total = sum(_count(defaults, kernel) for kernel in kernels)
    if total > MAX_VARIANTS:
        raise LimitError(
            f"the grids expand to {total} variants",
            artifact=artifact,
            hint=f"at most {MAX_VARIANTS}",
        )
    found: dict[bytes, Variant] = {}
    for kernel in kernels:
        for variant in _variants(defaults, kernel):
            # The same kernel compiled the same way twice is one compilation, whatever its names.
            same = msgspec.structs.replace(variant, kernel=0, name="", title="")
            found.setdefault(msgspec.json.encode(same, order="deterministic"), variant)
    return tuple(found.values())


def _count(defaults: Layer, kernel: KernelTable) -> int:
    layers: list[Layer | None] = [layer for _, layer in kernel.variants]
    return sum(
        math.prod(len(values) for _, _, values in _axes(defaults, kernel.layer, layer))
        for layer in layers or [None]
    )


def _axes(*layers: Layer | None) -> list[tuple[str, str, tuple[Any, ...]]]:
    axes: dict[tuple[str, str], tuple[Any, ...]] = {}
    for layer in layers:
        if layer is not None:
            axes |= {(section, key): values for section, key, values in layer.grid}
    return [(section, key, values) for (section, key), values in axes.items()]


def _variants(defaults: Layer, kernel: KernelTable) -> Iterator[Variant]:
    named: Sequence[tuple[str, Layer | None]] = kernel.variants or (("", None),)
    for name, layer in named:
        layers = [item for item in (defaults, kernel.layer, layer) if item is not None]
        axes = _axes(*layers)
        for point in itertools.product(*(values for _, _, values in axes)):
            yield _variant(
                kernel,
                name,
                layers,
                [(axis[0], axis[1], value) for axis, value in zip(axes, point, strict=True)],
            )


def _variant(
    kernel: KernelTable, name: str, layers: Sequence[Layer], point: Sequence[tuple[str, str, Any]]
) -> Variant:
    node = kernel.layer.node
    merged: dict[str, dict[str, Any]] = {
        section: {}
        for section in ("signature", "constants", "divisibility", "options", "types", "globals")
    }
    archs: tuple[str, ...] | None = None
    for layer in layers:
        for key in sorted(set(layer.signature) & set(layer.constants)):
            raise layer.node.error(
                "constants", f"parameter {key!r} has both a type and a constant", "keep one"
            )
        for section in merged:
            merged[section] |= getattr(layer, section)
        # A constant of a more specific layer takes the place of a type, and the other way round.
        _drop(merged["signature"], layer.constants)
        _drop(merged["constants"], layer.signature)
        archs = layer.archs if layer.archs is not None else archs
    for section, key, value in point:
        merged[section][key] = value
        if section in {"signature", "constants"}:
            merged["constants" if section == "signature" else "signature"].pop(key, None)
    if not archs:
        raise node.error(
            None,
            "no architecture is named",
            'set arch = ["sm_90"] here or in [defaults], or give --arch',
        )
    parts = [name] if name else []
    parts += [f"{key}={_label(value)}" for _, key, value in point]
    variant = ",".join(parts)
    return Variant(
        kernel=kernel.number,
        name=variant,
        title=f"{kernel.name}[{variant}]" if variant else kernel.name,
        file=kernel.file,
        module=kernel.module,
        function=kernel.function,
        signature={
            key: _fill(node, key, value, merged["types"])
            for key, value in merged["signature"].items()
        },
        constants=merged["constants"],
        divisibility=merged["divisibility"],
        options=merged["options"],
        archs=tuple(sorted(set(archs), key=lambda arch: int(arch[3:]))),
        globals=merged["globals"],
    )


def _drop(values: dict[str, Any], keys: Mapping[str, Any]) -> None:
    for key in keys:
        values.pop(key, None)


def _label(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(value, tuple):
        return "(" + ",".join(_label(item) for item in value) + ")"
    return text(value)  # type: ignore[arg-type]  # grid points are scalars, type trees or values


def _fill(node: Node, key: str, value: TypeTree, types: Mapping[str, str]) -> TypeTree:
    if isinstance(value, tuple):
        return tuple(_fill(node, key, item, types) for item in value)
    if not isinstance(value, str) or "{" not in value:
        return value
    missing = [name for name in _PLACEHOLDER.findall(value) if name not in types]
    if missing:
        raise node.error(
            "signature",
            f"{key!r} uses {{{missing[0]}}}, which has no type",
            f"set types.{missing[0]} or grid.types.{missing[0]}",
        )
    filled = _PLACEHOLDER.sub(lambda found: types[found.group(1)], value)
    name = canonical_type(filled)
    if name is None:
        raise node.error("signature", f"{key!r}: {filled!r} is not a type", EXPECTED)
    return name
