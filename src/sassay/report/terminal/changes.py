"""Kernels that changed, below their family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.report.names import cells, label, location_text
from sassay.report.numbers import ARROW, plural, scalar, signed
from sassay.report.select import STATUS_MARK, left_out
from sassay.report.terminal.page import STYLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sassay.model.change import Change
    from sassay.report.bundle import ReportOptions
    from sassay.report.terminal.page import Page

_KERNELS = 4
_DELTAS = 8


def changes(page: Page, items: Sequence[Change], options: ReportOptions) -> None:
    """One line a kernel (pair, ids, tier, specialization), one below for what moved.

    Args:
        page: Where to write.
        items: Changes of one family, in the diff's order.
        options: Row limits.
    """
    full = options.rendering == "full"
    limit = len(items) if options.all else options.limit or _KERNELS
    pair = None
    for change in items[:limit]:
        if change.pair != pair:
            pair = change.pair
            page.line((f"{label(pair[0])}{ARROW}{label(pair[1])}", "dim"), indent=4)
        _change(page, change, full=full)
    rest = left_out(limit, len(items), "kernels of this family", "--all shows them")
    if rest:
        page.line((rest, "dim"), indent=6)


def _change(page: Page, change: Change, *, full: bool) -> None:
    ids = ARROW.join(dict.fromkeys(one for one in (change.before, change.after) if one))
    what = change.specialization or (change.name if change.name != change.family else "")
    head = f"{STATUS_MARK[change.status.value]} {change.status.value:<9}"
    tier = _tiers(change)
    room = page.width - 6 - cells(head) - len(ids) - cells(tier) - 4
    page.line(
        (head, STYLES[change.status.value]),
        (ids, "dim"),
        (f"  {tier}" if tier else ""),
        (f"  {what}" if what and room > 16 else "", ""),
        indent=6,
    )
    if change.before and change.after:
        moved = _deltas(change, full=full)
        if moved:
            page.items(moved, indent=8)
    for note in change.notes:
        page.paragraph(note, indent=8, style="dim")
    if full and change.name != change.family:
        page.paragraph(change.name, indent=8, style="dim")
    if full and change.location is not None:
        page.line((location_text(change.location), "dim"), indent=8)


def _tiers(change: Change) -> str:
    known = []
    if change.tier is not None:
        known.append(change.tier.value)
    if change.ptx_tier is not None and change.ptx_tier is not change.tier:
        known.append(f"ptx {change.ptx_tier.value}")
    return ", ".join(known)


def _deltas(change: Change, *, full: bool) -> list[str]:
    deltas = change.deltas
    parts = [
        f"{name} {scalar(moved.before)}{ARROW}{scalar(moved.after)}"
        for named in (deltas.metadata, deltas.facts)
        for name, moved in sorted(named.items())
    ]
    parts += [f"{name} {signed(value)}" for name, value in sorted(deltas.resources.items())]
    for census in (deltas.ptx, deltas.sass):
        parts += _largest(census or {}, None if full else _DELTAS // 2)
    return parts


def _largest(census: Mapping[str, int], keep: int | None) -> list[str]:
    ranked = sorted(census.items(), key=lambda item: (-abs(item[1]), item[0]))
    shown = [f"{opcode} {signed(value)}" for opcode, value in ranked[:keep]]
    if keep is not None and len(ranked) > keep:
        shown.append(plural(len(ranked) - keep, "more opcode"))
    return shown
