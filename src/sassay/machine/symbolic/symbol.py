"""What a register holds in the symbolic mode: pieces, each known or the hash of an expression.

A word is cut into equal pieces, the lowest first, so that halves and bytes can be moved without
looking at them. In each thread a piece is known (its bits are there) or not (its hash is there).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.symbolic import hashing
from sassay.machine.types import WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sassay.machine.types import Array


@dataclass(frozen=True)
class Piece:
    """A part of a word.

    Attributes:
        bits: How wide it is.
        hash: Of the expression, where it is not known; None if it is known everywhere.
        value: The bits, where it is known; None if it is known nowhere.
        known: Where it is known; None if everywhere (`hash` is None) or nowhere (`value` is).
        via: How it came here from another thread or through memory.
    """

    bits: int
    hash: Array | None = None
    value: Array | None = None
    known: Array | None = None
    via: str = ""

    def hashed(self) -> Array:
        """Hashes everywhere: those of constants where it is known."""
        if self.value is None:
            return self.hash  # type: ignore[return-value] # one of the two is there
        fixed = hashing.constant(self.value)
        if self.hash is None:
            return fixed
        return np.where(self.known, fixed, self.hash)  # type: ignore[arg-type] # mixed: both are

    @property
    def fixed(self) -> bool:
        """Whether it is known in every thread."""
        return self.hash is None

    def map(self, run: Callable[[Array], Array]) -> Piece:
        """The piece with each of its arrays moved alike, as a shuffle moves them."""
        return Piece(
            self.bits,
            None if self.hash is None else run(self.hash),
            None if self.value is None else run(self.value),
            None if self.known is None else run(self.known),
            self.via,
        )

    def through(self, via: str) -> Piece:
        """The same, with one more step on its way here."""
        return replace(self, via=f"{self.via}, {via}" if self.via else via)


def known(value: Array) -> Piece:
    """A piece that is known."""
    return Piece(1 if value.dtype == np.bool_ else value.dtype.itemsize * 8, value=value)


def mixed(
    bits: int, hash_: Array, value: Array | None, where: Array | None, via: str = ""
) -> Piece:
    """A piece that is known where a mask holds.

    Args:
        bits: How wide it is.
        hash_: Where it is not known.
        value: Where it is known.
        where: Where it is known; None for nowhere.
        via: See `Piece`.
    """
    if value is None or where is None or not where.any():
        return Piece(bits, hash_, via=via)
    if where.all():
        return Piece(bits, value=value, via=via)
    return Piece(bits, hash_, value, where, via)


def choose(where: Array, new: Piece, old: Piece) -> Piece:
    """One piece where a mask holds, another elsewhere."""
    via = new.via or old.via
    held = np.where(where, known_where(new), known_where(old))
    value: Array | None
    if new.value is not None and old.value is not None:
        value = np.where(where, new.value, old.value)
    else:
        value = new.value if new.value is not None else old.value
    hash_ = old.hash if new.hash is None else new.hash
    if hash_ is None:
        return Piece(new.bits, value=value, via=via)
    if new.hash is not None and old.hash is not None:
        hash_ = np.where(where, new.hash, old.hash)
    return mixed(new.bits, hash_, value, held, via)


def known_where(piece: Piece) -> Array:
    """Where a piece is known."""
    if piece.known is not None:
        return piece.known
    return np.full((1, 1), piece.hash is None)


@dataclass(frozen=True)
class Symbol:
    """A word.

    Attributes:
        pieces: Lowest first, all of one width.
        taint: A bit for each argument whose content it depends on, by position above bit 0;
            bit 0 for approximate instructions.
    """

    pieces: tuple[Piece, ...]
    taint: int = 0

    @property
    def bits(self) -> int:
        """Width of the word."""
        return len(self.pieces) * self.pieces[0].bits

    @property
    def unit(self) -> int:
        """Width of its pieces."""
        return self.pieces[0].bits

    @property
    def fixed(self) -> bool:
        """Whether it is known in every thread."""
        return all(each.fixed for each in self.pieces)

    def cut(self, unit: int) -> Symbol:
        """The same in pieces that are no wider."""
        if self.unit <= unit:
            return self
        pieces: list[Piece] = []
        for each in self.pieces:
            pieces += halves(each)
        return Symbol(tuple(pieces), self.taint).cut(unit)

    def joined(self, unit: int) -> Symbol:
        """The same in pieces that are no narrower."""
        if self.unit >= unit:
            return self
        pairs = zip(self.pieces[::2], self.pieces[1::2], strict=True)
        return Symbol(tuple(whole(low, high) for low, high in pairs), self.taint).joined(unit)

    def low(self, bits: int) -> Symbol:
        """Its lower part, or it extended by zeros."""
        if bits == self.bits:
            return self
        if bits < self.bits:
            part = self.cut(bits)
            return Symbol(part.pieces[: bits // part.unit], self.taint)
        zero = known(np.zeros((1, 1), WORDS[self.unit]))
        more = (bits - self.bits) // self.unit
        return Symbol((*self.pieces, *[zero] * more), self.taint)

    def one(self) -> Piece:
        """The whole word as one piece."""
        return self.joined(self.bits).pieces[0]


def halves(piece: Piece) -> tuple[Piece, Piece]:
    """The lower and the upper half of a piece."""
    bits = piece.bits // 2
    parts: list[Piece] = []
    hashes: Sequence[Array | None] = (None, None)
    if piece.hash is not None:
        hashes = hashing.split(piece.hash, piece.bits)
    for side in (0, 1):
        value = None
        if piece.value is not None:
            value = (piece.value >> piece.value.dtype.type(side * bits)).astype(WORDS[bits])
        parts.append(Piece(bits, hashes[side], value, piece.known, piece.via))
    return parts[0], parts[1]


WIDEN = hashing.name_hash("cvt.f32.bf16")
"""A half-word above sixteen zeros is that bfloat16 as a float32."""


def whole(low: Piece, high: Piece) -> Piece:
    """A piece out of its halves."""
    bits = low.bits * 2
    dtype = WORDS[bits]
    value = None
    if low.value is not None and high.value is not None:
        value = (high.value.astype(dtype) << dtype.type(low.bits)) | low.value
    if low.fixed and high.fixed:
        return Piece(bits, value=value)
    via = high.via or low.via
    if bits == 32 and low.fixed and low.value is not None and not low.value.any():
        # Known where the upper half is.
        hash_ = hashing.operation(WIDEN, [high.hashed()])
        return mixed(bits, hash_, value, high.known, via)
    hash_ = hashing.join(low.hashed(), high.hashed(), bits)
    return mixed(bits, hash_, value, known_where(low) & known_where(high), via)


def of(value: Array) -> Symbol:
    """A word that is known."""
    return Symbol((known(value),))


IF = hashing.name_hash("if")


def select(condition: Piece, new: Piece, old: Piece) -> Piece:
    """`new` where a predicate holds, `old` where it does not, their hash where it is not known."""
    if condition.hash is None:
        return choose(condition.value, new, old)  # type: ignore[arg-type] # known, so it has bits
    asked, first, second = condition.hashed(), new.hashed(), old.hashed()
    # Of a predicate and its opposite one asks for the other, so that `p ? a : b` is `!p ? b : a`.
    turned = (asked & np.uint64(1)) != 0
    if turned.any():
        asked = np.where(turned, hashing.opposite(asked), asked)
        first, second = np.where(turned, second, first), np.where(turned, first, second)
    joined = hashing.operation(IF, [asked, first, second])
    found = Piece(new.bits, joined, via=new.via or old.via)
    if condition.value is None or condition.known is None:
        return found
    return choose(condition.known, choose(condition.value, new, old), found)


def select_words(condition: Piece, new: Symbol, old: Symbol, taint: int) -> Symbol:
    """`select` of words."""
    unit = min(new.unit, old.unit)
    new, old = new.cut(unit), old.cut(unit)
    pieces = (select(condition, a, b) for a, b in zip(new.pieces, old.pieces, strict=True))
    return Symbol(tuple(pieces), taint | new.taint | old.taint)


def negate(piece: Piece) -> Piece:
    """The opposite of a predicate."""
    if piece.hash is None:
        return Piece(1, value=~piece.value)  # type: ignore[operator] # known, so it has bits
    value = None if piece.value is None else ~piece.value
    hash_ = hashing.opposite(piece.hash)
    return Piece(1, hash_, value, piece.known, piece.via)
