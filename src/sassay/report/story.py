"""What appeared, vanished and changed, pair by pair and by name: the first thing a reader asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sassay.model.change import FamilyStatus
from sassay.model.layers import UNCHANGED_TIERS
from sassay.report.entries import arch_order, spell_archs
from sassay.report.names import elide, label, plain
from sassay.report.numbers import ARROW, plural
from sassay.report.select import tier_counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.model.change import Diff, FamilyPair, FamilyRow, Pair

_NAME = 64
_QUIET = {tier.value for tier in UNCHANGED_TIERS}


@dataclass(frozen=True)
class Family:
    """One family in one pair of states.

    Attributes:
        name: The family, plain and short enough for a list.
        family: The family as it is.
        archs: Where it moved so.
        note: `2 kernels`, `2 → 4 kernels on sm_100`; empty where there is nothing to add.
    """

    name: str
    family: str
    archs: tuple[str, ...]
    note: str

    @property
    def text(self) -> str:
        """The name and its note."""
        return f"{self.name} ({self.note})" if self.note else self.name


@dataclass(frozen=True)
class Chapter:
    """One pair of states.

    Attributes:
        title: `base → pr`.
        kernels: What became of the kernels, in a sentence.
        families: By status, in the order of `FamilyStatus`; unchanged ones are left out.
        quiet: How many families did not change on some architecture.
        built: Architectures that one side alone is built for, in sentences; their families are
            in no list.
    """

    title: str
    kernels: str
    families: tuple[tuple[str, tuple[Family, ...]], ...]
    quiet: int
    built: tuple[str, ...] = ()


def story(diff: Diff) -> tuple[Chapter, ...]:
    """One chapter a pair of states, in the diff's order."""
    order = {(item.family, item.arch): rank for rank, item in enumerate(diff.suspects)}
    rows = sorted(diff.families, key=lambda row: order.get((row.family, row.arch), len(order)))
    archs = len({row.arch for row in diff.families})
    return tuple(_chapter(diff, rows, index, archs) for index in range(len(diff.pairs)))


def kernels_sentence(pair: Pair) -> str:
    """`56 kernels compared: 54 unchanged, 2 changed (2 recomposed); 3 added`."""
    tiers = tier_counts(pair)
    quiet = [f"{number:,} {tier}" for tier, number in tiers if tier in _QUIET]
    loud = [f"{number:,} {tier}" for tier, number in reversed(tiers) if tier not in _QUIET]
    parts = []
    if pair.compared and not pair.changed:
        same = f" ({', '.join(quiet)})" if len(quiet) > 1 else ""
        parts.append(f"all {plural(pair.compared, 'kernel')} compared are unchanged{same}")
    elif pair.compared:
        same = f" ({', '.join(quiet)})" if len(quiet) > 1 else ""
        how = f" ({', '.join(loud)})" if loud else ""
        if len(loud) == 1:
            how = f" ({loud[0].partition(' ')[2]})"
        parts.append(
            f"{plural(pair.compared, 'kernel')} compared: "
            f"{pair.unchanged:,} unchanged{same}, {pair.changed:,} changed{how}"
        )
    else:
        parts.append("no kernel in common")
    for number, word in ((pair.added, "added"), (pair.removed, "removed")):
        if number:
            parts.append(f"{number:,} {word}")
    return ", ".join(parts)


def _chapter(diff: Diff, rows: Sequence[FamilyRow], index: int, archs: int) -> Chapter:
    pair = diff.pairs[index]
    parts = [(row, row.pairs[index]) for row in rows if index < len(row.pairs)]
    held = [(row, part) for row, part in parts if part.compared + part.added + part.removed]
    before = {row.arch for row, part in held if part.compared + part.removed}
    after = {row.arch for row, part in held if part.compared + part.added}
    found: dict[tuple[FamilyStatus, str], list[tuple[str, FamilyPair]]] = {}
    quiet = set()
    for row, part in held:
        if part.status is FamilyStatus.UNCHANGED:
            quiet.add(row.family)
        elif row.arch in before and row.arch in after:
            found.setdefault((part.status, row.family), []).append((row.arch, part))
    grouped = []
    for status in FamilyStatus:
        names = tuple(
            _family(status, family, parts_, archs)
            for (one, family), parts_ in found.items()
            if one is status
        )
        if names:
            grouped.append((status.value, names))
    return Chapter(
        title=f"{label(pair.before)}{ARROW}{label(pair.after)}",
        kernels=kernels_sentence(pair),
        families=tuple(grouped),
        quiet=len(quiet),
        built=tuple(
            line
            for line in (
                _built(held, after - before, f"only {label(pair.after)} is built for"),
                _built(held, before - after, f"only {label(pair.before)} is built for"),
            )
            if line
        ),
    )


def _built(held: Sequence[tuple[FamilyRow, FamilyPair]], archs: set[str], words: str) -> str | None:
    """`only b is built for sm_100, sm_120: 409 kernels of 17 families`."""
    if not archs or len(archs) == len({row.arch for row, _ in held}):
        return None
    there = [(row, part) for row, part in held if row.arch in archs]
    kernels = sum(part.added + part.removed for _, part in there)
    families = len({row.family for row, _ in there})
    return (
        f"{words} {spell_archs(sorted(archs, key=arch_order))}: "
        f"{plural(kernels, 'kernel')} of {plural(families, 'family', 'families')}"
    )


def _family(
    status: FamilyStatus, family: str, parts: Sequence[tuple[str, FamilyPair]], archs: int
) -> Family:
    before = sum(part.compared + part.removed for _, part in parts)
    after = sum(part.compared + part.added for _, part in parts)
    changed = sum(part.changed for _, part in parts)
    notes = []
    if status in {FamilyStatus.EXPANDED, FamilyStatus.SHRUNK}:
        notes.append(f"{before:,}{ARROW}{after:,} kernels")
    elif status is FamilyStatus.CHANGED and after > changed:
        notes.append(f"{changed:,} of {after:,} kernels")
    elif max(before, after) > 1:
        notes.append(plural(max(before, after), "kernel"))
    held = tuple(sorted((arch for arch, _ in parts), key=arch_order))
    if archs > 1:
        notes.append(f"on {spell_archs(held, archs)}")
    return Family(elide(plain(family), _NAME), family, held, " ".join(notes))
