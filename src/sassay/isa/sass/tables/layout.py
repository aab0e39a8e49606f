"""A table of opcodes as arrays to look words up in, for numpy and for compiled code alike.

The low 12 bits of a word select an opcode, which has a row. Its deciding bits are gathered into an
index without a loop over them: nearly all lie in bits 64 to 91, which are cut in three chunks, and
a row says for each value of a chunk what it adds to the index, or that a fixed bit in it is not as
it must be. An opcode that needs more is special: up to two bytes of the low half are looked up
likewise, and what does not fit there, long immediates for the most part, is tested one by one.
The index is a place among the answers, or, of opcodes with too many deciding bits for that, it is
searched among the known ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from sassay.errors import FormatError
from sassay.isa.sass.tables.record import ConditionRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sassay.isa.sass.tables.record import OpcodeRecord, TableRecord

KEYS = 1 << 12
CHUNKS = ((64, 8, 0), (72, 10, 1 << 8), (82, 10, (1 << 8) + (1 << 10)))
"""First bit and width of each chunk, and where in a row its values are."""
_CHUNKED = range(64, 92)
ROW = (1 << 8) + 2 * (1 << 10)
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
        rows: By key, the row of the opcode; row 0 belongs to keys that the table lacks.
        chunks: What each value of each chunk adds, `ROW` entries a row.
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

    rows: NDArray[np.uint16]
    chunks: NDArray[np.int32]
    answers: NDArray[np.int32]
    specials: NDArray[np.uint16]
    shifts: NDArray[np.uint8]
    pieces: NDArray[np.int32]
    known: NDArray[np.int32]
    spans: NDArray[np.int64]
    starts: NDArray[np.int64]
    rests: tuple[Rest | None, ...]


def lay_out(table: TableRecord) -> Layout:
    """The arrays of a table.

    Raises:
        FormatError: An answer has no name, or an index is none of its opcode.
    """
    opcodes = table.opcodes
    rows = np.zeros(KEYS, np.uint16)
    rows[[opcode.key for opcode in opcodes]] = np.arange(1, len(opcodes) + 1)
    bits = np.array([len(each.bits) + len(each.conditions) for each in opcodes], np.int64)
    if bits.max(initial=0) > _MOST_BITS:
        raise _damaged(table, f"an opcode has more than {_MOST_BITS} deciding bits")
    searched = bits > DENSE_BITS
    index = np.frombuffer(b"".join(each.indices for each in opcodes), "<u4").astype(np.int64)
    entries = np.array([len(each.indices) // 4 for each in opcodes], np.int64)
    starts, answers = _answers(table, index, np.where(searched, entries, 1 << bits), entries)
    special = [row for row, each in enumerate(opcodes) if searched[row] or _is_special(each)]
    specials = np.zeros(KEYS, np.uint16)
    specials[[opcodes[row].key for row in special]] = np.arange(1, len(special) + 1)
    chunks = _chunks(opcodes, np.where(searched, 0, starts))
    shifts = np.zeros((len(special) + 1, PIECES), np.uint8)
    pieces = np.zeros((len(special) + 1, PIECES, 1 << _BYTE), np.int32)
    rests: list[Rest | None] = [None]
    for number, row in enumerate(special, 1):
        chunks[row + 1, : CHUNKS[1][2]] += SPECIAL
        rests.append(_bytes(opcodes[row], shifts[number], pieces[number]))
    # Known indices lie behind one another as the answers to them do.
    last = np.cumsum(np.where(searched, entries, 0))
    spans = np.zeros((len(special) + 1, 2), np.int64)
    spans[1:, 0] = (last - np.where(searched, entries, 0))[special]
    spans[1:, 1] = last[special]
    return Layout(
        rows=rows,
        chunks=chunks.reshape(-1),
        answers=answers,
        specials=specials,
        shifts=shifts,
        pieces=pieces,
        known=index[np.repeat(searched, entries)].astype(np.int32),
        spans=spans,
        starts=np.concatenate([np.zeros(1, np.int64), starts[special]]),
        rests=tuple(rests),
    )


def _damaged(table: TableRecord, what: str) -> FormatError:
    return FormatError(what, artifact=f"table of {', '.join(table.archs)}")


def _answers(
    table: TableRecord,
    index: NDArray[np.int64],
    sizes: NDArray[np.int64],
    entries: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Where the answers of each opcode start, and all of them; entry 0 is no opcode's."""
    opcodes = table.opcodes
    names = np.frombuffer(b"".join(each.names for each in opcodes), "<u4")
    refused = ~np.frombuffer(b"".join(each.reuse for each in opcodes), np.uint8) & 0xF
    stops = np.cumsum(sizes) + 1
    starts = stops - sizes
    rank = np.arange(len(index)) - np.repeat(np.cumsum(entries) - entries, entries)
    dense = np.repeat(sizes != entries, entries)
    places = np.where(dense, index, rank)
    if names.max(initial=0) >= max(len(table.names), 1):
        raise _damaged(table, "an answer has no name")
    if (places >= np.repeat(sizes, entries)).any():
        raise _damaged(table, "an index is none of its opcode")
    answers = np.zeros(stops[-1] if len(stops) else 1, np.int32)
    answers[places + np.repeat(starts, entries)] = (names + 1) | (
        refused.astype(np.uint32) << NAME_BITS
    )
    return starts, answers


def _holds(chunk: tuple[int, int, int], condition: ConditionRecord) -> bool:
    """Whether a chunk has all bits of a condition."""
    first, width, _ = chunk
    return first <= condition.start and condition.start + condition.width <= first + width


def _outside(opcode: OpcodeRecord) -> tuple[int, int]:
    """Its fixed bits that lie in no chunk."""
    chunked = sum((1 << width) - 1 << first for first, width, _ in CHUNKS) >> _HALF
    return opcode.fixed_mask[0], opcode.fixed_mask[1] & ~chunked


def _tests(opcode: OpcodeRecord) -> Iterator[tuple[int, ConditionRecord]]:
    """Its deciding bits and conditions in no chunk, by their place in the index."""
    for place, bit in enumerate(opcode.bits):
        if bit not in _CHUNKED:
            yield place, ConditionRecord(bit, 1, (1,))
    for place, condition in enumerate(opcode.conditions, len(opcode.bits)):
        if condition.values and not any(_holds(chunk, condition) for chunk in CHUNKS):
            yield place, condition


def _is_special(opcode: OpcodeRecord) -> bool:
    return any(_outside(opcode)) or any(True for _ in _tests(opcode))


def _chunks(opcodes: Sequence[OpcodeRecord], starts: NDArray[np.int64]) -> NDArray[np.int32]:
    """What each value of each chunk adds, a row an opcode after one of zeros."""
    table = np.zeros((len(opcodes) + 1, ROW), np.int32)
    table[1:, : CHUNKS[1][2]] = starts[:, np.newaxis]
    weights = np.zeros((len(opcodes) + 1, _HALF), np.int32)
    for row, opcode in enumerate(opcodes, 1):
        for place, bit in enumerate(opcode.bits):
            if bit >= _HALF:
                weights[row, bit - _HALF] = 1 << place
    fixed = [(each.fixed_mask[1], each.fixed_value[1]) for each in opcodes]
    high = np.array([(0, 0), *fixed], np.uint64)
    conditional = [(row, each) for row, each in enumerate(opcodes, 1) if each.conditions]
    for place_of in CHUNKS:
        first, width, start = place_of
        chunk = table[:, start : start + (1 << width)]
        shift = first - _HALF
        for bit in range(width):
            step = 1 << bit
            added = weights[:, shift + bit, np.newaxis]
            chunk[:, step : 2 * step] = chunk[:, :step] + added
        for row, opcode in conditional:
            for place, item in enumerate(opcode.conditions, len(opcode.bits)):
                if _holds(place_of, item):
                    truths = _truths(width, item.start - first, item.width, item.values)
                    chunk[row] += truths << place
        mask, value = (high >> np.uint64(shift)).astype(np.uint16).T & (1 << width) - 1
        values = np.arange(1 << width, dtype=np.uint16)
        chunk[(values & mask[:, np.newaxis]) != (value & mask)[:, np.newaxis]] = WRONG
    return table


def _truths(width: int, shift: int, field: int, wanted: Iterable[int]) -> NDArray[np.int32]:
    """For each value of so many bits whether a field of it is wanted."""
    truths = np.zeros(1 << field, np.int32)
    truths[[value for value in wanted if value < len(truths)]] = 1
    return truths.take(np.arange(1 << width) >> shift & len(truths) - 1)


def _bytes(
    opcode: OpcodeRecord, shifts: NDArray[np.uint8], pieces: NDArray[np.int32]
) -> Rest | None:
    """Fill what bytes of the low half add in; what they cannot tell is given back."""
    low, high = _outside(opcode)
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
        value = opcode.fixed_value[0] >> shift & mask
        pieces[number][(np.arange(1 << _BYTE) & mask) != value] = WRONG
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
