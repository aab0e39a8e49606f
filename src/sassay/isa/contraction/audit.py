"""Compares the multiply-adds of a kernel's SASS with the arithmetic of the PTX it was made from.

An instruction of SASS is traced to the PTX instruction that it stands for by the line table that
ptxas writes beside the source's (`.nv_debug_line_sass`), else to the PTX instructions of its source
line, else to the whole kernel. Unrolling and duplication change counts, never where an instruction
comes from, so nothing here rests on counts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from sassay.isa.attribution import NOWHERE
from sassay.isa.contraction.roles import (
    Role,
    multiplies_and_adds,
    ptx_role,
    sass_kind,
    sass_part,
)
from sassay.model.artifact import SourceLocation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.isa.attribution import LayerLines
    from sassay.isa.ptx.syntax import PtxFunction
    from sassay.isa.sass.decoded import Decoded

_WORD_BYTES = 16
_PAIR = int(Role.PRODUCT | Role.SUM)
_FUSED, _PINNED, _SEQUENCE = int(Role.FUSED), int(Role.PINNED), int(Role.SEQUENCE)
_MADE = _FUSED | _SEQUENCE


class Contracted(StrEnum):
    """What became of the products and sums that the PTX keeps apart.

    `PINNED`: each carries a rounding modifier, so that none may be contracted. `AS_WRITTEN`: ptxas
    might have fused some (or the PTX has none), and did not.
    """

    FUSED = "fused"
    AS_WRITTEN = "as written"
    PINNED = "pinned"
    UNKNOWN = "unknown"


class Basis(StrEnum):
    """What an answer rests on, strongest first."""

    PTX_LINES = "the PTX line of each instruction"
    SOURCE_LINES = "the source line of each instruction"
    WHOLE = "the instructions of the whole kernel"


class Fused(msgspec.Struct, frozen=True):
    """Multiply-adds of SASS that no PTX instruction asks for.

    Attributes:
        ptx: Opcode of the PTX instruction that they stand for; empty where only its source line
            is known.
        sass: Their opcode.
        count: How many.
        instructions: How many PTX instructions they stand for; 0 where that is not known.
        location: The source line, innermost; None where it is not known.
    """

    ptx: str
    sass: str
    count: int
    instructions: int
    location: SourceLocation | None


class Audit(msgspec.Struct, frozen=True):
    """What ptxas made of a kernel's floating-point products and sums.

    Attributes:
        contracted: Whether any were fused.
        basis: What that rests on.
        fused: Which ones, most first.
        split: Fused multiply-adds of the PTX that became a product and a sum, by opcode.
        may: Products and sums without a rounding modifier, which ptxas may contract, by opcode.
        pinned: Products and sums with one, by opcode.
        written: Fused multiply-adds that the PTX itself asks for, by opcode.
        undecided: Multiply-adds of SASS that may be either, by opcode.
    """

    contracted: Contracted
    basis: Basis
    fused: tuple[Fused, ...] = ()
    split: Mapping[str, int] = {}
    may: Mapping[str, int] = {}
    pinned: Mapping[str, int] = {}
    written: Mapping[str, int] = {}
    undecided: Mapping[str, int] = {}


def audit(
    function: PtxFunction,
    code: bytes,
    decoded: Decoded,
    *,
    ptx: LayerLines | None,
    sass: LayerLines | None,
) -> Audit:
    """Compare a kernel's SASS with its PTX.

    Args:
        function: The entry.
        code: Its code section.
        decoded: The opcodes of that section.
        ptx: Lines of the PTX (`isa.ptx.source_lines`), None without.
        sass: Lines of the SASS (`isa.attribution.sass_lines`), None without.

    Raises:
        FormatError: The body of the entry does not parse.
    """
    opcodes = [each.opcode for each in function.instructions]
    roles = [ptx_role(opcode) for opcode in opcodes]
    groups = _groups(function, ptx, sass, len(decoded.opcodes))
    tally = _sort(_multiply_adds(code, decoded), decoded, roles, groups)
    split = _split(decoded, opcodes, roles, groups)
    may = _count(opcodes, roles, _PAIR)
    pinned = _count(opcodes, roles, _PINNED)
    contracted = Contracted.AS_WRITTEN
    if tally.fused or split:
        contracted = Contracted.FUSED
    elif tally.undecided:
        contracted = Contracted.UNKNOWN
    elif pinned and not may:
        contracted = Contracted.PINNED
    return Audit(
        contracted=contracted,
        basis=groups.basis,
        fused=_fused(tally.fused, opcodes, groups, ptx),
        split=split,
        may=may,
        pinned=pinned,
        written=_count(opcodes, roles, _FUSED),
        undecided=dict(sorted(tally.undecided.items())),
    )


class _Groups(msgspec.Struct, frozen=True):
    """PTX and SASS instructions that come from the same place have the same number."""

    basis: Basis
    ptx: NDArray[np.int64]
    sass: NDArray[np.int64]


class _Tally(msgspec.Struct, frozen=True):
    fused: Counter[tuple[int, str]]
    undecided: Counter[str]


def _groups(
    function: PtxFunction, ptx: LayerLines | None, sass: LayerLines | None, count: int
) -> _Groups:
    if sass is not None and sass.ptx_lines is not None:
        lines = np.array([each.line for each in function.instructions], np.int64)
        return _Groups(Basis.PTX_LINES, lines, sass.ptx_lines.astype(np.int64))
    if ptx is not None and sass is not None and (sass.sites != NOWHERE).any():
        numbers = {chain: number for number, chain in enumerate(ptx.chains)}
        # The last place stands for NOWHERE.
        table = [*(numbers.get(chain, NOWHERE) for chain in sass.chains), NOWHERE]
        sites = np.array(table, np.int64)[sass.sites]
        return _Groups(Basis.SOURCE_LINES, ptx.sites.astype(np.int64), sites)
    size = len(function.instructions)
    return _Groups(Basis.WHOLE, np.zeros(size, np.int64), np.zeros(count, np.int64))


def _multiply_adds(code: bytes, decoded: Decoded) -> dict[str, NDArray[np.int64]]:
    """Places of the multiply-adds in a section, by kind."""
    kinds = [sass_kind(name) for name in decoded.names]
    words = np.frombuffer(code[: len(code) // _WORD_BYTES * _WORD_BYTES], "<u8").reshape(-1, 2)
    found = {}
    for kind in sorted(set(kinds) - {""}):
        numbers = [number for number, each in enumerate(kinds) if each == kind]
        places = np.flatnonzero(np.isin(decoded.opcodes, numbers))
        if places.size:
            places = places[multiplies_and_adds(words[places], kind)]
        if places.size:
            found[kind] = places
    return found


def _sort(
    found: Mapping[str, NDArray[np.int64]],
    decoded: Decoded,
    roles: Sequence[tuple[str, int]],
    groups: _Groups,
) -> _Tally:
    """Which multiply-adds the PTX does not ask for, and which may be either."""
    whole: dict[str, int] = defaultdict(int)
    local: dict[tuple[str, int], int] = defaultdict(int)
    for (kind, role), group in zip(roles, groups.ptx.tolist(), strict=True):
        whole[kind] |= role
        local[kind, group] |= role
    tally = _Tally(Counter(), Counter())
    by_line = groups.basis is Basis.PTX_LINES
    for kind, places in found.items():
        if whole[kind] & _PAIR != _PAIR:
            continue
        for place in places.tolist():
            opcode, group = decoded.names[decoded.opcodes[place]], int(groups.sass[place])
            role = local[kind, group]
            if not whole[kind] & _MADE or (role & _PAIR and not role & _MADE):
                tally.fused[group, opcode] += 1
            elif role & _MADE:
                # The line of one PTX instruction settles it, a source line may hold several.
                if role & _PAIR and not by_line:
                    tally.undecided[opcode] += 1
            elif not (by_line and whole[kind] & _SEQUENCE):
                # The slow path of a division is a subroutine, which ends on the line of `ret`.
                tally.undecided[opcode] += 1
    return tally


def _split(
    decoded: Decoded, opcodes: Sequence[str], roles: Sequence[tuple[str, int]], groups: _Groups
) -> dict[str, int]:
    """Fused multiply-adds of the PTX whose line holds a product and a sum of SASS instead."""
    if groups.basis is not Basis.PTX_LINES:
        return {}
    parts = np.array([sass_part(name) for name in decoded.names], np.int8)[decoded.opcodes]
    lines: dict[int, int] = defaultdict(int)
    counted = parts != 0
    for part, line in zip(parts[counted].tolist(), groups.sass[counted].tolist(), strict=True):
        lines[line] |= part
    found = Counter(
        opcode
        for opcode, (_, role), group in zip(opcodes, roles, groups.ptx.tolist(), strict=True)
        if role == _FUSED and lines.get(group) == _PAIR
    )
    return dict(sorted(found.items()))


def _fused(
    found: Counter[tuple[int, str]],
    opcodes: Sequence[str],
    groups: _Groups,
    ptx: LayerLines | None,
) -> tuple[Fused, ...]:
    first: dict[int, int] = {}
    for number, line in enumerate(groups.ptx.tolist()):
        first.setdefault(line, number)
    counts: Counter[tuple[str, str, SourceLocation | None]] = Counter()
    lines: Counter[tuple[str, str, SourceLocation | None]] = Counter()
    for (group, sass), count in found.items():
        place = first.get(group)
        opcode, location = "", None
        if place is not None and groups.basis is not Basis.WHOLE:
            chain = ptx.chain(place) if ptx is not None else ()
            location = SourceLocation(chain[0].file, chain[0].line) if chain else None
            opcode = opcodes[place] if groups.basis is Basis.PTX_LINES else ""
        counts[opcode, sass, location] += count
        lines[opcode, sass, location] += bool(opcode)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    return tuple(Fused(key[0], key[1], count, lines[key], key[2]) for key, count in ordered)


def _count(opcodes: Sequence[str], roles: Sequence[tuple[str, int]], wanted: int) -> dict[str, int]:
    found = Counter(
        opcode for opcode, (_, role) in zip(opcodes, roles, strict=True) if role & wanted
    )
    return dict(sorted(found.items()))
