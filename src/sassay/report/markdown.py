"""Markdown that fits a pull request's comment on GitHub.

GitHub refuses comments over 65,536 characters. Sections are written in the order of their worth,
rows in the records' order, and what does not fit is counted in a line that says where it is. The
first line is a hidden marker by which a workflow finds the comment that it should update.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.errors import UsageError
from sassay.model.finding import Outcome
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
    count,
    delta_text,
    evidence,
    plural,
    scalar,
    series,
    signed,
    size,
)
from sassay.report.select import (
    averages,
    categories,
    changes_by_family,
    diagnostics,
    hunk_range,
    kernels_by_id,
    labels,
    layers_of,
    moved_families,
    movements,
    one_arch,
    row_layer,
    status_words,
    summaries,
    suspects_by_family,
    totals,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sassay.model.change import Change, Diff, FamilyRow, Suspect
    from sassay.model.finding import Check, Finding
    from sassay.model.state import State
    from sassay.report.bundle import Report

MARKER = "<!-- sassay -->"
MAX_CHARACTERS = 65_536
_BUDGET = 63_000
"""UTF-8 bytes for sections; the rest is kept for the lines that say what was left out."""
_NAME = 160
_ROWS = 100
"""Rows of a table unless `--limit` says otherwise, so that details have room too."""
_PROSE = 600
_ELSEWHERE = "the JSON and HTML reports of this run hold everything (`--json FILE`, `--html FILE`)"


class _Sheet:
    """Markdown blocks up to the budget."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._used = 0

    def text(self) -> str:
        return "\n\n".join(self._blocks) + "\n"

    def fits(self, block: str) -> bool:
        return self._used + len(block.encode()) + 2 <= _BUDGET

    def add(self, block: str) -> bool:
        """Add a block if it fits."""
        if not self.fits(block):
            return False
        self.note(block)
        return True

    def note(self, block: str) -> None:
        """Add a short block in any case."""
        self._blocks.append(block)
        self._used += len(block.encode()) + 2

    def table(
        self,
        head: Sequence[str],
        rows: Sequence[Sequence[str]],
        noun: str,
        limit: int | None,
        *,
        right_from: int = 1,
    ) -> None:
        """A table of as many rows as fit, and a line for those that do not.

        Args:
            head: Column titles.
            rows: Cells, escaped.
            noun: What a row is, in the plural.
            limit: Most rows, None: as many as fit.
            right_from: Index of the first column of figures.
        """
        if not rows:
            return
        rule = ["---" if index < right_from else "---:" for index in range(len(head))]
        lines = [_line(head), _line(rule)]
        used = sum(len(line.encode()) + 1 for line in lines)
        wanted = rows if limit is None else rows[:limit]
        for row in wanted:
            line = _line(row)
            used += len(line.encode()) + 1
            if self._used + used + 2 > _BUDGET:
                break
            lines.append(line)
        shown = len(lines) - 2
        if shown:
            self.note("\n".join(lines))
        self.left_out(len(rows) - shown, noun)

    def left_out(self, number: int, noun: str) -> None:
        """The line that says how much is missing and where it is."""
        if number:
            self.note(f"_{number:,} {noun} left out here; {_ELSEWHERE}._")


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def render(report: Report) -> str:
    """The report as a GitHub comment of at most 65,536 characters.

    Args:
        report: A diff, a check, a state, or code diffs; and how much to show.

    Raises:
        UsageError: The report holds nothing.
    """
    sheet = _Sheet()
    sheet.note(MARKER)
    if report.command == "show":
        for state in report.states:
            _state(sheet, state, report.options.limit)
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


def _judged(sheet: _Sheet, report: Report) -> None:
    diff, check, options = report.diff, report.check, report.options
    names = ARROW.join(markdown_code(label(name)) for name in labels(report)[:12])
    arch = one_arch(diff) if diff else None
    verdict = check.verdict.value if check else "no verdict"
    sheet.note(f"## sassay: {verdict if check else _headline(diff)}")
    where = f" on {markdown_code(elide(arch, 40))}" if arch else ""
    policy = f", policy {markdown_code(elide(check.policy, 80))}" if check and check.policy else ""
    sheet.note(f"{names}{where}{policy}")
    if diff is not None:
        notes = [
            f"> **{_prose(note.field, 60)}**: {_prose(note.note)}"
            for note in diff.comparability[:8]
        ]
        if notes:
            sheet.add("\n>\n".join(notes))
        sheet.left_out(len(diff.comparability) - len(notes), "comparability notes")
    if check is not None:
        _findings(sheet, check, options.limit)
    _states(sheet, report)
    if diff is None:
        return
    _pairs(sheet, diff)
    if options.rendering != "summary":
        _compared(sheet, report, diff)
    if diff.next_steps:
        steps = "\n".join(f"- {markdown_code(elide(step, 300))}" for step in diff.next_steps[:8])
        sheet.add(f"**Next**\n\n{steps}")
    _diagnostics(sheet, report)
    if options.rendering != "summary":
        _details(sheet, moved_families(diff), diff, options.limit)
        _code(sheet, report)


def _headline(diff: Diff | None) -> str:
    if diff is None or not diff.pairs:
        return "no comparison"
    moved = len(moved_families(diff))
    return f"{plural(moved, 'family', 'families')} moved" if moved else "no family changed"


def _prose(text: str, most: int = _PROSE) -> str:
    return markdown_text(elide(text, most))


def _name(text: str) -> str:
    return markdown_code(elide(text, _NAME))


def _findings(sheet: _Sheet, check: Check, limit: int | None) -> None:
    rows = [
        [
            f"**{finding.effect.value.upper()}**" if finding.waived is None else "waived",
            _name(finding.rule),
            f"{_name(finding.family)} {_name(finding.arch)}",
            _evidence(finding),
        ]
        for finding in check.findings
    ]
    rows += [
        ["**UNKNOWN**", _name(rule.rule), "", _prose(rule.why)]
        for rule in check.rules
        if rule.outcome is Outcome.UNKNOWN
    ]
    sheet.table(("effect", "rule", "family", "why"), rows, "findings", limit or _ROWS, right_from=4)
    if not rows:
        sheet.note(f"{plural(len(check.rules), 'rule')}, none fired.")


def _evidence(finding: Finding) -> str:
    parts = [_prose(finding.reason)]
    if finding.matches:
        shown = sorted(finding.matches.items())[:6]
        parts.append(", ".join(f"{_name(opcode)} {number:,}" for opcode, number in shown))
        if len(finding.matches) > len(shown):
            parts.append(f"and {len(finding.matches) - len(shown)} more opcodes")
    parts += [_prose(line) for line in finding.details[:2]]
    if finding.source_lines:
        parts.append(_name(location_text(finding.source_lines[0])))
    if finding.waived is not None:
        waived = finding.waived
        parts.append(
            f"waived: {_prose(waived.reason)} "
            f"({_prose(waived.owner, 80)}, until {_prose(waived.expires, 20)})"
        )
    if finding.requires:
        parts.append("stands until attached: " + ", ".join(_prose(x, 60) for x in finding.requires))
    return "<br>".join(parts)


def _states(sheet: _Sheet, report: Report) -> None:
    items = summaries(report)
    if not items:
        return
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
    sheet.table(("", *(markdown_code(label(item.label)) for item in items)), rows, "rows", None)


def _pairs(sheet: _Sheet, diff: Diff) -> None:
    rows = [
        [
            f"{markdown_code(label(pair.before))}{ARROW}{markdown_code(label(pair.after))}",
            *(
                count(number)
                for number in (
                    pair.compared, pair.unchanged, pair.changed, pair.added, pair.removed
                )
            ),
        ]
        for pair in diff.pairs
    ]  # fmt: skip
    head = ("kernels", "compared", "unchanged", "changed", "added", "removed")
    sheet.table(head, rows, "pairs", None)


def _compared(sheet: _Sheet, report: Report, diff: Diff) -> None:
    options = report.options
    if diff.groups:
        sheet.note("### Groups")
        _families(sheet, diff.groups, diff, report)
    everything = options.all or options.rendering == "full"
    rows = moved_families(diff, everything=everything)
    sheet.note("### Families")
    if rows:
        _families(sheet, rows, diff, report)
    else:
        sheet.note("No family changed.")
    if diff.migrations:
        sheet.note("### Migration")
        sheet.table(
            ("family", "tensor path", "memory path", "why"),
            [
                [_name(item.family), _yes(item.tensor_path), _yes(item.memory_path),
                 _prose(item.why)]
                for item in diff.migrations
            ],
            "families",
            options.limit,
            right_from=4,
        )  # fmt: skip
    if diff.suspects:
        sheet.note("### Suspects, by how much their numerical execution moved")
        sheet.table(
            ("", "family", "why"),
            [
                [str(rank), f"{_name(item.family)} {_name(item.arch)}", _prose(item.why)]
                for rank, item in enumerate(diff.suspects, start=1)
            ],
            "suspects",
            options.limit or 10,
            right_from=3,
        )


def _yes(word: str) -> str:
    return f"**{word}**" if word == "no" else _prose(word, 40)


def _families(sheet: _Sheet, rows: Sequence[FamilyRow], diff: Diff, report: Report) -> None:
    with_arch = one_arch(diff) is None
    lines = []
    for row in rows:
        layer = row_layer(row, report.options.layer)
        sums = totals(row, layer)
        cells = [_name(row.family), *([_name(row.arch)] if with_arch else []), status_words(row)]
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


def _details(sheet: _Sheet, rows: Sequence[FamilyRow], diff: Diff, limit: int | None) -> None:
    suspects = suspects_by_family(diff)
    changes = changes_by_family(diff)
    order = {key: index for index, key in enumerate(suspects)}
    ranked = sorted(rows, key=lambda row: order.get((row.family, row.arch), len(order)))
    wanted = ranked if limit is None else ranked[:limit]
    shown = 0
    for row in wanted:
        key = (row.family, row.arch)
        if not sheet.add(_detail(row, suspects.get(key), changes.get(key, []))):
            break
        shown += 1
    sheet.left_out(len(rows) - shown, "families' details")


def _detail(row: FamilyRow, suspect: Suspect | None, changes: Sequence[Change]) -> str:
    # Markdown is not read inside an HTML line, so the summary's name is written as HTML.
    title = html_text(elide(row.family, _NAME))
    arch = html_text(elide(row.arch, 40))
    what = f"<code>{title}</code> <code>{arch}</code>: {status_words(row)}"
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
    resources = movements(row.resources)
    if resources:
        shown = ", ".join(f"{_prose(name, 40)} {_moved(v, row)}" for name, v in resources)
        lines.append(f"- largest: {shown}")
    lines += [f"- {line}" for line in _changes(changes)]
    lines += ["", "</details>"]
    return "\n".join(lines)


def _moved(values: Sequence[int | None], row: FamilyRow) -> str:
    moved = delta_text(values) if None not in values else ""
    return series(values, kernels=row.kernels) + (f" ({moved})" if moved else "")


def _changes(changes: Sequence[Change]) -> Iterable[str]:
    for change in changes[:8]:
        ids = ARROW.join(dict.fromkeys(one for one in (change.before, change.after) if one))
        pair = ARROW.join(markdown_code(label(one)) for one in change.pair)
        tier = f" {change.tier.value}" if change.tier else ""
        what = change.specialization or change.name
        moved = [
            f"{_prose(name, 60)} {_prose(scalar(item.before), 60)}{ARROW}"
            f"{_prose(scalar(item.after), 60)}"
            for name, item in sorted(change.deltas.metadata.items())
        ]
        resources = sorted(change.deltas.resources.items())
        moved += [f"{_prose(name, 60)} {signed(value)}" for name, value in resources]
        note = f": {', '.join(moved[:6])}" if moved else ""
        yield f"{pair} {change.status.value}{tier} {_name(ids)} {_name(what)}{note}"
    if len(changes) > 8:
        yield f"{len(changes) - 8:,} more kernels of this family; {_ELSEWHERE}"


def _code(sheet: _Sheet, report: Report) -> None:
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


def _state(sheet: _Sheet, state: State, limit: int | None) -> None:
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


def _diagnostics(sheet: _Sheet, report: Report) -> None:
    items = diagnostics(report)
    if not items:
        return
    rows = [[item.level.value, _name(item.place), _prose(item.message)] for item in items]
    sheet.note(f"**{plural(len(items), 'diagnostic')}**")
    sheet.table(("level", "place", "message"), rows, "diagnostics", 20, right_from=3)
