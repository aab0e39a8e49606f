"""States as flat tables, for Parquet and for queries; one builder a table.

The column names are part of the interface: what reads a capture from outside relies on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from sassay.isa.categories import category
from sassay.model.layers import Layer
from sassay.model.state import State

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from sassay.model.kernel import Census, Kernel

Cell = str | int | float | bool | None
Row = tuple[Cell, ...]

KERNEL_COLUMNS = {
    "state": "VARCHAR", "id": "VARCHAR", "name": "VARCHAR", "symbol": "VARCHAR",
    "family": "VARCHAR", "arch": "VARCHAR", "place": "VARCHAR", "places": "BIGINT",
    "code_bytes": "BIGINT", "sass_instructions": "BIGINT", "ptx_instructions": "BIGINT",
    "registers": "BIGINT", "shared_bytes": "BIGINT", "static_shared_bytes": "BIGINT",
    "stack_bytes": "BIGINT", "local_bytes": "BIGINT", "constant_bytes": "BIGINT",
    "barriers": "BIGINT", "spill_load_bytes": "BIGINT", "spill_store_bytes": "BIGINT",
    "warps": "BIGINT", "block": "VARCHAR", "cluster": "VARCHAR", "digest": "VARCHAR",
    "ptx_digest": "VARCHAR", "ptxas": "VARCHAR", "ptx_version": "VARCHAR",
    "frontend": "VARCHAR", "location_file": "VARCHAR", "location_line": "BIGINT",
    "specialization": "VARCHAR", "metadata": "VARCHAR", "facts": "VARCHAR",
}  # fmt: skip
CENSUS_COLUMNS = {
    "state": "VARCHAR", "kernel": "VARCHAR", "family": "VARCHAR", "arch": "VARCHAR",
    "layer": "VARCHAR", "opcode": "VARCHAR", "category": "VARCHAR", "count": "BIGINT",
}  # fmt: skip
FAMILY_COLUMNS = {
    "state": "VARCHAR", "family": "VARCHAR", "arch": "VARCHAR", "kernels": "BIGINT",
    "code_bytes": "BIGINT", "sass_instructions": "BIGINT", "ptx_instructions": "BIGINT",
}  # fmt: skip
SOURCE_COLUMNS = {
    "state": "VARCHAR", "kernel": "VARCHAR", "kind": "VARCHAR", "path": "VARCHAR",
}  # fmt: skip
LINE_COLUMNS = {
    "state": "VARCHAR", "kernel": "VARCHAR", "family": "VARCHAR", "arch": "VARCHAR",
    "layer": "VARCHAR", "file": "VARCHAR", "line": "BIGINT", "category": "VARCHAR",
    "own": "BIGINT", "inclusive": "BIGINT", "text": "VARCHAR",
}  # fmt: skip
DIAGNOSTIC_COLUMNS = {
    "state": "VARCHAR", "level": "VARCHAR", "place": "VARCHAR", "message": "VARCHAR",
    "arch": "VARCHAR", "layer": "VARCHAR",
}  # fmt: skip


def kernel_rows(states: Iterable[State]) -> Iterator[Row]:
    """One row a kernel."""
    for state in states:
        for kernel in state.kernels:
            resources, launch = kernel.resources, kernel.launch
            yield (
                state.label, kernel.id, kernel.name, kernel.symbol, kernel.family, kernel.arch,
                kernel.sources[0].path if kernel.sources else None, len(kernel.sources),
                kernel.code_bytes, _total(kernel.instructions.sass),
                _total(kernel.instructions.ptx), resources.registers, resources.shared_bytes,
                resources.static_shared_bytes, resources.stack_bytes, resources.local_bytes,
                resources.constant_bytes, resources.barriers, resources.spill_load_bytes,
                resources.spill_store_bytes, launch.warps, _extent(launch.block),
                _extent(launch.cluster), kernel.digest, kernel.ptx_digest,
                _joined(item.ptxas for item in kernel.toolchains),
                _joined(item.ptx_version for item in kernel.toolchains),
                _joined(item.frontend for item in kernel.toolchains),
                kernel.location.file if kernel.location else None,
                kernel.location.line if kernel.location else None,
                _in_order(kernel.specialization), _json(kernel.metadata), _json(kernel.facts),
            )  # fmt: skip


def census_rows(states: Iterable[State]) -> Iterator[Row]:
    """One row for each opcode of each layer of each kernel."""
    known: dict[tuple[Layer, str], str] = {}
    for state in states:
        for kernel in state.kernels:
            head = (state.label, kernel.id, kernel.family, kernel.arch)
            for layer in Layer:
                name = layer.value
                for opcode, count in (kernel.instructions.of(layer) or {}).items():
                    named = known.get((layer, opcode))
                    if named is None:
                        named = known[layer, opcode] = category(layer, opcode)
                    yield (*head, name, opcode, named, count)


def family_rows(states: Iterable[State]) -> Iterator[Row]:
    """One row for each family and architecture; a sum is null where no kernel has the figure."""
    for state in states:
        groups: dict[tuple[str, str], list[Kernel]] = {}
        for kernel in state.kernels:
            groups.setdefault((kernel.family, kernel.arch), []).append(kernel)
        for (family, arch), kernels in sorted(groups.items()):
            yield (
                state.label, family, arch, len(kernels),
                _sum(kernel.code_bytes for kernel in kernels),
                _sum(_total(kernel.instructions.sass) for kernel in kernels),
                _sum(_total(kernel.instructions.ptx) for kernel in kernels),
            )  # fmt: skip


def source_rows(states: Iterable[State]) -> Iterator[Row]:
    """One row for each place that holds a kernel."""
    for state in states:
        for kernel in state.kernels:
            for source in kernel.sources:
                yield state.label, kernel.id, source.kind.value, source.path


def diagnostic_rows(states: Iterable[State]) -> Iterator[Row]:
    """One row a diagnostic."""
    for state in states:
        for item in state.diagnostics:
            yield state.label, item.level.value, item.place, item.message, item.arch, item.layer


def no_rows(_states: Iterable[State]) -> Iterator[Row]:
    """Nothing: the rows of `lines` follow from code, not from records, and come from outside."""
    return iter(())


Builder = Callable[[Iterable[State]], Iterator[Row]]

TABLES: Mapping[str, tuple[Mapping[str, str], Builder]] = {
    "kernels": (KERNEL_COLUMNS, kernel_rows),
    "census": (CENSUS_COLUMNS, census_rows),
    "families": (FAMILY_COLUMNS, family_rows),
    "sources": (SOURCE_COLUMNS, source_rows),
    "diagnostics": (DIAGNOSTIC_COLUMNS, diagnostic_rows),
    "lines": (LINE_COLUMNS, no_rows),
}
"""Table name to its columns with their SQL types, and what fills it."""
WRITTEN_TABLES = ("census", "kernels", "lines")
"""Those that a capture holds as Parquet; the others follow from them."""


def fill(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    states: Sequence[State],
    rows: Iterable[Row] | None = None,
) -> None:
    """Create and fill one table of `TABLES` in a database.

    Args:
        connection: The database.
        name: The table.
        states: What fills it.
        rows: Its rows, where they do not follow from the states alone.
    """
    import numpy as np  # noqa: PLC0415 - reading a capture must not import it

    columns, builder = TABLES[name]
    declared = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
    connection.execute(f'CREATE TABLE "{name}" ({declared})')
    cells = list(zip(*(builder(states) if rows is None else rows), strict=True))
    if not cells:
        return
    arrays: dict[str, object] = {}
    for (column, kind), values in zip(columns.items(), cells, strict=True):
        if kind == "VARCHAR":
            # A NUL or a lone surrogate would not survive the way into the database.
            plain = {value: _plain(value) for value in set(values)}
            arrays[column] = np.array([plain[value] for value in values], dtype=object)
        else:
            missing = [value is None for value in values]
            numbers = np.array([0 if value is None else value for value in values], np.int64)
            arrays[column] = np.ma.masked_array(numbers, mask=missing)
    connection.register("incoming", arrays)
    connection.execute(f'INSERT INTO "{name}" SELECT * FROM incoming')  # noqa: S608 - a name of TABLES
    connection.unregister("incoming")


def write_tables(state: State, folder: Path, lines: Iterable[Row] = ()) -> None:
    """Write the Parquet tables of a capture; equal states give equal bytes.

    Args:
        state: What fills them.
        folder: Where to.
        lines: Rows of the table `lines`; without any it is not written.
    """
    import duckdb  # noqa: PLC0415 - reading a capture must not import it

    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        given = list(lines)
        for name in WRITTEN_TABLES:
            if name == "lines" and not given:
                continue
            fill(connection, name, [state], given if name == "lines" else None)
            target = str(folder / f"{name}.parquet").replace("'", "''")
            connection.execute(f"COPY \"{name}\" TO '{target}' (FORMAT parquet, COMPRESSION zstd)")


def _plain(value: Cell) -> str | None:
    if value is None:
        return None
    return str(value).replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _total(census: Census | None) -> int | None:
    return None if census is None else sum(census.values())


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _extent(extent: tuple[int, int, int] | None) -> str | None:
    return None if extent is None else "x".join(str(part) for part in extent)


def _joined(values: Iterable[str | None]) -> str | None:
    known = sorted({value for value in values if value is not None})
    return ", ".join(known) or None


def _in_order(value: object) -> str:
    """JSON that keeps the order of mappings: a signature's is that of the kernel's parameters."""
    return msgspec.json.encode(value).decode()


def _json(value: object) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()
