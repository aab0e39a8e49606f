"""What an expression is worth: an evaluator of its own, over the rules for single instructions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.machine.matrix.rules import GPUS, Product
from sassay.machine.numeric import resolve
from sassay.machine.types import TYPES, WORDS, word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sassay.machine.symbolic import Expression

Array = np.ndarray[Any, np.dtype[Any]]
_BITS = {"bf16": 16, "f16": 16, "tf32": 32, "e4m3": 8, "e5m2": 8, "f32": 32}


def value_of(root: Expression, buffers: Mapping[str, Any]) -> int:
    """The bits of an expression.

    Args:
        root: The expression.
        buffers: What its inputs hold, by name.
    """
    known: dict[int, int] = {}
    vectors: dict[int, list[Expression]] = {}
    for node in root.walk():
        if node.operation == "vector":
            vectors[id(node)] = list(node.operands)
        else:
            known[id(node)] = _value(node, known, vectors, buffers)
    return known[id(root)]


def _value(
    node: Expression,
    known: dict[int, int],
    vectors: dict[int, list[Expression]],
    buffers: Mapping[str, Any],
) -> int:
    base, *rest = node.operation.split(".")
    if base == "input":
        given = np.atleast_1d(np.asarray(buffers[node.name]))
        flat = given.reshape(-1) if given.dtype != np.float64 else given.astype(np.float32)
        return int(flat.view(f"u{flat.dtype.itemsize}")[node.index or 0])
    if base == "constant":
        return _constant(node.name)
    operands = [known.get(id(each), 0) for each in node.operands]
    if base in {"low", "high"}:
        half = int(rest[0][1:]) // 2
        return operands[0] >> half if base == "high" else operands[0] & ((1 << half) - 1)
    if base == "if":
        return operands[1] if operands[0] else operands[2]
    if base in {"mma", "wgmma"}:
        return _product(node, known, vectors)
    kernel = resolve(node.operation, len(operands))
    sources = [
        np.array([[each]], WORDS[TYPES[kind].bits]).view(TYPES[kind].dtype)
        for each, kind in zip(operands, kernel.sources, strict=False)
    ]
    found = kernel.run(*sources)
    first = found[0] if isinstance(found, tuple) else found
    return int(word(first, TYPES[kernel.results[0]].bits).flat[0])


def _constant(name: str) -> int:
    if name in {"true", "false"}:
        return int(name == "true")
    if name.startswith("0x") or (name.isdigit() and int(name) < 1 << 16):
        return int(name, 0)
    return int(np.float32(name).view(np.uint32))


def _product(node: Expression, known: dict[int, int], vectors: dict[int, list[Expression]]) -> int:
    unit, k, result, a, b, *more = node.operation.split(".")
    gpu = next(each for each in GPUS if each in more)
    rule = Product(int(k[1:]), result, a, b, warpgroup=unit == "wgmma").prepare(gpu)
    # The two may have changed places in the expression, but not here.
    first, second = (
        np.array([known[id(each)] for each in vectors[id(vector)]], WORDS[_BITS[kind]])
        for vector, kind in zip(node.operands[:2], (a, b), strict=True)
    )
    addend = np.array([[known[id(node.operands[2])]]], WORDS[_BITS[result]])
    factors = rule.factor(first.reshape(-1, 1, 1), a), rule.factor(second.reshape(-1, 1, 1), b)
    return int(rule.multiply(*factors, addend).flat[0])
