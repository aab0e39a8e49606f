"""Whether the sums of a kernel's SASS are those of its PTX, added up in the same order.

With a line table of the PTX each operation is checked for itself (`matching`); without one, whole
sums are compared by their shapes, which says nothing where ptxas unrolled or dropped some.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from sassay.isa.contraction.matching import Matcher, Stands
from sassay.isa.contraction.ptx_values import IndirectError, PtxValues
from sassay.isa.contraction.reaching import TooLargeError
from sassay.isa.contraction.roles import Role
from sassay.isa.contraction.sass_forms import Does
from sassay.isa.contraction.sass_values import SassValues
from sassay.isa.contraction.trees import (
    PtxTree,
    SassTree,
    canonical,
    is_sum,
    pairing,
    ptx_tree,
    sass_tree,
    spelled,
)
from sassay.isa.sass.tables import operands_for
from sassay.model.artifact import SourceLocation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.isa.attribution import LayerLines
    from sassay.isa.ptx.syntax import PtxFunction
    from sassay.isa.sass.decoded import Decoded


class Order(StrEnum):
    """What became of the order in which the PTX adds and multiplies."""

    KEPT = "kept"
    REASSOCIATED = "re-associated"
    UNKNOWN = "unknown"


class Reassociated(msgspec.Struct, frozen=True):
    """A sum whose terms are added in another order.

    Attributes:
        terms: How many terms it has.
        precision: `f32`, `f64`, `f16` or `bf16`.
        ptx: How the PTX adds them; empty for more than a reader follows.
        sass: How the SASS does, with the same letters.
        location: Source line of its last addition; None where it is not known.
    """

    terms: int
    precision: str
    ptx: str
    sass: str
    location: SourceLocation | None


class Association(msgspec.Struct, frozen=True):
    """What ptxas made of the order of a kernel's sums and products.

    Attributes:
        order: Kept, re-associated or unknown.
        checked: Operations of SASS that compute what the PTX does.
        reassociated: Which sums are added in another order, largest first.
        reasons: Why it is not known, in words.
        by_shape: Whether it rests on the shapes of sums alone.
    """

    order: Order
    checked: int = 0
    reassociated: tuple[Reassociated, ...] = ()
    reasons: tuple[str, ...] = ()
    by_shape: bool = False


_SPELLED = 12
"""Terms of a sum that is spelled out."""
_LEAST = 3
"""Terms of a sum that has more than one order."""
_MOST_ABOVE = 16
"""Sums around an operation that are looked at."""
_MOST_FAILED = 200
"""Operations that may differ for a sum to be looked for in another order."""
_ADDS = frozenset({Does.SUM, Does.FUSED})


def associate(
    function: PtxFunction,
    code: bytes,
    decoded: Decoded,
    arch: str,
    *,
    ptx: LayerLines | None,
    sass: LayerLines | None,
) -> Association:
    """Compare the order of a kernel's sums and products with that of its PTX.

    Args:
        function: The entry.
        code: Its code section.
        decoded: The opcodes of that section.
        arch: Its architecture.
        ptx: Lines of the PTX (`isa.ptx.source_lines`), None without.
        sass: Lines of the SASS (`isa.attribution.sass_lines`), None without.

    Raises:
        FormatError: The body of the entry does not parse.
    """
    operands = operands_for(arch)
    if operands is None:
        return _unknown(f"the operands of {arch} instructions are not known")
    try:
        values = PtxValues(function)
        if not any(values.roles):
            return Association(Order.KEPT)
        machine = SassValues(code, decoded, arch, operands)
        if machine.indirect:
            return _unknown("it calls other functions, or jumps through a table")
        if sass is None or sass.ptx_lines is None:
            return _by_shape(values, machine)
        return _Check(values, machine, sass.ptx_lines.tolist(), ptx).result()
    except IndirectError:
        return _unknown("the PTX branches through a table")
    except TooLargeError:
        return _unknown("its control flow is too large")


def _unknown(*reasons: str) -> Association:
    return Association(Order.UNKNOWN, reasons=reasons)


class _Check:
    """One kernel with a line table of its PTX."""

    def __init__(
        self,
        ptx: PtxValues,
        sass: SassValues,
        lines: Sequence[int],
        places: LayerLines | None,
    ) -> None:
        self._ptx = ptx
        self._sass = sass
        self._places = places
        self._matcher = Matcher(ptx, sass, lines)

    def result(self) -> Association:
        """What became of the order."""
        checked = 0
        failed: dict[int, Stands] = {}
        for place, does in enumerate(self._sass.does):
            if Does.SUM <= does <= Does.FUSED:
                stands = self._matcher.stands(place)
                if stands is Stands.HOLDS:
                    checked += 1
                elif stands in {Stands.OTHER_OPERANDS, Stands.NO_CLAIM}:
                    failed[place] = stands
        if not failed:
            return Association(Order.KEPT, checked)
        found: tuple[Reassociated, ...] = ()
        explained = frozenset[int]()
        if len(failed) <= _MOST_FAILED:
            found, explained = self._reassociated(failed)
        left = {place: stands for place, stands in failed.items() if place not in explained}
        order = Order.REASSOCIATED if found else Order.UNKNOWN if left else Order.KEPT
        return Association(order, checked, found, _reasons(self._sass, left))

    def _reassociated(
        self, failed: dict[int, Stands]
    ) -> tuple[tuple[Reassociated, ...], frozenset[int]]:
        """The sums that are added in another order, and the operations which that explains.

        Of a sum the smallest part is told that has the same terms in both layers.
        """
        found: list[Reassociated] = []
        explained: set[int] = set()
        users = self._users()
        looked: set[int] = set()
        for place in failed:
            if self._sass.does[place] not in _ADDS or place in explained:
                continue
            for root in _above(place, users):
                if root in looked:
                    continue
                looked.add(root)
                pair = self._same_terms(root)
                if pair is not None:
                    given, wanted, numbers = pair
                    explained.update(given.nodes)
                    if canonical(given.shape, numbers) != canonical(wanted.shape, _plain(wanted)):
                        found.append(self._told(given, wanted, numbers))
                    break
        found.sort(key=lambda each: (-each.terms, str(each.location), each.ptx, each.sass))
        return tuple(found), frozenset(explained)

    def _same_terms(self, root: int) -> tuple[SassTree, PtxTree, dict[int, int]] | None:
        """A sum of SASS, the one of the PTX of the same terms, and which term is which."""
        given = sass_tree(self._sass, root)
        if given is None or len(given.terms) < _LEAST:
            return None
        for claim in self._matcher.claim(root):
            wanted = ptx_tree(self._ptx, claim) if self._ptx.adds(claim) else None
            if wanted is None or wanted.precision != given.precision:
                continue
            numbers = pairing(self._matcher, given, wanted)
            if numbers is not None:
                return given, wanted, numbers
        return None

    def _users(self) -> dict[int, list[int]]:
        """For each addition of SASS those that add its result."""
        found: dict[int, list[int]] = {}
        for place, does in enumerate(self._sass.does):
            if does in _ADDS and is_sum(self._sass, place):
                kind, operands, _ = self._matcher.operands(place)
                for writers in operands[2:] if kind == Does.FUSED else operands:
                    for value in writers:
                        found.setdefault(value, []).append(place)
        return found

    def _told(self, given: SassTree, wanted: PtxTree, pairs: dict[int, int]) -> Reassociated:
        chain = self._places.chain(wanted.nodes[0]) if self._places is not None else ()
        location = SourceLocation(chain[0].file, chain[0].line) if chain else None
        short = len(wanted.terms) <= _SPELLED
        return Reassociated(
            len(wanted.terms),
            wanted.precision,
            spelled(wanted.shape) if short else "",
            spelled(given.shape, pairs) if short else "",
            location,
        )


def _above(place: int, users: dict[int, list[int]]) -> list[int]:
    """An addition and those whose sums it is part of, nearest first."""
    found = [place]
    for each in found:
        if len(found) < _MOST_ABOVE:
            found += [user for user in users.get(each, ()) if user not in found]
    return found


def _plain(tree: PtxTree) -> dict[int, int]:
    return {number: number for number in range(len(tree.terms))}


def _reasons(sass: SassValues, failed: dict[int, Stands]) -> tuple[str, ...]:
    counts = Counter(
        (stands, sass.name(place).partition(".")[0]) for place, stands in failed.items()
    )
    words = {
        Stands.OTHER_OPERANDS: "with other operands than the PTX instruction of their line",
        Stands.NO_CLAIM: "on a line of the PTX that has no such arithmetic",
    }
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(f"{count} {head} {words[stands]}" for (stands, head), count in ordered)


def _by_shape(ptx: PtxValues, sass: SassValues) -> Association:
    """Compare the shapes of all whole sums."""
    if any(role == Role.SEQUENCE for role in ptx.roles):
        return _unknown("no line table tells its sums from those within divisions and roots")
    additions = [place for place in range(len(ptx)) if ptx.adds(place)]
    wanted = [tree for place in additions if (tree := ptx_tree(ptx, place)) is not None]
    given = [
        found
        for place, does in enumerate(sass.does)
        if does in _ADDS and is_sum(sass, place) and (found := sass_tree(sass, place)) is not None
    ]
    before, after = _shapes(wanted), _shapes(given)
    if before == after:
        if not after:
            return Association(Order.KEPT, by_shape=True)
        return _unknown(
            f"{sum(after.values())} sums have the shapes that the PTX gives them, but no line "
            "table tells their terms apart"
        )
    if _sizes(before) == _sizes(after):
        moved = tuple(
            Reassociated(terms, precision, "", "", None)
            for (precision, terms, _), count in sorted((after - before).items(), key=repr)
            for _ in range(count)
        )
        return Association(Order.REASSOCIATED, reassociated=moved, by_shape=True)
    return _unknown(
        f"no line table tells which of {sum(before.values())} sums of the PTX the "
        f"{sum(after.values())} of the SASS are"
    )


def _shapes(trees: Sequence[PtxTree] | Sequence[SassTree]) -> Counter[tuple[str, int, str]]:
    """How often there is each shape of a sum that is no part of another."""
    inner = {node for tree in trees for node in tree.nodes[1:]}
    return Counter(
        (tree.precision, len(tree.terms), repr(canonical(tree.shape)))
        for tree in trees
        if tree.nodes[0] not in inner and len(tree.terms) >= _LEAST
    )


def _sizes(shapes: Counter[tuple[str, int, str]]) -> Counter[tuple[str, int]]:
    found: Counter[tuple[str, int]] = Counter()
    for (precision, terms, _), count in shapes.items():
        found[precision, terms] += count
    return found
