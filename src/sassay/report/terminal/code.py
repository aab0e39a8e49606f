"""Code: listings, and aligned diffs of two kernels, unified or side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sassay.report.names import cells, elide, location_text, plain
from sassay.report.numbers import ARROW, count
from sassay.report.select import hunk_range, kernels_by_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sassay.model.change import CodeDiff, DiffLine, Hunk
    from sassay.model.kernel import Kernel
    from sassay.report.bundle import Listing, Report
    from sassay.report.terminal.page import Page

_MARK = {"equal": " ", "replace": "|", "delete": "<", "insert": ">"}


def listing(page: Page, item: Listing) -> None:
    """Every instruction with its offset; a source line where it changes."""
    page.heading(f"{item.layer.upper()} code")
    where = None
    for line in item.lines:
        if line.location is not None and line.location != where:
            where = line.location
            text = item.texts.get(where, "").strip()
            page.line((f"// {location_text(where)}  {text}".rstrip(), "dim"), indent=8)
        page.paragraph(line.text, lead=(f"{_offset(item.layer, line.offset):>8}  ", "dim"))


def code_diffs(page: Page, report: Report) -> None:
    """Each aligned pair of kernels, only the regions that differ."""
    known = kernels_by_id(report.states) if report.code_diffs else {}
    for code in report.code_diffs:
        _heading(page, code, known)
        if not code.hunks:
            page.line(("no region differs", "dim"), indent=2)
        for hunk in code.hunks:
            if report.options.code_view == "side-by-side":
                _side_by_side(page, code.layer, hunk)
            else:
                _unified(page, code.layer, hunk)


def _heading(page: Page, code: CodeDiff, known: Mapping[str, Kernel]) -> None:
    kernel = known.get(code.after) or known.get(code.before)
    page.blank()
    if kernel is not None:
        page.line((kernel.name, "bold"), (f"  {kernel.arch}", "dim"))
    page.line(
        f"{code.layer.upper()} {code.tier.value}  ",
        f"{code.before}{ARROW}{code.after}",
        f"  {count(code.before_instructions)}{ARROW}{count(code.after_instructions)} instructions",
    )


def _offset(layer: str, offset: int | None) -> str:
    if offset is None:
        return ""
    return f"{offset:04x}" if layer == "sass" else str(offset)


def _unified(page: Page, layer: str, hunk: Hunk) -> None:
    page.line(
        (hunk_range(hunk), "cyan"),
    )
    for line in _ordered(hunk.lines):
        if line.op == "equal":
            lead = f"  {_offset(layer, line.after_offset):>6}  "
            page.paragraph(line.after or line.before or "", lead=lead)
            continue
        if line.before is not None and line.op != "insert":
            lead = f"- {_offset(layer, line.before_offset):>6}  "
            page.paragraph(line.before, lead=(lead, "red"), style="red")
        if line.after is not None and line.op != "delete":
            lead = f"+ {_offset(layer, line.after_offset):>6}  "
            page.paragraph(line.after, lead=(lead, "green"), style="green")


def _ordered(lines: tuple[DiffLine, ...]) -> list[DiffLine]:
    """Lines as a unified diff has them: within a run of replacements, all deletions first."""
    ordered: list[DiffLine] = []
    inserts: list[DiffLine] = []
    for line in lines:
        if line.op == "replace":
            ordered.append(msgspec.structs.replace(line, op="delete", after=None))
            inserts.append(msgspec.structs.replace(line, op="insert", before=None))
        elif line.op == "insert":
            inserts.append(line)
        else:
            if line.op == "equal":
                ordered += inserts
                inserts = []
            ordered.append(line)
    return ordered + inserts


def _side_by_side(page: Page, layer: str, hunk: Hunk) -> None:
    page.line((f"@@ {hunk.before_start}{ARROW}{hunk.after_start} @@", "cyan"))
    # 6 columns of offset and a space on each side, 3 for the mark between.
    room = max(8, (page.width - 17) // 2)
    for line in hunk.lines:
        old = elide(plain(line.before or ""), room)
        new = elide(plain(line.after or ""), room)
        page.line(
            (f"{_offset(layer, line.before_offset):>6} ", "dim"),
            (old + " " * (room - cells(old)), "" if line.op == "equal" else "red"),
            f" {_MARK.get(line.op, '?')} ",
            (f"{_offset(layer, line.after_offset):>6} ", "dim"),
            (new, "" if line.op == "equal" else "green"),
        )
