"""Rows of a query as a table, JSON or CSV."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING

from sassay.cli.text import printable, shown

if TYPE_CHECKING:
    from collections.abc import Sequence


def render_rows(columns: Sequence[str], rows: Sequence[Sequence[object]], format_: str) -> str:
    """Write rows in one format.

    Args:
        columns: Column names.
        rows: Values, one sequence a row.
        format_: `table`, `json` or `csv`.
    """
    if format_ == "json":
        import json

        # ASCII, so that a name with escapes in it shows them as escapes on a terminal.
        objects = [dict(zip(columns, map(_finite, row), strict=True)) for row in rows]
        return json.dumps(objects, indent=2, default=str) + "\n"
    if format_ == "csv":
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([shown(v) if isinstance(v, str) else v for v in row] for row in rows)
        return buffer.getvalue()
    return _table(columns, rows)


def _finite(value: object) -> object:
    """JSON knows no NaN and no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max([len(name), *(len(row[i]) for row in cells)]) for i, name in enumerate(columns)]
    numeric = [
        bool(rows) and all(isinstance(row[i], int | float | None) for row in rows)
        for i in range(len(columns))
    ]

    def line(values: Sequence[str]) -> str:
        padded = [
            value.rjust(width) if right else value.ljust(width)
            for value, width, right in zip(values, widths, numeric, strict=True)
        ]
        return "  ".join(padded).rstrip()

    out = [line(list(columns)), "  ".join("-" * width for width in widths)]
    out += [line(row) for row in cells]
    out.append(f"({len(rows)} row{'' if len(rows) == 1 else 's'})")
    return "\n".join(out) + "\n"


def _cell(value: object) -> str:
    if value is None:
        return "null"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return printable(text)
