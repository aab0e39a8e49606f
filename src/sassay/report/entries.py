"""Families that moved in the same way on several architectures, as one entry.

A wheel holds the same family for seven architectures; seven equal lines say nothing that one
line with seven architectures does not. An entry's row adds up what its rows hold; records that
programs read keep them apart.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from sassay.model.change import SensitiveMove
from sassay.model.layers import Layered
from sassay.report.numbers import delta
from sassay.report.select import (
    Values,
    changes_by_family,
    layers_of,
    row_layer,
    suspects_by_family,
    totals,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sassay.model.change import Change, Diff, FamilyPair, FamilyRow, Suspect

_LISTED = 3


@dataclass(frozen=True)
class Entry:
    """One family on the architectures where it moved alike.

    Attributes:
        rows: Its rows, in the diff's order.
        suspect: The most suspect of them, None where no numerical execution moved.
        suspect_arch: Where that one is.
        changes: Kernels of all of them.
    """

    rows: tuple[FamilyRow, ...]
    suspect: Suspect | None
    suspect_arch: str | None
    changes: tuple[Change, ...]

    @cached_property
    def row(self) -> FamilyRow:
        """Its figures, of all its architectures together; `arch` lists them."""
        return _merged(self.rows) if len(self.rows) > 1 else self.rows[0]

    @property
    def archs(self) -> tuple[str, ...]:
        """Its architectures, in the diff's order."""
        return tuple(row.arch for row in self.rows)

    @property
    def score(self) -> float:
        """How suspect it is; 0 where it is not."""
        return self.suspect.score if self.suspect else 0.0

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """Family and architecture of each of its rows."""
        return tuple((row.family, row.arch) for row in self.rows)


def entries(diff: Diff, rows: Sequence[FamilyRow]) -> tuple[Entry, ...]:
    """The rows with equal ones of one family put together, in the order of the first of each.

    Args:
        diff: Whose suspects and changes belong to the rows.
        rows: Rows of that diff.
    """
    groups: dict[object, list[FamilyRow]] = {}
    for row in rows:
        groups.setdefault(_alike(row), []).append(row)
    suspects = suspects_by_family(diff)
    changes = changes_by_family(diff)
    return tuple(_entry(group, suspects, changes) for group in groups.values())


def ranked(items: Iterable[Entry]) -> list[Entry]:
    """Most suspect first, then as they come."""
    return sorted(items, key=lambda item: -item.score)


def arch_order(arch: str) -> tuple[str, int, str]:
    """Sorts `sm_90` before `sm_100`."""
    kind, _, number = arch.partition("_")
    digits = "".join(char for char in number if char.isdigit())
    return (kind, int(digits) if digits else 0, arch)


def spell_archs(archs: Sequence[str], known: int | None = None) -> str:
    """`sm_80, sm_90`, or `all 7 architectures`, or `sm_75 to sm_90a (5)`.

    Args:
        archs: In order.
        known: How many there are at all.
    """
    if known is not None and len(archs) == known and known > 1:
        return f"all {known} architectures"
    if len(archs) <= _LISTED:
        return ", ".join(archs)
    return f"{archs[0]} to {archs[-1]} ({len(archs)})"


def _alike(row: FamilyRow) -> tuple[object, ...]:
    moved = delta(totals(row, row_layer(row))) or 0
    return (
        row.family,
        row.status,
        tuple(pair.status for pair in row.pairs),
        layers_of(row),
        (moved > 0) - (moved < 0),
    )


def _entry(
    rows: Sequence[FamilyRow],
    suspects: Mapping[tuple[str, str], Suspect],
    changes: Mapping[tuple[str, str], list[Change]],
) -> Entry:
    keys = [(row.family, row.arch) for row in rows]
    found = [suspects[key] for key in keys if key in suspects]
    worst = max(found, key=lambda item: item.score) if found else None
    suspect = worst
    if worst is not None and len(found) > 1:
        suspect = msgspec.structs.replace(worst, moves=_moves(found))
    return Entry(
        rows=tuple(rows),
        suspect=suspect,
        suspect_arch=worst.arch if worst else None,
        changes=tuple(change for key in keys for change in changes.get(key, ())),
    )


def _moves(found: Sequence[Suspect]) -> tuple[SensitiveMove, ...]:
    """The moves of all architectures, in the order of the first that has each."""
    counts: dict[tuple[str, str, str], Values] = {}
    for suspect in found:
        for move in suspect.moves:
            key = (move.layer, move.opcode, move.kind)
            counts[key] = _add(counts.get(key), move.counts)
    return tuple(SensitiveMove(*key, values) for key, values in counts.items())


def _merged(rows: Sequence[FamilyRow]) -> FamilyRow:
    kernels = tuple(map(sum, zip(*(row.kernels for row in rows), strict=True)))
    instructions = Layered(
        ptx=_sum([row.instructions.ptx for row in rows]),
        sass=_sum([row.instructions.sass for row in rows]),
    )
    categories = Layered(
        ptx=_sums([row.categories.ptx for row in rows]),
        sass=_sums([row.categories.sass for row in rows]),
    )
    return msgspec.structs.replace(
        rows[0],
        arch=", ".join(row.arch for row in rows),
        kernels=kernels,
        code_bytes=_sum([row.code_bytes for row in rows]) or (),
        instructions=instructions,
        per_kernel=Layered(
            ptx=_averages(instructions.ptx, kernels), sass=_averages(instructions.sass, kernels)
        ),
        categories=categories,
        opcodes=Layered(
            ptx=_sums([row.opcodes.ptx for row in rows]),
            sass=_sums([row.opcodes.sass for row in rows]),
        ),
        resources=_largest([row.resources for row in rows]),
        pairs=tuple(_pair(parts) for parts in zip(*(row.pairs for row in rows), strict=True)),
        per_kernel_categories=Layered(
            ptx=_average_tables(categories.ptx, kernels),
            sass=_average_tables(categories.sass, kernels),
        ),
    )


def _pair(parts: Sequence[FamilyPair]) -> FamilyPair:
    return msgspec.structs.replace(
        parts[0],
        compared=sum(part.compared for part in parts),
        unchanged=sum(part.unchanged for part in parts),
        changed=sum(part.changed for part in parts),
        added=sum(part.added for part in parts),
        removed=sum(part.removed for part in parts),
    )


def _add(one: Values | None, other: Values) -> Values:
    if one is None:
        return other
    return tuple(None if a is None or b is None else a + b for a, b in zip(one, other, strict=True))


def _sum(parts: Iterable[Values | None]) -> Values | None:
    total: Values | None = None
    for part in parts:
        if part is not None:
            total = _add(total, part)
    return total


def _sums(tables: Iterable[Mapping[str, Values] | None]) -> dict[str, Values] | None:
    """Totals by name. A name that one row lacks counts nothing there."""
    out: defaultdict[str, list[Values]] = defaultdict(list)
    known = [table for table in tables if table is not None]
    for table in known:
        for name, values in table.items():
            out[name].append(values)
    if not known:
        return None
    return {name: _sum(out[name]) or () for name in sorted(out)}


def _largest(tables: Sequence[Mapping[str, Values]]) -> dict[str, Values]:
    names = sorted({name for table in tables for name in table})
    out: dict[str, Values] = {}
    for name in names:
        columns = zip(*(table[name] for table in tables if name in table), strict=True)
        out[name] = tuple(
            max((value for value in column if value is not None), default=None)
            for column in columns
        )
    return out


def _averages(values: Values | None, kernels: Sequence[int]) -> tuple[float | None, ...] | None:
    if values is None:
        return None
    return tuple(
        round(value / count, 2) if value is not None and count else None
        for value, count in zip(values, kernels, strict=True)
    )


def _average_tables(
    tables: Mapping[str, Values] | None, kernels: Sequence[int]
) -> dict[str, tuple[float | None, ...]] | None:
    if tables is None:
        return None
    return {name: _averages(values, kernels) or () for name, values in tables.items()}
