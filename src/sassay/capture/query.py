"""SQL over one or more states. The query sees their tables and nothing else of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sassay.capture.tables import TABLES, fill
from sassay.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sassay.capture.tables import Row
    from sassay.model.state import State

MAX_SQL = 1 << 20


class QueryResult(msgspec.Struct, frozen=True):
    """What a query yields: column names, and rows of plain values in that order."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


def query(
    sql: str, states: Sequence[State], *, lines: Callable[[], Iterable[Row]] | None = None
) -> QueryResult:
    """Run one SELECT over the tables of `capture.tables.TABLES`: kernels, census and so on.

    Every table has a column `state`, so that several states can be compared. Files, networks and
    settings are out of the query's reach.

    Args:
        sql: One statement, in DuckDB's dialect.
        states: The states whose tables it reads.
        lines: Makes the rows of the table `lines`; asked only where the statement may read it.

    Raises:
        UsageError: The SQL is wrong, is no SELECT, or reaches for more than these tables.
    """
    import duckdb  # noqa: PLC0415 - takes longer to import than most commands take to run

    if len(sql) > MAX_SQL:
        raise UsageError("too long", artifact="query", hint=f"at most {MAX_SQL} characters")
    with duckdb.connect(":memory:") as connection:
        for name in TABLES:
            rows = lines() if name == "lines" and lines and "lines" in sql.lower() else None
            fill(connection, name, states, rows)
        for setting in (
            "enable_external_access = false",
            "python_enable_replacements = false",
            "autoload_known_extensions = false",
            "autoinstall_known_extensions = false",
            "allow_community_extensions = false",
            "preserve_insertion_order = true",
            "lock_configuration = true",
        ):
            connection.execute(f"SET {setting}")
        try:
            statements = connection.extract_statements(sql)
            if len(statements) != 1:
                raise UsageError(
                    f"{len(statements)} statements", artifact="query", hint="expected one SELECT"
                )
            if statements[0].type not in {
                duckdb.StatementType.SELECT,
                duckdb.StatementType.EXPLAIN,
            }:
                raise UsageError("is no SELECT", artifact="query")
            cursor = connection.execute(statements[0])
            columns = tuple(column[0] for column in cursor.description or ())
            rows = tuple(tuple(row) for row in cursor.fetchall())
        except duckdb.Error as error:
            raise UsageError(
                _reason(error), artifact="query", hint=f"tables: {', '.join(TABLES)}"
            ) from error
    return QueryResult(columns=columns, rows=rows)


def _reason(error: Exception) -> str:
    """The database's message without the drawing of the statement below it."""
    text = str(error).split("\n\n")[0]
    return " ".join(text.split())[:500]
