"""Rows of a query as a table, JSON or CSV."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from sassay.cli.text import printable

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
        import msgspec

        objects = [dict(zip(columns, row, strict=True)) for row in rows]
        encoded = msgspec.json.encode(objects, enc_hook=str)
        return msgspec.json.format(encoded, indent=2).decode() + "\n"
    if format_ == "csv":
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
        return buffer.getvalue()
    return _table(columns, rows)


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
