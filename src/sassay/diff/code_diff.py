"""The aligned code of two kernels, only the regions that differ."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from sassay.diff.align import align
from sassay.diff.memo import TierMemo
from sassay.diff.registers import blind, contradictions
from sassay.diff.targets import follow
from sassay.diff.tiers import TierJudge
from sassay.errors import FormatError, InputError
from sassay.isa import ptx
from sassay.model.change import CodeDiff, DiffLine, Hunk
from sassay.model.layers import Layer, Tier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sassay.isa.listing import ListingLine
    from sassay.isa.sass import Disassembler
    from sassay.model.code import CodeStore
    from sassay.model.kernel import Kernel

_Op = tuple[int, int, int, int, bool]
"""Start and end before, start and end after, whether the lines are equal."""


def code_diff(
    before: Kernel,
    after: Kernel,
    layer: Layer,
    store: CodeStore,
    disassembler: Disassembler,
    *,
    context: int = 3,
    normalize_registers: bool | None = None,
) -> CodeDiff:
    """Aligns the code of two kernels.

    Args:
        before: The kernel before.
        after: The kernel after.
        layer: PTX or SASS.
        store: Where their code is.
        disassembler: Reads SASS.
        context: Equal lines to keep on each side of a difference.
        normalize_registers: Lines that differ only in the names of registers are equal, as long
            as they read the same values. By default so unless the names are all that differs.

    Raises:
        InputError: A side does not hold the layer.
        ToolError: No disassembler knows the architecture.
    """
    left = _listing(before, layer, store, disassembler)
    right = _listing(after, layer, store, disassembler)
    tier = TierJudge(store, disassembler, TierMemo(None)).layer(layer, before, after)
    if normalize_registers is None:
        normalize_registers = tier in {None, Tier.REORDERED, Tier.RECOMPOSED}
    keys = (
        _keys(left, layer, without_registers=normalize_registers),
        _keys(right, layer, without_registers=normalize_registers),
    )
    ops = _aligned(*keys)
    if not all(op[4] for op in ops):
        ops = _aligned(*follow(left, right, keys, _faces(left, right, ops, layer), layer))
    if normalize_registers:
        ops = _same_values(left, right, ops, layer)
    return CodeDiff(
        layer=layer.value,
        before=before.id,
        after=after.id,
        tier=tier or Tier.RECOMPOSED,
        before_instructions=len(left),
        after_instructions=len(right),
        hunks=tuple(_hunks(left, right, ops, context, layer)),
    )


def _listing(
    kernel: Kernel, layer: Layer, store: CodeStore, disassembler: Disassembler
) -> tuple[ListingLine, ...]:
    digest = kernel.code.ptx if layer is Layer.PTX else kernel.code.sass
    if digest is None:
        raise InputError(
            f"it holds no {layer.value.upper()}", artifact=kernel.name, hint="try the other layer"
        )
    if layer is Layer.SASS:
        return disassembler.listing(store.sass(digest))
    module = ptx.read_module(store.ptx(digest), artifact=kernel.symbol)
    for entry in module.entries:
        if entry.name == kernel.symbol:
            return ptx.listing(entry)
    raise FormatError("its PTX module has no such entry", artifact=kernel.symbol)


def _keys(lines: Sequence[ListingLine], layer: Layer, *, without_registers: bool) -> list[str]:
    if not without_registers:
        return [line.key for line in lines]
    return [blind(line.key, layer) for line in lines]


def _same_values(
    left: Sequence[ListingLine], right: Sequence[ListingLine], ops: Sequence[_Op], layer: Layer
) -> list[_Op]:
    """Takes lines that read other values out of the equal runs."""
    wrong = contradictions(left, right, _walk(left, right, ops, layer), layer)
    found: list[_Op] = []
    for op in ops:
        i, k, j, _, equal = op
        if not equal:
            found.append(op)
            continue
        other = [(i + n, j + n) in wrong for n in range(k - i)]
        start = 0
        for is_other, group in groupby(other):
            end = start + len(list(group))
            found.append((i + start, i + end, j + start, j + end, not is_other))
            start = end
    return _joined(found)


def _joined(ops: Sequence[_Op]) -> list[_Op]:
    """Neighbouring runs of one kind as one."""
    found: list[_Op] = []
    for op in ops:
        if found and found[-1][4] == op[4]:
            i, _, j, _, equal = found.pop()
            found.append((i, op[1], j, op[3], equal))
        else:
            found.append(op)
    return found


def _walk(
    left: Sequence[ListingLine], right: Sequence[ListingLine], ops: Sequence[_Op], layer: Layer
) -> Iterator[tuple[int, int, bool]]:
    """Lines in order with the line that each faces, -1 for none, and whether they are equal."""
    for op in ops:
        i, k, j, m, equal = op
        pairs = [(i + n, j + n) for n in range(k - i)] if equal else _facing(left, right, op, layer)
        for one, other in [*pairs, (k, m)]:
            yield from ((n, -1, False) for n in range(i, one))
            yield from ((-1, n, False) for n in range(j, other))
            if one < k and other < m:
                yield one, other, equal
            i, j = one + 1, other + 1


def _aligned(before: Sequence[str], after: Sequence[str]) -> list[_Op]:
    return list(_ops(align(before, after), len(before), len(after)))


def _faces(
    left: Sequence[ListingLine], right: Sequence[ListingLine], ops: Sequence[_Op], layer: Layer
) -> dict[int, int]:
    """Each line before and the line after that it faces, equal or not."""
    found: dict[int, int] = {}
    for op in ops:
        i, k, j, _, equal = op
        found.update(
            {i + n: j + n for n in range(k - i)} if equal else _facing(left, right, op, layer)
        )
    return found


def _ops(blocks: Sequence[tuple[int, int, int]], before: int, after: int) -> Iterator[_Op]:
    """Equal and differing runs in turn, from the first line to the last."""
    i = j = 0
    for start, other, length in [*blocks, (before, after, 0)]:
        if i < start or j < other:
            yield i, start, j, other, False
        if length:
            yield start, start + length, other, other + length, True
        i, j = start + length, other + length


def _hunks(
    left: Sequence[ListingLine],
    right: Sequence[ListingLine],
    ops: Sequence[_Op],
    context: int,
    layer: Layer,
) -> Iterator[Hunk]:
    """Differing runs with their context; runs whose contexts meet make one hunk."""
    current: list[_Op] = []
    for position, (i, k, j, m, equal) in enumerate(ops):
        if not equal:
            current.append((i, k, j, m, False))
            continue
        length = k - i
        last = position == len(ops) - 1
        if current and not last and length <= 2 * context:
            current.append((i, k, j, m, True))
            continue
        if current:
            keep = min(context, length)
            if keep:
                current.append((i, i + keep, j, j + keep, True))
            yield _hunk(left, right, current, layer)
        keep = min(context, length)
        current = [(k - keep, k, m - keep, m, True)] if keep and not last else []
    if any(not op[4] for op in current):
        yield _hunk(left, right, current, layer)


def _hunk(
    left: Sequence[ListingLine], right: Sequence[ListingLine], ops: Sequence[_Op], layer: Layer
) -> Hunk:
    lines = [line for op in ops for line in _lines(left, right, op, layer)]
    first, last = ops[0], ops[-1]
    return Hunk(
        before_start=first[0],
        before_count=last[1] - first[0],
        after_start=first[2],
        after_count=last[3] - first[2],
        lines=tuple(lines),
    )


def _lines(
    left: Sequence[ListingLine], right: Sequence[ListingLine], op: _Op, layer: Layer
) -> Iterator[DiffLine]:
    """The lines of one run; in a differing one, lines of one shape face each other."""
    i, k, j, m, equal = op
    pairs = [(i + n, j + n) for n in range(k - i)] if equal else _facing(left, right, op, layer)
    name = "equal" if equal else "replace"
    for one, other in [*pairs, (k, m)]:
        both = min(one - i, other - j)
        for before, after in zip(left[i : i + both], right[j : j + both], strict=True):
            yield DiffLine("replace", before.text, after.text, before.offset, after.offset)
        for line in left[i + both : one]:
            yield DiffLine("delete", line.text, None, line.offset, None)
        for line in right[j + both : other]:
            yield DiffLine("insert", None, line.text, None, line.offset)
        if one < k and other < m:
            before, after = left[one], right[other]
            yield DiffLine(name, before.text, after.text, before.offset, after.offset)
        i, j = one + 1, other + 1


def _facing(
    left: Sequence[ListingLine], right: Sequence[ListingLine], op: _Op, layer: Layer
) -> list[tuple[int, int]]:
    """Which lines of a differing run replace each other: equal up to registers, then by opcode."""
    i, k, j, m, _ = op
    some, others = left[i:k], right[j:m]
    blocks = align(
        _keys(some, layer, without_registers=True), _keys(others, layer, without_registers=True)
    )
    pairs: list[tuple[int, int]] = []
    start = other = 0
    for one, two, length in [*blocks, (len(some), len(others), 0)]:
        gap = align(
            [line.opcode for line in some[start:one]], [line.opcode for line in others[other:two]]
        )
        pairs += [(i + start + a + n, j + other + b + n) for a, b, size in gap for n in range(size)]
        pairs += [(i + one + n, j + two + n) for n in range(length)]
        start, other = one + length, two + length
    return pairs
