"""Markdown that fits a pull request's comment on GitHub.

GitHub refuses comments over 65,536 characters. Sections are written in the order of their worth,
rows in the records' order, and what does not fit is counted in a line that says where it is. The
first line is a hidden marker by which a workflow finds the comment that it should update.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.errors import UsageError
from sassay.model.finding import Outcome
from sassay.report.digest import kinds
from sassay.report.entries import entries, ranked, spell_archs
from sassay.report.moved_lines import HOW, more_lines, moved_lines
from sassay.report.names import (
    elide,
    html_text,
    label,
    location_text,
    markdown_code,
    markdown_text,
)
from sassay.report.numbers import (
    ARROW,
    arrows,
    count,
    delta_text,
    evidence,
    plural,
    scalar,
    series,
    signed,
    size,
)
from sassay.report.release import coverage_grid, release_grids
from sassay.report.select import (
    FOLLOWING,
    averages,
    categories,
    diagnostics,
    hunk_range,
    kernels_by_id,
    labels,
    layers_of,
    migration_matters,
    moved_families,
    moved_resources,
    movements,
    note_field,
    note_values,
    one_arch,
    row_layer,
    short_answer,
    status_word,
    status_words,
    summaries,
    told_changes,
    totals,
    undone,
    verdict_note,
)
from sassay.report.sheet import ELSEWHERE, Sheet, table_row
from sassay.report.story import story

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sassay.model.change import Change, Diff, FamilyRow
    from sassay.model.finding import Check, Finding
    from sassay.model.state import State
    from sassay.report.bundle import Report
    from sassay.report.entries import Entry
    from sassay.report.release import Grid

MARKER = "<!-- sassay -->"
MAX_CHARACTERS = 65_536
_NAME = 160
_ROWS = 100
"""Rows of a table unless `--limit` says otherwise, so that details have room too."""
_PROSE = 600
_STORY = 12
_SUSPECTS = 5
_FAMILIES = 8
_KINDS = 20
_LINES = 5


def render(report: Report) -> str:
    """The report as a GitHub comment of at most 65,536 characters.

    Args:
        report: A diff, a check, a state, or code diffs; and how much to show.

    Raises:
        UsageError: The report holds nothing.
    """
    sheet = Sheet()
    sheet.note(MARKER)
    if report.command == "show":
        for state in report.states:
            _state(sheet, state, report)
    elif report.diff is not None or report.check is not None:
        _judged(sheet, report)
    elif report.code_diffs:
        sheet.note("## sassay: code")
        _code(sheet, report)
    else:
        raise UsageError("there is nothing to report")
    if report.diff is None:
        _diagnostics(sheet, report)
    return sheet.text()


def _judged(sheet: Sheet, report: Report) -> None:
    """What a reviewer must see stands open and fits a screen; the rest is folded away."""
    diff, check, options = report.diff, report.check, report.options
    names = ARROW.join(markdown_code(label(name)) for name in labels(report)[:12])
    arch = one_arch(diff) if diff else None
    sheet.note(f"## sassay: {check.verdict.value if check else _headline(diff)}")
    where = f" on {markdown_code(elide(arch, 40))}" if arch else ""
    why = f": {_prose(verdict_note(check), 200)}" if check else ""
    sheet.note(f"{names}{where}{why}")
    if check is not None:
        _findings(sheet, check, options.limit)
    if diff is not None:
        _notes(sheet, report, diff)
        _story(sheet, diff)
        for grid in release_grids(
            diff.libraries, everything=options.all or options.rendering == "full",
            limit=options.limit,
        ):  # fmt: skip
            _grid(sheet, grid)
        _migrations(sheet, diff, options.limit)
        if options.rendering != "summary":
            _suspects(sheet, diff, options.limit)
    if any(item.evidence for item in summaries(report)):
        sheet.add(_states(report))
    else:
        _folded(sheet, "States", _states(report))
    if diff is None:
        return
    if options.rendering != "summary":
        _compared(sheet, report, diff)
    if diff.next_steps:
        steps = "\n".join(f"- {markdown_code(elide(step, 300))}" for step in diff.next_steps[:8])
        _folded(sheet, "What to look at next", steps)
    _diagnostics(sheet, report)
    if options.rendering != "summary":
        _details(sheet, diff, options.limit)
        _code(sheet, report)


def _folded(sheet: Sheet, title: str, body: str) -> None:
    """A block that a reader opens."""
    if body:
        sheet.add(f"<details><summary>{title}</summary>\n\n{body}\n\n</details>")


def _notes(sheet: Sheet, report: Report, diff: Diff) -> None:
    names = labels(report)
    notes = [
        f"> **{_prose(note_field(note), 60)}** {_prose(note_values(note, names), 300)}: "
        f"{_prose(arrows(note.note))}"
        for note in diff.comparability[:8]
    ]
    if notes:
        sheet.add("\n>\n".join(notes))
    sheet.left_out(len(diff.comparability) - len(notes), "comparability notes")


def _story(sheet: Sheet, diff: Diff) -> None:
    """What came, went and changed, by name."""
    for chapter in story(diff):
        lines = [f"**{markdown_text(chapter.title)}**: {chapter.kernels}"]
        lines += [f"- {_prose(line)}" for line in chapter.built]
        for status, items in chapter.families:
            shown = [
                _name(one.name) + (f" ({_prose(one.note, 120)})" if one.note else "")
                for one in items[:_STORY]
            ]
            if len(items) > _STORY:
                shown.append(f"and {len(items) - _STORY:,} more")
            lines.append(f"- {status}: {', '.join(shown)}")
        if not chapter.families:
            lines.append("- no family changed")
        sheet.add("\n".join(lines))


def _migrations(sheet: Sheet, diff: Diff, limit: int | None) -> None:
    if not diff.migrations:
        return
    rows = [
        [
            _name(item.family), _yes(short_answer(item.tensor_path)),
            _yes(short_answer(item.memory_path)), _prose(arrows(item.why)),
        ]
        for item in diff.migrations
        if migration_matters(item)
    ]  # fmt: skip
    sheet.table(
        ("family", "tensor path moved", "memory path moved", "why"),
        rows, "families", limit or _ROWS, right_from=4,
    )  # fmt: skip
    others = [_name(item.family) for item in diff.migrations if not migration_matters(item)]
    if others:
        sheet.add(f"Use neither path: {', '.join(others[:_ROWS])}")


def _suspects(sheet: Sheet, diff: Diff, limit: int | None) -> None:
    items = [item for item in ranked(entries(diff, diff.families)) if item.suspect]
    if not items:
        return
    with_arch = one_arch(diff) is None
    lines = ["**Suspects**, by how much their numerical execution moved"]
    for rank, item in enumerate(items[: limit or _SUSPECTS], start=1):
        why = item.suspect.why if item.suspect else ""
        where = f" {_name(spell_archs(item.archs))}" if with_arch else ""
        lines.append(
            f"{rank}. {_name(item.row.family)}{where} {_prose(status_words(item.row), 200)}: "
            f"{_prose(arrows(why))}"
        )
    sheet.add("\n".join(lines))
    sheet.left_out(len(items) - (len(lines) - 1), "suspects")


def _headline(diff: Diff | None) -> str:
    if diff is None or not diff.pairs:
        return "no comparison"
    moved = len(moved_families(diff))
    return f"{plural(moved, 'family', 'families')} moved" if moved else "no family changed"


def _prose(text: str, most: int = _PROSE) -> str:
    return markdown_text(elide(text, most))


def _name(text: str) -> str:
    return markdown_code(elide(text, _NAME))


def _findings(sheet: Sheet, check: Check, limit: int | None) -> None:
    """One row a rule, with its families: a reason is read once."""
    groups: dict[tuple[str, str, str, bool], list[Finding]] = {}
    for finding in check.findings:
        waived = finding.waived is not None
        key = (finding.effect.value, finding.rule, finding.reason, waived)
        groups.setdefault(key, []).append(finding)
    rows = [
        [
            "waived" if waived else f"**{effect.upper()}**",
            _name(rule),
            _prose(reason) + _missing(items),
            "<br>".join(_evidence(items)),
        ]
        for (effect, rule, reason, waived), items in groups.items()
    ]
    rows += [
        ["**UNKNOWN**", _name(rule.rule), _prose(arrows(rule.why)), ""]
        for rule in check.rules
        if rule.outcome is Outcome.UNKNOWN
    ]
    sheet.table(("", "rule", "why", "where"), rows, "findings", limit or _ROWS, right_from=4)
    if not rows:
        sheet.note(f"{plural(len(check.rules), 'rule')}, none fired.")


def _missing(items: Sequence[Finding]) -> str:
    wanted = list(dict.fromkeys(name for item in items for name in item.requires))
    if not wanted:
        return ""
    return "<br>stands until attached: " + ", ".join(_prose(name, 60) for name in wanted)


def _evidence(items: Sequence[Finding]) -> list[str]:
    """A rule's families, those that differ in nothing but the architecture together."""
    groups: dict[object, list[Finding]] = {}
    for item in items:
        key = (item.family, item.layer, item.waived, item.count, tuple(sorted(item.matches)))
        groups.setdefault(key, []).append(item)
    lines = []
    for same in list(groups.values())[:_FAMILIES]:
        finding = same[0]
        archs = spell_archs([item.arch for item in same])
        text = f"{_name(finding.family)} {_name(archs)}"
        if finding.source_lines:
            text += f" {_name(location_text(finding.source_lines[0]))}"
        if finding.places:
            text += f": {_prose(finding.details[0], 200)}"
            if len(finding.details) > 1:
                text += f" and {len(finding.details) - 1} more"
        elif finding.matches:
            shown = sorted(finding.matches.items())[:4]
            text += ": " + ", ".join(f"{_name(opcode)} {number:,}" for opcode, number in shown)
            if len(finding.matches) > len(shown):
                text += f" and {len(finding.matches) - len(shown)} more opcodes"
        elif finding.details:
            text += f": {_prose(arrows(finding.details[0]), 200)}"
        if finding.waived is not None:
            waived = finding.waived
            text += (
                f", waived: {_prose(waived.reason)} "
                f"({_prose(waived.owner, 80)}, until {_prose(waived.expires, 20)})"
            )
        lines.append(text)
    if len(groups) > _FAMILIES:
        lines.append(f"and {len(groups) - _FAMILIES:,} more")
    return lines


def _states(report: Report) -> str:
    items = summaries(report)
    if not items:
        return ""
    rows = [
        ["kernels", *(count(item.kernels) for item in items)],
        ["families", *(count(item.families) for item in items)],
    ]
    if any(item.code_bytes for item in items):
        rows.append(["code", *(size(item.code_bytes) for item in items)])
    for name in sorted({name for item in items for name in item.evidence}):
        cards = [item.evidence.get(name) for item in items]
        units = list(dict.fromkeys(card.unit for card in cards if card and card.unit))
        unit = f" ({', '.join(_prose(unit, 40) for unit in units)})" if units else ""
        figures = (f"**{_prose(evidence(card), 60)}**" for card in cards)
        rows.append([_prose(name, 80) + unit, *figures])
    head = ["", *(markdown_code(label(item.label)) for item in items)]
    rule = ["---", *("---:" for _ in items)]
    return "\n".join(map(table_row, (head, rule, *rows)))


def _compared(sheet: Sheet, report: Report, diff: Diff) -> None:
    options = report.options
    everything = options.all or options.rendering == "full"
    rows = moved_families(diff, everything=everything)
    for title, table in (("Groups in figures", diff.groups), ("Families in figures", rows)):
        if table and sheet.add(f"<details><summary>{title}</summary>"):
            _families(sheet, table, diff, report)
            sheet.note("</details>")


def _yes(word: str) -> str:
    return f"**{word}**" if word == "no" else _prose(word, 40)


def _families(sheet: Sheet, rows: Sequence[FamilyRow], diff: Diff, report: Report) -> None:
    with_arch = one_arch(diff) is None
    lines = []
    for item in entries(diff, rows):
        row = item.row
        layer = row_layer(row, report.options.layer)
        sums = totals(row, layer)
        where = [_name(spell_archs(item.archs))] if with_arch else []
        cells = [_name(row.family), *where, status_word(row)]
        cells += [
            series(row.kernels),
            f"{series(sums, kernels=row.kernels)} {layer}",
            delta_text(sums),
            series(averages(row, layer), kernels=row.kernels),
        ]
        lines.append(cells)
    head = ["family", *(["arch"] if with_arch else []), "status"]
    head += ["kernels", "instructions", "delta", "a kernel"]
    sheet.table(head, lines, "families", report.options.limit or _ROWS, right_from=2 + with_arch)


def _details(sheet: Sheet, diff: Diff, limit: int | None) -> None:
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
    title = html_text(elide(row.family, _NAME))
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
            f"{_name(move.opcode)} {_moved(move.counts, row)}" for move in suspect.moves[:12]
        )
        lines.append(f"- precision-sensitive: {shown}")
    resources = moved_resources(row)
    if resources:
        shown = ", ".join(
            f"{_prose(name.replace('_', ' '), 40)} {_moved(v, row)}" for name, v in resources
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
        name = f" {_name(what)}" if what else ""
        where = f" {_name(change.arch)}" if len(item.archs) > 1 else ""
        if change.id in back:
            yield f"{pair}back{where} {_name(ids)}{name}"
            continue
        moved = [
            f"{_prose(key, 60)} {_prose(scalar(value.before), 60)}{ARROW}"
            f"{_prose(scalar(value.after), 60)}"
            for key, value in sorted(change.deltas.metadata.items())
        ]
        if change.before and change.after:
            moved += [
                f"{_prose(key.replace('_', ' '), 60)} {signed(value)}"
                for key, value in sorted(change.deltas.resources.items())
                if key not in FOLLOWING
            ]
        note = f": {', '.join(moved[:6])}" if moved else ""
        yield f"{pair}{change.status.value}{tier}{where} {_name(ids)}{name}{note}{_lines(change)}"
    if len(changes) > 8:
        yield f"{len(changes) - 8:,} more kernels of this family; {ELSEWHERE}"


def _lines(change: Change) -> str:
    """The source lines that moved most, as a list below the kernel."""
    lines = moved_lines(change.lines)
    if not lines or change.lines is None:
        return ""
    rows = [
        f"\n  - {_name(line.place)}: {', '.join(line.parts[:4])} {line.layer}"
        + (f" {_name(line.text)}" if line.text else "")
        for line in lines[:_LINES]
    ]
    rest = more_lines(lines, _LINES)
    return "".join(rows) + f"\n  - {f'{rest}; ' if rest else ''}{HOW[change.lines.aligned]}"


def _code(sheet: Sheet, report: Report) -> None:
    known = kernels_by_id(report.states)
    shown = 0
    for code in report.code_diffs:
        kernel = known.get(code.after) or known.get(code.before)
        name = html_text(elide(kernel.name if kernel else code.after, _NAME))
        rows = []
        for hunk in code.hunks:
            rows.append(hunk_range(hunk))
            for line in hunk.lines:
                if line.op == "equal":
                    rows.append(f"  {line.after or ''}")
                    continue
                if line.before is not None:
                    rows.append(f"- {line.before}")
                if line.after is not None:
                    rows.append(f"+ {line.after}")
        # A fence could be left by the code itself; in `pre` only an empty line could end the block.
        body = "\n".join(html_text(row) if row.strip() else "&nbsp;" for row in rows)
        block = (
            f"<details><summary>{code.layer.upper()} of <code>{name}</code>: {code.tier.value}"
            f"</summary>\n<pre>\n{body}\n</pre>\n</details>"
        )
        if not sheet.add(block):
            break
        shown += 1
    sheet.left_out(len(report.code_diffs) - shown, "code comparisons")


def _grid(sheet: Sheet, grid: Grid) -> None:
    """One table for release managers."""
    sheet.note(f"**{grid.title}**: {grid.note}")
    rows = [
        [
            *(_name(cell) for cell in row[: grid.left]),
            *(_prose(cell, 80) for cell in row[grid.left :]),
        ]
        for row in grid.rows
    ]
    sheet.table(grid.heads, rows, "rows", None, right_from=grid.left)
    if grid.more:
        sheet.note(_prose(grid.more, 300))


def _state(sheet: Sheet, state: State, report: Report) -> None:
    limit = report.options.limit
    sheet.note(f"## sassay: {markdown_code(label(state.label))}")
    sheet.table(
        ("evidence", "value", "unit"),
        [
            [_prose(name, 80), _prose(evidence(card), 80), _prose(card.unit or "", 40)]
            for name, card in sorted(state.evidence.items())
        ],
        "measurements",
        None,
    )
    if report.coverage is not None:
        everything = report.coverage_alone or report.options.all
        matrix = coverage_grid(report.coverage, everything=everything, limit=limit)
        if matrix is not None:
            _grid(sheet, matrix)
        if report.coverage_alone:
            return
    rows = []
    for kernel in state.kernels:
        sass, ptx = kernel.instructions.sass, kernel.instructions.ptx
        rows.append(
            [
                _name(kernel.name),
                _name(kernel.id),
                _name(kernel.arch),
                "-" if ptx is None else count(sum(ptx.values())),
                "-" if sass is None else count(sum(sass.values())),
                count(kernel.resources.registers),
                count(kernel.resources.shared_bytes),
            ]
        )
    head = ("kernel", "id", "arch", "PTX", "SASS", "registers", "shared bytes")
    sheet.note(plural(len(state.kernels), "kernel"))
    sheet.table(head, rows, "kernels", limit, right_from=3)


def _diagnostics(sheet: Sheet, report: Report) -> None:
    found = kinds(diagnostics(report))
    lines = [f"- {kind.first.level.value}: {_prose(kind.text)}" for kind in found[:_KINDS]]
    if len(found) > _KINDS:
        lines.append(f"- {len(found) - _KINDS:,} more kinds of message; {ELSEWHERE}")
    _folded(sheet, plural(len(found), "kind of message", "kinds of message"), "\n".join(lines))
