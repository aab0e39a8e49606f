"""Kernels that changed, below their family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.model.change import ToldMove
from sassay.report.moved_lines import HOW, more_lines, moved_lines
from sassay.report.names import cells, cut, label, location_text, plain
from sassay.report.numbers import ARROW, arrows, plural, scalar, signed
from sassay.report.select import FOLLOWING, STATUS_MARK, left_out, told_changes, undone
from sassay.report.terminal.page import STYLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sassay.model.change import Change
    from sassay.report.bundle import ReportOptions
    from sassay.report.entries import Entry
    from sassay.report.terminal.page import Page

_KERNELS = 4
_DELTAS = 8
_LINES = 3
_PARTS = 3
_NARROWEST = 20


def changes(page: Page, item: Entry, options: ReportOptions) -> None:
    """One line a kernel (pair, ids, tier, specialization), one below for what moved.

    Args:
        page: Where to write.
        item: The family.
        options: Row limits.
    """
    full = options.rendering == "full"
    told = told_changes(item.changes)
    back = undone(told)
    limit = len(told) if options.all else options.limit or _KERNELS
    pair = None
    # One kernel's opcodes are the family's, which stand above.
    alone = max(item.row.kernels) == 1
    for change in told[:limit]:
        if change.pair != pair and len(item.row.pairs) > 1:
            pair = change.pair
            page.line((f"{label(pair[0])}{ARROW}{label(pair[1])}", "dim"), indent=4)
        where = change.arch if len(item.archs) > 1 else ""
        _change(page, change, where, back=change.id in back, opcodes=full or not alone, full=full)
    rest = left_out(limit, len(told), "kernels of this family", "--all shows them")
    if rest:
        page.line((rest, "dim"), indent=6)


def _change(
    page: Page, change: Change, where: str, *, back: bool, opcodes: bool, full: bool
) -> None:
    ids = ARROW.join(dict.fromkeys(one for one in (change.before, change.after) if one))
    what = change.specialization or (change.name if change.name != change.family else "")
    status = "back" if back else change.status.value
    head = f"{STATUS_MARK[change.status.value]} {status:<9}"
    tier = "" if back else _tiers(change)
    room = page.width - 6 - cells(head) - len(ids) - cells(tier) - 4
    page.line(
        (head, STYLES[change.status.value]),
        (ids, "dim"),
        (f"  {where}" if where else "", "dim"),
        (f"  {tier}" if tier else ""),
        (f"  {what}" if what and room > 16 else "", ""),
        indent=6,
    )
    if back and not full:
        return
    if change.before and change.after:
        moved = _deltas(change, opcodes=opcodes, full=full)
        if moved:
            page.items(moved, indent=8)
        for name, fact in sorted(change.deltas.facts.items()):
            if isinstance(fact, ToldMove):
                page.line((f"{name.replace('_', ' ')} moved", "bold"), indent=8)
                for line in fact.words:
                    page.paragraph(plain(line), indent=10)
    _lines(page, change, len(change.lines.lines) if full and change.lines else _LINES)
    for note in change.notes if full else ():
        page.paragraph(arrows(note), indent=8, style="dim")
    if full and change.name != change.family:
        page.paragraph(change.name, indent=8, style="dim")
    if full and change.location is not None:
        page.line((location_text(change.location), "dim"), indent=8)


def _lines(page: Page, change: Change, most: int) -> None:
    """The source lines that moved most, their code, and by which categories."""
    lines = moved_lines(change.lines)
    if not lines or change.lines is None:
        return
    width = max(cells(line.place) for line in lines[:most])
    room = max(_NARROWEST, page.width - width - 50)
    room = min(room, max(cells(plain(line.text)) for line in lines[:most]))
    for line in lines[:most]:
        text = cut(plain(line.text), room)
        pad = " " * (room - cells(text))
        lead = f"{line.place:<{width}}  {text}{pad}  " if room else f"{line.place:<{width}}  "
        page.items(line.parts[:_PARTS], indent=8, lead=lead, most=page.width)
    rest = more_lines(lines, most)
    note = HOW[change.lines.aligned]
    page.line((f"{rest}; {note}" if rest else note, "dim"), indent=8)


def _tiers(change: Change) -> str:
    known = []
    if change.tier is not None:
        known.append(change.tier.value)
    if change.ptx_tier is not None and change.ptx_tier is not change.tier:
        known.append(f"ptx {change.ptx_tier.value}")
    return ", ".join(known)


def _deltas(change: Change, *, opcodes: bool, full: bool) -> list[str]:
    deltas = change.deltas
    parts = [
        f"{name} {scalar(moved.before)}{ARROW}{scalar(moved.after)}"
        for named in (deltas.metadata, deltas.facts)
        for name, moved in sorted(named.items())
        if not isinstance(moved, ToldMove)
    ]
    parts += [
        f"{name.replace('_', ' ')} {signed(value)}"
        for name, value in sorted(deltas.resources.items())
        if full or name not in FOLLOWING
    ]
    if not opcodes:
        return parts
    for census in (deltas.ptx, deltas.sass):
        parts += _largest(census or {}, None if full else _DELTAS // 2)
    return parts


def _largest(census: Mapping[str, int], keep: int | None) -> list[str]:
    ranked = sorted(census.items(), key=lambda item: (-abs(item[1]), item[0]))
    shown = [f"{opcode} {signed(value)}" for opcode, value in ranked[:keep]]
    if keep is not None and len(ranked) > keep:
        shown.append(plural(len(ranked) - keep, "more opcode"))
    return shown
