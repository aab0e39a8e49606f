"""Whole sums as trees, of PTX and of SASS: their terms, their shape, and which are the same terms.

A tree's inner nodes are additions of one type; its terms are anything else. A fused multiply-add is
an addition one of whose terms is a product. An accumulator that comes around a loop is a term.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sassay.isa.contraction.reaching import ENTRY
from sassay.isa.contraction.roles import Role
from sassay.isa.contraction.sass_forms import Does
from sassay.isa.contraction.sass_values import Writers

if TYPE_CHECKING:
    from sassay.isa.contraction.matching import Matcher
    from sassay.isa.contraction.ptx_values import PtxValues
    from sassay.isa.contraction.sass_values import SassValues

MAX_TERMS = 128
"""Sums with more are not compared as a whole."""

Shape = tuple["Shape", ...] | int
"""The number of a term, or the two parts of an addition."""

_PRECISIONS = {"F": "f32", "U": "f32", "D": "f64", "H": "f16"}


class SassTerm(msgspec.Struct, frozen=True):
    """The writers of a term, or of both factors of a product."""

    values: tuple[Writers, ...]


class PtxTerm(msgspec.Struct, frozen=True):
    """The PTX instruction that has the term as an operand, and which operand that is.

    Attributes:
        place: The instruction.
        operands: One operand, or the two factors of a fused multiply-add.
    """

    place: int
    operands: tuple[int, ...]


class SassTree(msgspec.Struct, frozen=True):
    """A sum of SASS; `nodes` are its additions, the root first."""

    precision: str
    shape: Shape
    terms: tuple[SassTerm, ...]
    nodes: tuple[int, ...]


class PtxTree(msgspec.Struct, frozen=True):
    """A sum of PTX."""

    precision: str
    shape: Shape
    terms: tuple[PtxTerm, ...]
    nodes: tuple[int, ...]


def precision_of(name: str) -> str:
    """The type of a sum of SASS."""
    if name.startswith("H"):
        return "bf16" if "BF16" in name else "f16"
    return _PRECISIONS[name[0]]


def is_sum(sass: SassValues, place: int) -> bool:
    """Whether an instruction of SASS adds at all."""
    if sass.does[place] not in {Does.SUM, Does.FUSED}:
        return False
    does, _, moved = sass.operands(place)
    return moved is None and does != Does.PRODUCT


def sass_tree(sass: SassValues, root: int) -> SassTree | None:
    """The whole sum that an addition ends; None where it is too large."""
    precision = precision_of(sass.name(root))
    terms: list[SassTerm] = []
    nodes: list[int] = []

    def part(writers: Writers, depth: int) -> Shape:
        alone = [each for each in writers if each != ENTRY]
        if len(alone) == 1 and alone[0] >= 0 and depth < MAX_TERMS:
            value = _unmoved(sass, alone[0])
            if (
                sass.does[value] in {Does.SUM, Does.FUSED}
                and precision_of(sass.name(value)) == precision
                and is_sum(sass, value)
                and len(nodes) < MAX_TERMS
            ):
                return node(value, depth + 1)
        return term(SassTerm((writers,)))

    def term(each: SassTerm) -> int:
        terms.append(each)
        return len(terms) - 1

    def node(place: int, depth: int) -> Shape:
        nodes.append(place)
        does, operands, _ = sass.operands(place)
        if does == Does.FUSED:
            return term(SassTerm(tuple(operands[:2]))), part(operands[2], depth)
        return part(operands[0], depth), part(operands[1], depth)

    shape = node(root, 0)
    return (
        SassTree(precision, shape, tuple(terms), tuple(nodes)) if len(terms) < MAX_TERMS else None
    )


def _unmoved(sass: SassValues, value: int) -> int:
    for _ in range(MAX_TERMS):
        if not sass.name(value).startswith(("MOV", "UMOV", "IMAD.MOV")):
            break
        moved = [each for each in sass.moved(value) if each != ENTRY]
        if len(moved) != 1 or moved[0] < 0:
            break
        value = moved[0]
    return value


def ptx_tree(ptx: PtxValues, root: int) -> PtxTree | None:
    """The whole sum that an addition ends; None where it is too large."""
    kind = ptx.kinds[root]
    terms: list[PtxTerm] = []
    nodes: list[int] = []

    def part(place: int, operand: int, writers: tuple[int, ...], depth: int) -> Shape:
        if len(writers) == 1 and writers[0] >= 0 and depth < MAX_TERMS:
            value = ptx.unmoved(writers[0])
            if ptx.adds(value) and ptx.kinds[value] == kind and len(nodes) < MAX_TERMS:
                return node(value, depth + 1)
        return term(PtxTerm(place, (operand,)))

    def term(each: PtxTerm) -> int:
        terms.append(each)
        return len(terms) - 1

    def node(place: int, depth: int) -> Shape:
        nodes.append(place)
        direct = ptx.direct(place)
        if ptx.roles[place] == Role.FUSED:
            return term(PtxTerm(place, (0, 1))), part(place, 2, direct[2], depth)
        return part(place, 0, direct[0], depth), part(place, 1, direct[1], depth)

    shape = node(root, 0)
    precision = kind.partition(".")[0]
    return PtxTree(precision, shape, tuple(terms), tuple(nodes)) if len(terms) < MAX_TERMS else None


def pairing(matcher: Matcher, sass: SassTree, ptx: PtxTree) -> dict[int, int] | None:
    """For each term of a SASS sum the term of a PTX sum that it is; None where not all are."""
    if len(sass.terms) != len(ptx.terms):
        return None
    likely: list[list[int]] = []
    for given in sass.terms:
        found = [at for at, each in enumerate(ptx.terms) if matcher.is_term(given.values, each)]
        if not found:
            return None
        likely.append(found)
    owner: dict[int, int] = {}

    def place(term: int, tried: set[int]) -> bool:
        for at in likely[term]:
            if at not in tried:
                tried.add(at)
                if at not in owner or place(owner[at], tried):
                    owner[at] = term
                    return True
        return False

    if not all(place(term, set()) for term in range(len(sass.terms))):
        return None
    return {term: at for at, term in owner.items()}


def canonical(shape: Shape, numbers: dict[int, int] | None = None) -> object:
    """A shape in which the order of the two parts of an addition does not count.

    Args:
        shape: Any.
        numbers: Another number for each term; None makes all terms alike.
    """
    if isinstance(shape, int):
        return -1 if numbers is None else numbers[shape]
    return tuple(sorted((canonical(each, numbers) for each in shape), key=repr))


def spelled(shape: Shape, numbers: dict[int, int] | None = None) -> str:
    """A shape as a formula: `(a + b) + c`."""
    if isinstance(shape, int):
        number = shape if numbers is None else numbers[shape]
        return chr(ord("a") + number) if number < _LETTERS else f"t{number}"
    parts = []
    for each in sorted(shape, key=lambda part: _first(part, numbers)):
        text = spelled(each, numbers)
        parts.append(text if isinstance(each, int) else f"({text})")
    return " + ".join(parts)


def _first(shape: Shape, numbers: dict[int, int] | None) -> int:
    if isinstance(shape, int):
        return shape if numbers is None else numbers[shape]
    return min(_first(each, numbers) for each in shape)


_LETTERS = 26
