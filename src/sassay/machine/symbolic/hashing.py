"""Hashes of expressions: 64 bits, mixed so that unlike expressions do not meet.

An operation's hash is a finalizer over the sum of its operands' hashes, each multiplied by an odd
constant of its own place, and a constant of its name (a cryptographic hash of it). Operands that
commute share a constant. The finalizer (two rounds of xor-shift and multiply, as in SplitMix64)
is a bijection, so all that can meet is the sum: for values as good as random, one pair in 2^64.
The halves of a word are bijections of its hash, so that two halves of one word can be seen to be
that word again.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import cache, lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.machine.types import Array

_U = np.uint64
_FIRST, _SECOND = _U(0xBF58476D1CE4E5B9), _U(0x94D049BB133111EB)
_PLACES = tuple(
    _U(each | 1)
    for each in (0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB)
)
_S32, _S29 = _U(32), _U(29)


class Tape(Protocol):
    """Who keeps what was hashed, for `explain`.

    Attributes:
        via: How the operands of the operation that is hashed next came to it.
        blocks: The block in the slice of each row of what is hashed; None if rows are threads.
    """

    via: tuple[str, ...]
    blocks: Array | None

    def operation(self, name: np.uint64, result: Array, operands: Sequence[Array]) -> None:
        """An operation was hashed."""

    def leaf(self, name: np.uint64, result: Array, index: Array) -> None:
        """Elements of a buffer were."""

    def constant(self, result: Array, words: Array) -> None:
        """Numbers were."""


TAPE: ContextVar[Tape | None] = ContextVar("tape", default=None)
"""Set while a run is recorded."""

NAMES: dict[int, str] = {}
"""What was given to `name_hash`, by its result."""


@lru_cache(maxsize=1 << 14)
def name_hash(name: str) -> np.uint64:
    """A constant for a name, the same on every machine."""
    found = _U(int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little"))
    NAMES[int(found)] = name
    return found


def finish(total: Array) -> Array:
    """Mixes, in place."""
    total ^= total >> _S32
    total *= _FIRST
    total ^= total >> _S29
    total *= _SECOND
    total ^= total >> _S32
    return total


def operation(name: np.uint64, operands: Sequence[Array], *, commutes: bool = False) -> Array:
    """The hash of an operation.

    Args:
        name: `name_hash` of it.
        operands: Hashes.
        commutes: The first two operands may change places.
    """
    if commutes:
        total = operands[0] + operands[1]
        rest = operands[2:]
    else:
        total = operands[0] * _PLACES[0]
        rest = operands[1:]
    if commutes:
        total *= _PLACES[0]
    total += name
    for at, each in enumerate(rest, 1):
        place = _PLACES[at] if at < len(_PLACES) else name_hash(f"operand {at}") | _U(1)
        term = each * place
        total = np.add(total, term, out=term if term.size > total.size else None)
    found = finish(total)
    tape = TAPE.get()
    if tape is not None:
        tape.operation(name, found, operands)
    return found


def ordered(name: np.uint64, values: Array) -> Array:
    """The hash of an operation on many operands of one kind, as `operation` gives it.

    Args:
        name: `name_hash` of it.
        values: Hashes; the operands lie along the second axis.
    """
    count = values.shape[1]
    total = np.einsum("gkr,k->gr", values, _places(count))
    total += name
    found = finish(total)
    tape = TAPE.get()
    if tape is not None:
        tape.operation(name, found, [values[:, at] for at in range(count)])
    return found


@cache
def _places(count: int) -> Array:
    more = [name_hash(f"operand {at}") | _U(1) for at in range(len(_PLACES), count)]
    return np.array([*_PLACES[:count], *more], np.uint64)


_NOT = name_hash("not.pred") | _U(1)
NAMES[int(_NOT)] = "not.pred"


def opposite(predicate: Array) -> Array:
    """The hash of the opposite of a predicate; twice is none, and one of the two is even."""
    found = predicate ^ _NOT
    tape = TAPE.get()
    if tape is not None:
        tape.operation(_NOT, found, [predicate])
    return found


def leaf(name: np.uint64, index: Array) -> Array:
    """The hash of elements of a buffer."""
    total = index.astype(np.uint64)
    total *= _PLACES[1]
    total += name
    found = finish(total)
    tape = TAPE.get()
    if tape is not None:
        tape.leaf(name, found, index)
    return found


def constant(words: Array) -> Array:
    """The hash of numbers, by their bits and width."""
    total = words.astype(np.uint64)
    total *= _PLACES[2]
    total += name_hash(f"constant {1 if words.dtype == np.bool_ else words.dtype.itemsize * 8}")
    found = finish(total)
    tape = TAPE.get()
    if tape is not None:
        tape.constant(found, words)
    return found


@cache
def _half(bits: int, side: int) -> tuple[np.uint64, np.uint64, np.uint64]:
    start = name_hash(f"half {side} of {bits}")
    factor = int(name_hash(f"factor {side} of {bits}")) | 1
    return start, _U(factor), _U(pow(factor, -1, 1 << 64))


def split(value: Array, bits: int) -> tuple[Array, Array]:
    """The hashes of the lower and the upper half of words of so many bits."""
    found = []
    for side in (0, 1):
        start, factor, _ = _half(bits, side)
        total = value ^ start
        total *= factor
        total ^= total >> _S32
        found.append(total)
        tape = TAPE.get()
        if tape is not None:
            tape.operation(name_hash(f"{('low', 'high')[side]}.b{bits}"), total, [value])
    return found[0], found[1]


def join(low: Array, high: Array, bits: int) -> Array:
    """The hash of words of so many bits out of those of their halves; undoes `split`."""
    whole = []
    for side, half in ((0, low), (1, high)):
        start, _, inverse = _half(bits, side)
        total = half ^ (half >> _S32)
        total *= inverse
        total ^= start
        whole.append(total)
    other = operation(name_hash(f"join.b{bits}"), [low, high])
    return np.where(whole[0] == whole[1], whole[0], other)


def gathered(name: np.uint64, old: Array, new: Array) -> Array:
    """The hash of something to which threads add in whatever order."""
    term = new * _PLACES[3]
    term += name
    found = old + finish(term)
    tape = TAPE.get()
    if tape is not None:
        tape.operation(name, found, [old, new])
    return found
