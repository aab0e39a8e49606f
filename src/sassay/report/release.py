"""Tables for release managers, in words: libraries, architectures, largest movers, coverage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sassay.report.numbers import count, plural, series, signed, size

if TYPE_CHECKING:
    from sassay.model.library import ArchRow, Coverage, CoveragePattern, LibraryReport, LibraryRow
    from sassay.report.bundle import Report

MOVERS = 10
ROWS = 40
_TIERS = ("launch", "renamed", "reordered", "recomposed", "unknown")
_HELD = "\u25cf"
_NOT_HELD = "\u00b7"


@dataclass(frozen=True)
class Grid:
    """A table as any format lays it out; the first `left` columns are text, the rest figures.

    Attributes:
        title: What it is.
        note: Of what kind of figures, or what was left out above it.
        heads: Of the columns.
        rows: Cells.
        more: Said below it; empty where it is whole.
        left: How many columns are text.
        grouped: Whether rows that share their first cell follow each other under it.
    """

    title: str
    note: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: str
    left: int = 1
    grouped: bool = False


def release_grids(report: LibraryReport, *, everything: bool, limit: int | None) -> list[Grid]:
    """Libraries, architectures and movers of a diff; none without libraries.

    Args:
        report: Of the diff.
        everything: Also libraries that did not change, and all movers.
        limit: Rows a table; None: what fits a screen.
    """
    if not report.libraries:
        return []
    grids = [_libraries(report.libraries, everything=everything, limit=limit or ROWS)]
    if len(report.archs) > 1:
        grids.append(_archs(report.archs))
    if report.movers:
        grids.append(_movers(report, len(report.movers) if everything else limit or MOVERS))
    return grids


def _libraries(rows: tuple[LibraryRow, ...], *, everything: bool, limit: int) -> Grid:
    moved = [row for row in rows if everything or row.changed or row.added or row.removed]
    shown = moved if everything else moved[:limit]
    quiet = [row for row in rows if row not in moved]
    notes = []
    if len(moved) > len(shown):
        notes.append(f"{plural(len(moved) - len(shown), 'more row')}: --all shows them")
    if quiet:
        held = sum(row.kernels[1] for row in quiet)
        names = {row.library for row in quiet}
        notes.append(
            f"{plural(len(quiet), 'row')} of {plural(len(names), 'library', 'libraries')} without "
            f"a change left out ({plural(held, 'kernel')})"
        )
    return Grid(
        title="Libraries",
        note="kernels and code, before and after",
        heads=("library", "arch", "kernels", "code", "unchanged", "changed", "added", "removed"),
        rows=tuple(
            (
                row.library or "(the input itself)",
                row.arch,
                series(row.kernels),
                _sizes(row.code_bytes),
                count(row.unchanged),
                changed_text(row),
                _or_none(row.added, "+"),
                _or_none(row.removed, "-"),
            )
            for row in shown
        ),
        more="; ".join(notes),
        left=2,
        grouped=True,
    )


def changed_text(row: LibraryRow) -> str:
    """`12 recomposed, 3 renamed`; `-` for none."""
    order = [*reversed(_TIERS)]
    tiers = sorted(
        row.tiers, key=lambda tier: (order.index(tier) if tier in order else len(order), tier)
    )
    return ", ".join(f"{count(row.tiers[tier])} {tier}" for tier in tiers) or "-"


def _or_none(number: int, sign: str) -> str:
    return f"{sign}{count(number)}" if number else "-"


def _sizes(values: tuple[int, ...]) -> str:
    """Sizes before and after; what rounds alike and differs says by how much."""
    text = series(values, size)
    moved = values[-1] - values[0]
    return f"{text} ({size_delta(moved)})" if moved else text


def size_delta(moved: int) -> str:
    """Bytes with their sign."""
    return f"{'+' if moved > 0 else '-'}{size(abs(moved))}" if moved else "0 B"


def _archs(rows: tuple[ArchRow, ...]) -> Grid:
    return Grid(
        title="Architectures",
        note="families, kernels and code of each state",
        heads=("arch", "families", "kernels", "code"),
        rows=tuple(
            (row.arch, series(row.families), series(row.kernels), _sizes(row.code_bytes))
            for row in rows
        ),
        more="",
    )


def _movers(report: LibraryReport, limit: int) -> Grid:
    shown = report.movers[:limit]
    left = len(report.movers) - len(shown)
    return Grid(
        title="Largest movers",
        note="families by the bytes of code that they moved",
        heads=("family", "arch", "tier", "code", "kernels", "changed"),
        rows=tuple(
            (
                row.family,
                row.arch,
                row.tier or "-",
                _sizes(row.code_bytes),
                _counts(row.kernels),
                _or_none(row.changed, ""),
            )
            for row in shown
        ),
        more=f"{plural(left, 'more family', 'more families')}: --all shows them" if left else "",
        left=3,
    )


def _counts(values: tuple[int, int]) -> str:
    moved = values[1] - values[0]
    return f"{series(values)} ({signed(moved)})" if moved else series(values)


def report_grids(report: Report) -> list[Grid]:
    """All of these tables that a report has, for a document without a limit of its own."""
    options = report.options
    everything = options.all or options.rendering == "full"
    grids = []
    if report.diff is not None:
        grids = release_grids(report.diff.libraries, everything=everything, limit=options.limit)
    if report.coverage is not None:
        whole = everything or report.coverage_alone
        grid = coverage_grid(report.coverage, everything=whole, limit=options.limit)
        grids += [grid] if grid is not None else []
    return grids


def coverage_grid(coverage: Coverage, *, everything: bool, limit: int | None) -> Grid | None:
    """Families by the architectures that they exist for; None where all exist for the only one.

    Args:
        coverage: Of a state.
        everything: A row a family instead of a row a pattern.
        limit: Rows; None: what fits a screen.
    """
    archs = (*coverage.archs, *coverage.ptx)
    if len(archs) < 2:
        return None
    rows = [
        (name, *_marks(pattern, archs, everything=everything))
        for pattern in coverage.patterns
        for name in (pattern.families if everything else (_named(pattern),))
    ]
    shown = rows if everything else rows[: limit or ROWS]
    left = len(rows) - len(shown)
    return Grid(
        title="Coverage",
        note="kernels by architecture of the families that exist for the same ones"
        if not everything
        else "which family exists for which architecture",
        heads=("families", *archs),
        rows=tuple(shown),
        more=f"{plural(left, 'more pattern')}: --all lists every family" if left else "",
    )


def _marks(
    pattern: CoveragePattern, archs: tuple[str, ...], *, everything: bool
) -> tuple[str, ...]:
    held = {*pattern.archs, *pattern.ptx}
    return tuple(
        (_HELD if everything else count(pattern.kernels[arch])) if arch in held else _NOT_HELD
        for arch in archs
    )


def _named(pattern: CoveragePattern) -> str:
    first, *others = pattern.families
    return f"{first} and {count(len(others))} more" if others else first
