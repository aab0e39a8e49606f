"""`sassay query`: SQL over the tables of one or more states."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from sassay.cli import options as o
from sassay.cli.session import Session


class QueryFormat(StrEnum):
    """Formats of query results."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def query_command(
    sql: Annotated[str, typer.Argument(help="A DuckDB SELECT over the tables below.")],
    states: o.StatesArg,
    *,
    arch: o.ArchOpt = None,
    wrapper: o.WrapperOpt = None,
    format_: Annotated[
        QueryFormat, typer.Option("--format", "-f", help="Format of the rows.")
    ] = QueryFormat.TABLE,
    output: o.OutputOpt = None,
) -> None:
    """Ask anything of the tables of one or more states in SQL (DuckDB; read only, no file access).

    Tables: kernels (a row a kernel and state), census (state, kernel, layer, opcode, category,
    count), families, sources, diagnostics, lines (a row a source line, layer and category).

    For example:

      sassay query "select family, sum(code_bytes) from kernels group by 1 order by 2" pr.sassay

      sassay query "select state, sum(count) from census where opcode like 'HG%' group by 1" a b

      sassay query "select file, line, sum(own) from lines where layer = 'sass' group by all" a
    """
    from functools import partial

    from sassay.capture import query
    from sassay.capture.line_rows import line_rows
    from sassay.cli.output import write_stdout, write_whole
    from sassay.cli.rows import render_rows

    with Session(wrappers=wrapper) as session:
        opened = session.open_all(states, archs=tuple(arch or ()))
        found = partial(line_rows, opened, session.store, session.disassembler)
        rows = query(sql, opened, lines=found)
    text = render_rows(rows.columns, rows.rows, format_.value)
    if output is None:
        write_stdout(text)
    else:
        write_whole(output, text)
