"""A table of opcodes as arrays to look words up in, for numpy and for compiled code alike.

The low 12 bits of a word select an opcode, which has a head. Its deciding bits are gathered into an
index without a loop over them: nearly all lie in bits 64 to 91, which are cut in three chunks. For
each chunk the head says where a list is of what each value of it adds to the index, or that a fixed
bit in it is not as it must be; many opcodes share a list, so that all of them lie in a megabyte. An
opcode that needs more is special: up to two bytes of the low half are looked up likewise, and what
does not fit there, long immediates for the most part, is tested one by one.
The index is a place among the answers, or, of opcodes with too many deciding bits for that, it is
searched among the known ones.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from sassay.errors import FormatError
from sassay.isa.sass.tables.record import ConditionRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.isa.sass.tables.columns import TableColumns
    from sassay.isa.sass.tables.record import OpcodeRecord

KEYS = 1 << 12
CHUNKS = ((64, 8), (72, 10), (82, 10))
"""First bit and width of each chunk."""
_CHUNKED = range(64, 92)
HEAD = len(CHUNKS) + 1
"""Numbers of the head of an opcode."""
PIECES = 2
"""Bytes of the low half that an opcode looks up."""
DENSE_BITS = 14
"""Beyond so many deciding bits and conditions, the known indices are searched."""
NAME_BITS = 24
NAME_MASK = (1 << NAME_BITS) - 1
REUSE_SHIFT = 58
"""Of the `.reuse` flags in the high half of a word."""
SPECIAL = 1 << 27
"""Added for an opcode that needs more than chunks; above every index."""
WRONG = -(1 << 28)
"""Added for a chunk or byte with a wrong fixed bit: the sum stays negative whatever is added."""
_MOST_BITS = 26
_BYTE = 8
_HALF = 64
_ONES = (1 << _HALF) - 1


class Test(msgspec.Struct, frozen=True):
    """A condition on one half of a word.

    Attributes:
        high: Of which half.
        shift: Lowest bit of its field in that half.
        mask: The field, shifted to bit 0.
        values: Those that fulfil it, ascending.
        adds: What it then adds to the index.
    """

    high: bool
    shift: int
    mask: int
    values: tuple[int, ...]
    adds: int


class Rest(msgspec.Struct, frozen=True):
    """What neither chunks nor bytes tell of a special opcode.

    Attributes:
        mask: Low and high half of the bits that must be as in `value`.
        value: Low and high half.
        tests: Its conditions and deciding bits.
    """

    mask: tuple[int, int]
    value: tuple[int, int]
    tests: tuple[Test, ...]


class Layout(msgspec.Struct, frozen=True):
    """The arrays.

    Attributes:
        heads: By key, `HEAD` numbers: where the values of each chunk of the opcode start in
            `chunks`, and the place of its first answer, or what makes it special. Of a key that
            the table lacks they lead to entry 0 of the answers.
        chunks: What values of a chunk add, each different list of them once.
        answers: Id of the mnemonic plus 1 (0: unknown) and, above it, the flags that it refuses.
        specials: By key, the number of a special opcode; 0 for others.
        shifts: By that number, the lowest bit of each byte to look up.
        pieces: What each value of the byte adds.
        known: The known indices of the opcodes that are searched, ascending in each.
        spans: By number, the first and last plus one of its known indices; equal where the index
            is a place among the answers.
        starts: By number, the place of the answer to the first known index.
        rests: By number.
    """

    heads: NDArray[np.int32]
    chunks: NDArray[np.int32]
    answers: NDArray[np.int32]
    specials: NDArray[np.uint16]
    shifts: NDArray[np.uint8]
    pieces: NDArray[np.int32]
    known: NDArray[np.int32]
    spans: NDArray[np.int64]
    starts: NDArray[np.int64]
    rests: tuple[Rest | None, ...]


def lay_out(table: TableColumns) -> Layout:
    """The arrays of a table.

    Raises:
        FormatError: An answer has no name, or an index is none of its opcode.
    """
    if table.keys.max(initial=0) >= KEYS:
        raise _damaged(table, "an opcode has more than 12 bits")
    bits = table.bit_counts.astype(np.int64) + table.condition_counts
    if table.bits.max(initial=0) >= 2 * _HALF:
        raise _damaged(table, "a deciding bit is no bit of a word")
    if bits.max(initial=0) > _MOST_BITS:
        raise _damaged(table, f"an opcode has more than {_MOST_BITS} deciding bits")
    searched = bits > DENSE_BITS
    sizes = np.where(searched, table.entries, 1 << bits)
    stops = np.cumsum(sizes) + 1
    starts = stops - sizes
    answers = _answers(table, searched, starts, stops)
    special = np.flatnonzero(searched | _are_special(table))
    specials = np.zeros(KEYS, np.uint16)
    specials[table.keys[special]] = np.arange(1, len(special) + 1)
    chunks, places = _chunks(table)
    heads = np.zeros((KEYS, HEAD), np.int32)
    heads[table.keys, :-1] = places
    heads[table.keys, -1] = np.where(searched, 0, starts)
    heads[table.keys[special], -1] += SPECIAL
    shifts = np.zeros((len(special) + 1, PIECES), np.uint8)
    pieces = np.zeros((len(special) + 1, PIECES, 1 << _BYTE), np.int32)
    fixed = np.zeros((len(special) + 1, PIECES, 2), np.int32)
    rests: list[Rest | None] = [None]
    for number, row in enumerate(special.tolist(), 1):
        rests.append(_bytes(table.opcode(row), shifts[number], fixed[number], pieces[number]))
    values = np.arange(1 << _BYTE, dtype=np.int32)
    pieces[values & fixed[..., :1] != fixed[..., 1:]] = WRONG
    # Known indices lie behind one another as the answers to them do.
    own = np.where(searched, table.entries, 0)
    last = np.cumsum(own)
    spans = np.zeros((len(special) + 1, 2), np.int64)
    spans[1:, 0] = (last - own)[special]
    spans[1:, 1] = last[special]
    known = [table.indices[part] for _, part in _runs(table, searched, wanted=True)]
    return Layout(
        heads=heads,
        chunks=chunks,
        answers=answers,
        specials=specials,
        shifts=shifts,
        pieces=pieces,
        known=np.concatenate([*known, np.zeros(0, np.uint32)]).astype(np.int32),
        spans=spans,
        starts=np.concatenate([np.zeros(1, np.int64), starts[special]]),
        rests=tuple(rests),
    )


def _damaged(table: TableColumns, what: str) -> FormatError:
    return FormatError(what, artifact=f"table of {', '.join(table.archs)}")


def _runs(
    table: TableColumns, searched: NDArray[np.bool_], *, wanted: bool
) -> Iterator[tuple[slice, slice]]:
    """Opcodes in a row that are searched, or not, and their entries: a few slices of each."""
    turns = np.flatnonzero(np.diff(searched, prepend=not wanted, append=not wanted))
    ends = [0, *table.entry_ends.tolist()]
    for first, last in turns.reshape(-1, 2).tolist():
        yield slice(first, last), slice(ends[first], ends[last])


def _answers(
    table: TableColumns,
    searched: NDArray[np.bool_],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
) -> NDArray[np.int32]:
    """The answers of all opcodes; entry 0 is no opcode's."""
    if table.places.max(initial=0) >= max(len(table.names), 1):
        raise _damaged(table, "an answer has no name")
    answers = np.zeros(stops[-1] if len(stops) else 1, np.int32)
    values = (~table.reuse & 0xF).astype(np.uint32)
    values <<= NAME_BITS
    values |= table.places + np.uint32(1)
    for rows, entries in _runs(table, searched, wanted=True):
        answers[starts[rows.start] : stops[rows.stop - 1]] = values[entries]
    for rows, entries in _runs(table, searched, wanted=False):
        many = table.entries[rows]
        places = table.indices[entries] + np.repeat(starts[rows], many)
        if (places >= np.repeat(stops[rows], many)).any():
            raise _damaged(table, "an index is none of its opcode")
        answers[places] = values[entries]
    return answers


def _holds(chunk: tuple[int, int], condition: ConditionRecord) -> bool:
    """Whether a chunk has all bits of a condition."""
    first, width = chunk
    return first <= condition.start and condition.start + condition.width <= first + width


_UNCHUNKED = _ONES ^ sum((1 << width) - 1 << first for first, width in CHUNKS) >> _HALF
"""Bits of the high half that lie in no chunk."""


def _tests(opcode: OpcodeRecord) -> Iterator[tuple[int, ConditionRecord]]:
    """Its deciding bits and conditions in no chunk, by their place in the index."""
    for place, bit in enumerate(opcode.bits):
        if bit not in _CHUNKED:
            yield place, ConditionRecord(bit, 1, (1,))
    for place, condition in enumerate(opcode.conditions, len(opcode.bits)):
        if condition.values and not any(_holds(chunk, condition) for chunk in CHUNKS):
            yield place, condition


def _are_special(table: TableColumns) -> NDArray[np.bool_]:
    """Whether chunks leave a fixed bit, a deciding bit or a condition of each opcode."""
    special: NDArray[np.bool_] = table.fixed[:, 0] != 0
    special |= table.fixed[:, 1] & np.uint64(_UNCHUNKED) != 0
    outside = (table.bits < _CHUNKED.start) | (table.bits >= _CHUNKED.stop)
    special[np.repeat(np.arange(len(table)), table.bit_counts)[outside]] = True
    for row in np.flatnonzero(table.condition_counts).tolist():
        for item in table.conditions(row):
            if item.values and not any(_holds(chunk, item) for chunk in CHUNKS):
                special[row] = True
    return special


def _chunks(table: TableColumns) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """What values of chunks add, each different list once, and where those of each opcode start.

    The first list is one of zeros, as long as the longest.
    """
    count = len(table)
    parts = [np.zeros(1 << max(width for _, width in CHUNKS), np.int32)]
    made_before = len(parts[0])
    starts = np.zeros((count, len(CHUNKS)), np.int64)
    owners = np.repeat(np.arange(count), table.bit_counts)
    firsts = table.bit_ends - table.bit_counts
    places = np.arange(len(table.bits)) - firsts[owners]
    high = table.bits >= _HALF
    weights = np.zeros((count, _HALF), np.int32)
    weights[owners[high], table.bits[high] - _HALF] = 1 << places[high]
    conditional = [
        (row, place, item)
        for row in np.flatnonzero(table.condition_counts).tolist()
        for place, item in enumerate(table.conditions(row), int(table.bit_counts[row]))
    ]
    for column, place_of in enumerate(CHUNKS):
        first, width = place_of
        shift = first - _HALF
        cells = 1 << width
        mask, value = (table.fixed[:, 1::2] >> np.uint64(shift)).astype(np.int32).T & cells - 1
        own = [(row, place, item) for row, place, item in conditional if _holds(place_of, item)]
        apart = np.zeros(count, np.int32)  # its number keeps an opcode with a condition apart
        for row, _, _ in own:
            apart[row] = row + 1
        # Many opcodes have the same: each different one is made once.
        recipes = np.column_stack([weights[:, shift : shift + width], mask, value & mask, apart])
        whole = recipes.view(np.dtype((np.void, recipes.itemsize * recipes.shape[1]))).reshape(-1)
        _, one, kind = np.unique(whole, return_index=True, return_inverse=True)
        made = recipes[one]
        patterns = np.zeros((len(made), cells), np.int32)
        for bit in range(width):
            step = 1 << bit
            np.add(patterns[:, :step], made[:, bit, np.newaxis], out=patterns[:, step : 2 * step])
        for row, place, item in own:
            truths = _truths(width, item.start - first, item.width, item.values)
            patterns[kind[row]] += truths << place
        values = np.arange(cells, dtype=np.int32)
        patterns[(values & made[:, width, np.newaxis]) != made[:, width + 1, np.newaxis]] = WRONG
        starts[:, column] = made_before + kind * cells
        made_before += patterns.size
        parts.append(patterns.reshape(-1))
    return np.concatenate(parts), starts


@lru_cache(maxsize=256)
def _truths(width: int, shift: int, field: int, wanted: tuple[int, ...]) -> NDArray[np.int32]:
    """For each value of so many bits whether a field of it is wanted; not to be written to."""
    truths = np.zeros(1 << field, np.int32)
    truths[[value for value in wanted if value < len(truths)]] = 1
    return truths.take(np.arange(1 << width) >> shift & len(truths) - 1)


def _bytes(
    opcode: OpcodeRecord,
    shifts: NDArray[np.uint8],
    fixed: NDArray[np.int32],
    pieces: NDArray[np.int32],
) -> Rest | None:
    """What bytes of the low half add; what they cannot tell is given back.

    Args:
        opcode: A special one.
        shifts: Where its bytes are put.
        fixed: Where the mask and the value of the fixed bits of each are put.
        pieces: Where it is put what each value of each adds.
    """
    low, high = opcode.fixed_mask[0], opcode.fixed_mask[1] & _UNCHUNKED
    tests = list(_tests(opcode))
    wanted = [shift for shift in range(0, _HALF, _BYTE) if low >> shift & 0xFF]
    wanted += [
        item.start // _BYTE * _BYTE
        for _, item in tests
        if item.start < _HALF and item.start % _BYTE + item.width <= _BYTE
    ]
    for number, shift in enumerate(tuple(dict.fromkeys(wanted))[:PIECES]):
        shifts[number] = shift
        left = []
        for place, item in tests:
            if shift <= item.start and item.start + item.width <= shift + _BYTE:
                inside = _truths(_BYTE, item.start - shift, item.width, item.values)
                pieces[number] += inside << place
            else:
                left.append((place, item))
        tests = left
        mask = low >> shift & 0xFF
        fixed[number] = mask, opcode.fixed_value[0] >> shift & mask
        low &= ~(0xFF << shift)
    if not (low or high or tests):
        return None
    return Rest(
        mask=(low, high),
        value=(opcode.fixed_value[0] & low, opcode.fixed_value[1] & high),
        tests=tuple(
            Test(
                high=item.start >= _HALF,
                shift=item.start % _HALF,
                mask=(1 << item.width) - 1 & _ONES >> item.start % _HALF,
                values=tuple(sorted(item.values)),
                adds=1 << place,
            )
            for place, item in tests
        ),
    )
