"""One family opened: its opcodes, resources, kernels and source lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.report.entries import entries, ranked, spell_archs
from sassay.report.markdown.spelling import NAME, named, prose
from sassay.report.moved_lines import HOW, more_lines, moved_lines
from sassay.report.names import elide, html_text, label, markdown_code
from sassay.report.numbers import ARROW, delta_text, scalar, series, signed
from sassay.report.select import (
    FOLLOWING,
    categories,
    layers_of,
    moved_families,
    moved_resources,
    movements,
    status_words,
    told_changes,
    undone,
)
from sassay.report.sheet import ELSEWHERE, Sheet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sassay.model.change import Change, Diff, FamilyRow
    from sassay.report.entries import Entry

_LINES = 5


def details_section(sheet: Sheet, diff: Diff, limit: int | None) -> None:
    """A block for each family that moved, the most moved first."""
    items = ranked(entries(diff, moved_families(diff)))
    wanted = items if limit is None else items[:limit]
    shown = 0
    for item in wanted:
        if not sheet.add(_detail(item)):
            break
        shown += 1
    sheet.left_out(len(items) - shown, "families' details")


def _detail(item: Entry) -> str:
    # Markdown is not read inside an HTML line, so the summary's name is written as HTML.
    row, suspect = item.row, item.suspect
    title = html_text(elide(row.family, NAME))
    arch = html_text(spell_archs(item.archs))
    what = f"<code>{title}</code> <code>{arch}</code>: {html_text(status_words(row))}"
    lines = [f"<details><summary>{what}</summary>", ""]
    for layer in layers_of(row):
        moved = movements(categories(row, layer))[:12]
        if moved:
            shown = ", ".join(f"{name} {_moved(values, row)}" for name, values in moved)
            lines.append(f"- {layer}: {shown}")
    if suspect is not None and suspect.moves:
        shown = ", ".join(
            f"{named(move.opcode)} {_moved(move.counts, row)}" for move in suspect.moves[:12]
        )
        lines.append(f"- precision-sensitive: {shown}")
    resources = moved_resources(row)
    if resources:
        shown = ", ".join(
            f"{prose(name.replace('_', ' '), 40)} {_moved(v, row)}" for name, v in resources
        )
        lines.append(f"- largest: {shown}")
    lines += [f"- {line}" for line in _changes(item)]
    lines += ["", "</details>"]
    return "\n".join(lines)


def _moved(values: Sequence[int | None], row: FamilyRow) -> str:
    known = all(row.kernels[:1] + row.kernels[-1:])
    moved = delta_text(values) if known and None not in values else ""
    return series(values, kernels=row.kernels) + (f" ({moved})" if moved else "")


def _changes(item: Entry) -> Iterable[str]:
    changes = told_changes(item.changes)
    back = undone(changes)
    for change in changes[:8]:
        ids = ARROW.join(dict.fromkeys(one for one in (change.before, change.after) if one))
        pair = ARROW.join(markdown_code(label(one)) for one in change.pair)
        pair = f"{pair} " if len(item.row.pairs) > 1 else ""
        tier = f" {change.tier.value}" if change.tier else ""
        what = change.specialization or (change.name if change.name != change.family else "")
        name = f" {named(what)}" if what else ""
        where = f" {named(change.arch)}" if len(item.archs) > 1 else ""
        if change.id in back:
            yield f"{pair}back{where} {named(ids)}{name}"
            continue
        moved = [
            f"{prose(key, 60)} {prose(scalar(value.before), 60)}{ARROW}"
            f"{prose(scalar(value.after), 60)}"
            for key, value in sorted(change.deltas.metadata.items())
        ]
        if change.before and change.after:
            moved += [
                f"{prose(key.replace('_', ' '), 60)} {signed(value)}"
                for key, value in sorted(change.deltas.resources.items())
                if key not in FOLLOWING
            ]
        note = f": {', '.join(moved[:6])}" if moved else ""
        yield f"{pair}{change.status.value}{tier}{where} {named(ids)}{name}{note}{_lines(change)}"
    if len(changes) > 8:
        yield f"{len(changes) - 8:,} more kernels of this family; {ELSEWHERE}"


def _lines(change: Change) -> str:
    """The source lines that moved most, as a list below the kernel."""
    lines = moved_lines(change.lines)
    if not lines or change.lines is None:
        return ""
    rows = [
        f"\n  - {named(line.place)}: {', '.join(line.parts[:4])} {line.layer}"
        + (f" {named(line.text)}" if line.text else "")
        for line in lines[:_LINES]
    ]
    rest = more_lines(lines, _LINES)
    return "".join(rows) + f"\n  - {f'{rest}; ' if rest else ''}{HOW[change.lines.aligned]}"
