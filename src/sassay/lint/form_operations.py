"""What integer operations of PTX make of the forms that they read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.lint.forms import LANES, Form, add, plain, times

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sassay.lint.program import Op

_MAX_BITS = 62


def _copy(op: Op, read: list[Form]) -> Form | None:
    del op
    return read[0] if len(read) == 1 else None


def _convert(op: Op, read: list[Form]) -> Form | None:
    types = op.opcode.types
    if op.opcode.is_float or len(types) != 2 or types[1][0] not in "us" or types[0][0] not in "us":
        return None
    form = read[0]
    target, source = int(types[0][1:]), int(types[1][1:])
    if target >= source:
        return form
    if form.terms or bool((form.lanes < 0).any()) or int(form.lanes.max()) >> (target - 1):
        # What is cut off is not known; addresses that are cut to 32 bits hold what counts.
        return form if target == 32 else None
    return form


def _sum(op: Op, read: list[Form]) -> Form | None:
    if op.opcode.is_float or len(read) != 2:
        return None
    return add(read[0], read[1])


def _difference(op: Op, read: list[Form]) -> Form | None:
    if op.opcode.is_float or len(read) != 2:
        return None
    return add(read[0], read[1], -1)


def _product(op: Op, read: list[Form]) -> Form | None:
    if op.opcode.is_float or len(read) != 2 or "hi" in op.opcode.words:
        return None
    return _multiply(read[0], read[1])


def _multiply(left: Form, right: Form) -> Form | None:
    if (factor := right.constant) is not None:
        return times(left, factor)
    if (factor := left.constant) is not None:
        return times(right, factor)
    if left.is_shared and right.is_shared:
        # A product of shared things is one more of them, told by what it is made of.
        parts = sorted((each.terms, int(each.lanes[0])) for each in (left, right))
        return Form(((-1 - abs(hash(tuple(parts))), 1),), np.zeros(LANES, dtype=np.int64))
    return None


def _multiply_add(op: Op, read: list[Form]) -> Form | None:
    if op.opcode.is_float or len(read) != 3 or "hi" in op.opcode.words:
        return None
    product = _multiply(read[0], read[1])
    return None if product is None else add(product, read[2])


def _shift_left(op: Op, read: list[Form]) -> Form | None:
    del op
    count = read[1].constant if len(read) == 2 else None
    return times(read[0], 1 << count) if count is not None and 0 <= count < _MAX_BITS else None


def _shift_right(op: Op, read: list[Form]) -> Form | None:
    del op
    count = read[1].constant if len(read) == 2 else None
    form = read[0]
    if count is None or not 0 <= count < _MAX_BITS or bool((form.lanes < 0).any()):
        return None
    if form.terms and form.align < 1 << count:
        return None
    return Form(tuple((v, f >> count) for v, f in form.terms), form.lanes >> count)


def _and(op: Op, read: list[Form]) -> Form | None:
    if "pred" in op.opcode.types or len(read) != 2:
        return None
    form, mask = (
        (read[0], read[1].constant)
        if read[1].constant is not None
        else (
            read[1],
            read[0].constant,
        )
    )
    if mask is None or bool((form.lanes < 0).any()):
        return None
    bits = op.opcode.bits or 64
    mask &= (1 << min(bits, _MAX_BITS)) - 1
    if not form.terms:
        return plain(form.lanes & mask)
    if mask < form.align:
        return plain(form.lanes & mask)
    low = ~mask & ((1 << min(bits, _MAX_BITS)) - 1)
    if low < form.align and int(form.lanes.max()) < form.align:
        return Form(form.terms, form.lanes & mask)
    return None


def _or(op: Op, read: list[Form]) -> Form | None:
    if "pred" in op.opcode.types or len(read) != 2:
        return None
    left, right = read
    if bool((left.lanes < 0).any()) or bool((right.lanes < 0).any()):
        return None
    if not left.terms and not right.terms:
        return plain(left.lanes | right.lanes)
    # Disjoint bits add up: what is shared lies above everything that differs.
    if left.terms and right.terms:
        return None
    shared, rest = (left, right) if left.terms else (right, left)
    if int(rest.lanes.max()) < shared.align and not bool((shared.lanes & rest.lanes).any()):
        return Form(shared.terms, shared.lanes | rest.lanes)
    return None


def _xor(op: Op, read: list[Form]) -> Form | None:
    if "pred" in op.opcode.types or len(read) != 2 or read[0].terms or read[1].terms:
        return None
    return plain(read[0].lanes ^ read[1].lanes)


def _field(op: Op, read: list[Form]) -> Form | None:
    if len(read) != 3 or read[0].terms or bool((read[0].lanes < 0).any()):
        return None
    start, length = read[1].constant, read[2].constant
    if start is None or length is None or not (0 <= start < 63 and 0 < length < 62):
        return None
    found = read[0].lanes >> start & ((1 << length) - 1)
    if "s32" in op.opcode.types or "s64" in op.opcode.types:
        sign = 1 << (length - 1)
        found = (found ^ sign) - sign
    return plain(found)


def _negative(op: Op, read: list[Form]) -> Form | None:
    return None if op.opcode.is_float else times(read[0], -1)


def _quotient(op: Op, read: list[Form]) -> Form | None:
    divisor = read[1].constant if len(read) == 2 else None
    form = read[0]
    if op.opcode.is_float or divisor is None or divisor <= 0 or form.terms:
        return None
    if bool((form.lanes < 0).any()):
        return None
    return plain(form.lanes // divisor if op.opcode.head == "div" else form.lanes % divisor)


OPERATIONS: Mapping[str, Callable[[Op, list[Form]], Form | None]] = {
    **dict.fromkeys(("mov", "cvta"), _copy),
    "cvt": _convert,
    "add": _sum,
    "sub": _difference,
    "mul": _product,
    "mad": _multiply_add,
    "shl": _shift_left,
    "shr": _shift_right,
    "and": _and,
    "or": _or,
    "xor": _xor,
    "bfe": _field,
    "neg": _negative,
    "div": _quotient,
    "rem": _quotient,
}
"""Integer operations that forms go through, by the head of their opcode."""
