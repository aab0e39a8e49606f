"""Aligned code of pairs, each in a block that a reader opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.report.markdown.spelling import NAME
from sassay.report.names import elide, html_text
from sassay.report.select import hunk_range, kernels_by_id

if TYPE_CHECKING:
    from sassay.report.bundle import Report
    from sassay.report.sheet import Sheet


def code_section(sheet: Sheet, report: Report) -> None:
    """Every aligned pair, the lines that differ with what stands around them."""
    known = kernels_by_id(report.states) if report.code_diffs else {}
    shown = 0
    for code in report.code_diffs:
        kernel = known.get(code.after) or known.get(code.before)
        name = html_text(elide(kernel.name if kernel else code.after, NAME))
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
