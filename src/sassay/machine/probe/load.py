"""Reads a probe file and refuses what is wrong in it, by line and key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sassay.machine.parity import arithmetic, limits
from sassay.machine.parity.load import (
    Defaults,
    Names,
    read_buffers,
    read_dims,
    read_races,
    read_scalars,
    read_side,
)
from sassay.machine.parity.node import read_toml, suggestion
from sassay.machine.probe.spec import KINDS, ROWS, Bounds, ProbeSpec

if TYPE_CHECKING:
    from sassay.machine.parity.node import Node

SCHEMA = "sassay/probe/1"
_TOP = (
    "schema", "name", "from", "arch", "rows", "seed", "chunk", "kinds", "dims", "scalars",
    "buffers", "input", "ids", "weights", "left", "right", "bounds", "races",
)  # fmt: skip
_ROWS = 100_000
_CHUNK = 4096


def load_probe(path: Path | str) -> ProbeSpec:
    """Reads and checks a probe file. No kernel is looked at yet.

    Args:
        path: The TOML file.

    Raises:
        InputError: It cannot be read.
        ContractError: Something in it is wrong; the place is the line and the key's path.
    """
    place = Path(path)
    top = read_toml(place, "a probe file")
    top.only(_TOP)
    schema = top.text("schema", SCHEMA)
    if schema != SCHEMA:
        top.refuse("schema", f"unknown schema {schema!r}", f"expected {SCHEMA}")
    dims = _dims(top)
    scalars = read_scalars(top)
    names = Names(frozenset({*dims, ROWS}), frozenset(), frozenset(scalars))
    buffers = read_buffers(top.table("buffers"), names)
    names = msgspec.structs.replace(names, buffers=frozenset(buffers))
    known = sorted(buffers)
    defaults = Defaults(top.optional("from"), top.optional("arch"))
    left, right = (
        read_side(top.table(key), key, defaults, names, top) for key in ("left", "right")
    )
    chosen = {key: top.word(key, known) for key in ("input", "ids")}
    weights = top.word("weights", known) if "weights" in top else None
    for key, name in (*chosen.items(), ("weights", weights)):
        shape = buffers[name].shape if name is not None else (ROWS, 1)
        if len(shape) != 2 or arithmetic.names_in(shape[0]) != {ROWS}:
            top.refuse(key, f"{name} has to be a row for each of `rows`", 'shape = ["rows", "E"]')
    kinds = top.many("kinds") or KINDS
    for kind in kinds:
        if kind not in KINDS:
            top.refuse("kinds", f"unknown kind {kind!r}", suggestion(str(kind), KINDS))
    seed = top.value.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int):
        top.refuse("seed", "the seed has to be a whole number")
    return ProbeSpec(
        path=str(place),
        folder=str(place.parent),
        name=top.text("name", place.stem),
        left=left,
        right=right,
        buffers=buffers,
        dims=dims,
        scalars=scalars,
        weights=weights,
        kinds=tuple(kinds),
        rows=top.count("rows", _ROWS, limits.MAX_ROWS),
        seed=seed,
        chunk=top.count("chunk", _CHUNK, 1 << 20),
        bounds=_bounds(top.table("bounds")),
        races=read_races(top),
        **chosen,
    )


def _dims(top: Node) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, values in read_dims(top).items():
        if name == ROWS or len(values) != 1:
            top.table("dims").refuse(name, "a probe has one value for each dimension but `rows`")
        found[name] = values[0]
    return found


def _bounds(node: Node) -> Bounds:
    fields = tuple(Bounds.__struct_fields__)
    node.only(fields)
    return Bounds(**{name: node.number(name) for name in fields})
