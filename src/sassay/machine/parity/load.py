"""Reads a contract file and refuses what is wrong in it, by line and key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sassay.machine.parity import arithmetic, limits
from sassay.machine.parity.contract import (
    FILLS,
    INPUTS,
    LABELS,
    BufferSpec,
    Claim,
    Contract,
    ContractFile,
    Linear,
    RaceSearch,
    Role,
    SideSpec,
    Step,
    Whole,
)
from sassay.machine.parity.formats import FORMATS
from sassay.machine.parity.node import Node, read_toml, suggestion
from sassay.model.finding import Effect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sassay.model.artifact import Scalar

SCHEMA = "sassay/parity/1"

_TOP = ("schema", "from", "arch", "contract")
_STEP = (
    "from", "kernel", "arch", "where", "each", "grid", "block", "shared", "arguments",
)  # fmt: skip
_SIDE = (*_STEP, "steps", "python")
_BUFFER = (
    "type", "shape", "fill", "low", "high", "values", "file", "of", "by", "compare", "role",
)  # fmt: skip
_SHARED = ("name", "from", "arch", "dims", "types", "scalars", "buffers", "left", "right")
_CONTRACT = (
    *_SHARED, "claim", "inputs", "seeds", "ulp", "relative", "absolute", "effect", "pairs",
    "label", "races",
)  # fmt: skip


def load_contracts(path: Path | str) -> ContractFile:
    """Reads and checks a contract file. No kernel is looked at yet.

    Args:
        path: The TOML file.

    Raises:
        InputError: It cannot be read.
        ContractError: Something in it is wrong; the place is the line and the key's path.
        LimitError: It is larger than the bounds.
    """
    place = Path(path)
    return contracts_of(read_toml(place, "a contract file"), place)


def contracts_of(top: Node, place: Path) -> ContractFile:
    """The contracts of a parsed file.

    Raises:
        ContractError: Something in it is wrong.
    """
    top.only(_TOP)
    schema = top.text("schema", SCHEMA)
    if schema != SCHEMA:
        top.refuse("schema", f"unknown schema {schema!r}", f"expected {SCHEMA}")
    nodes = top.tables("contract")
    if not nodes:
        top.refuse(None, "the file has no [[contract]]", "one table for each claim")
    if len(nodes) > limits.MAX_CONTRACTS:
        top.refuse("contract", f"{len(nodes)} contracts", f"at most {limits.MAX_CONTRACTS}")
    base = Defaults(top.optional("from"), top.optional("arch"))
    found: dict[str, Contract] = {}
    for node in nodes:
        contract = _contract(node, base)
        if contract.name in found:
            node.refuse("name", f"two contracts are called {contract.name!r}")
        found[contract.name] = contract
    return ContractFile(str(place), str(place.parent), tuple(found.values()))


class Defaults(msgspec.Struct, frozen=True):
    """What a step takes where it says nothing: the source, and the architecture."""

    origin: str | None
    arch: str | None

    def within(self, node: Node) -> Defaults:
        """The defaults of a table inside."""
        return Defaults(node.optional("from") or self.origin, node.optional("arch") or self.arch)


def _contract(node: Node, defaults: Defaults) -> Contract:
    node.only(_CONTRACT)
    claim = Claim(node.word("claim", [each.value for each in Claim]))
    defaults = defaults.within(node)
    dims, types, scalars = read_dims(node), read_types(node), read_scalars(node)
    names = Names(frozenset(dims), frozenset(types), frozenset(scalars))
    buffers = read_buffers(node.table("buffers"), names)
    names = msgspec.structs.replace(names, buffers=frozenset(buffers))
    bounds = {key: node.number(key) for key in ("ulp", "relative", "absolute")}
    if claim is Claim.CLOSE and all(bound is None for bound in bounds.values()):
        node.refuse("claim", "`close` needs a bound", "ulp = 2, relative = 1e-3 or absolute = 1e-6")
    if claim is not Claim.CLOSE:
        for key, bound in bounds.items():
            if bound is not None:
                node.refuse(key, f"`{claim.value}` takes no bound", 'claim = "close"')
    inputs = node.many("inputs") or (("normal",) if claim is Claim.IDENTICAL else INPUTS)
    for each in inputs:
        if each not in FILLS:
            node.refuse("inputs", f"unknown inputs {each!r}", suggestion(str(each), FILLS))
    sides = [read_side(node.table(key), key, defaults, names, node) for key in ("left", "right")]
    if claim is Claim.IDENTICAL and any(side.python for side in sides):
        node.refuse("claim", "`identical` compares kernels", 'claim = "bitwise" or "close"')
    if claim is Claim.IDENTICAL and "label" in node:
        node.refuse(
            "label",
            "`identical` compares expressions, whatever their values are",
            'claim = "bitwise" or "close", or no label',
        )
    pairs = node.flag("pairs", default=False)
    if pairs and any(
        [each.kernel.count("*") for each in side.kernels] != [1] or len(side.steps) > 1
        for side in sides
    ):
        node.refuse("pairs", "pairs need one kernel a side, with one * in its name")
    return Contract(
        pairs=pairs,
        name=node.text("name"),
        claim=claim,
        left=sides[0],
        right=sides[1],
        buffers=buffers,
        dims=dims,
        types=types,
        scalars=scalars,
        inputs=tuple(inputs),
        seeds=node.count("seeds", 1, 1000),
        effect=Effect(node.word("effect", ("fail", "review"), "fail")),
        label=node.word("label", LABELS) if "label" in node else None,
        races=read_races(node),
        **bounds,
    )


def read_races(node: Node) -> RaceSearch:
    """`races`: which races between threads are looked for."""
    return RaceSearch(node.word("races", [each.value for each in RaceSearch], RaceSearch.HARMFUL))


class Names(msgspec.Struct, frozen=True):
    """Names that expressions and arguments of a contract may use."""

    dims: frozenset[str]
    types: frozenset[str]
    scalars: frozenset[str]
    buffers: frozenset[str] = frozenset()


def read_dims(node: Node) -> dict[str, tuple[int, ...]]:
    """`dims`: whole numbers from 0 by name."""
    table = node.table("dims")
    found: dict[str, tuple[int, ...]] = {}
    for key in table.value:
        _name(table, key)
        for each in table.many(key):
            if isinstance(each, bool) or not isinstance(each, int) or not 0 <= each < 1 << 31:
                table.refuse(key, f"{each!r} is no dimension", "a whole number from 0")
        found[key] = table.many(key)
    return found


def read_types(node: Node) -> dict[str, tuple[str, ...]]:
    """`types`: element types by placeholder."""
    table = node.table("types")
    found: dict[str, tuple[str, ...]] = {}
    for key in table.value:
        _name(table, key)
        for each in table.many(key):
            if each not in FORMATS:
                table.refuse(key, f"unknown type {each!r}", suggestion(str(each), sorted(FORMATS)))
        found[key] = table.many(key)
    return found


def read_scalars(node: Node) -> dict[str, float]:
    """`scalars`: numbers by name."""
    table = node.table("scalars")
    found: dict[str, float] = {}
    for key, value in table.items():
        _name(table, key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            table.refuse(key, f"{value!r} is no number")
        found[key] = value
    return found


def _name(table: Node, key: str) -> None:
    if not key.isidentifier():
        table.refuse(key, f"{key!r} is no name", "letters, digits and _")


def read_buffers(node: Node, names: Names) -> dict[str, BufferSpec]:
    """`buffers`: what both sides see, by name."""
    found: dict[str, BufferSpec] = {}
    for key, value in node.items():
        _name(node, key)
        if not isinstance(value, dict):
            node.refuse(key, "a buffer is a table", 'such as { type = "bf16", shape = ["M", "H"] }')
        found[key] = _buffer(node.table(key), names, list(node.value))
    if not found:
        node.refuse(
            None, "there are no buffers", '[contract.buffers] with x = { type = "bf16", ... }'
        )
    return found


def _buffer(node: Node, names: Names, siblings: list[str]) -> BufferSpec:
    node.only(_BUFFER)
    kind = node.text("type")
    if kind not in FORMATS and kind not in {f"{{{each}}}" for each in names.types}:
        known = [*sorted(FORMATS), *(f"{{{each}}}" for each in sorted(names.types))]
        node.refuse("type", f"unknown type {kind!r}", suggestion(kind, known))
    fill = node.optional("fill")
    if fill is not None and fill not in FILLS:
        node.refuse("fill", f"unknown fill {fill!r}", suggestion(fill, FILLS))
    for each in node.many("values"):
        if isinstance(each, bool) or not isinstance(each, int | float):
            node.refuse("values", f"{each!r} is no number")
    high = node.value.get("high")
    if kind in FORMATS and not FORMATS[kind].is_float:
        given = {"high", "fill", "values", "file"} & set(node.value)
        if (
            (not given and node.value.get("role") != Role.OUT.value)
            or fill in INPUTS
            or fill == "uniform"
        ):
            node.refuse(
                None,
                "integers need a range",
                'low = 0, high = "N", or values, file, fill = "zeros"',
            )
    role = Role(node.word("role", [each.value for each in Role])) if "role" in node else None
    content = {"fill", "values", "low", "high", "file", "of"} & set(node.value)
    if role is None and content:
        role = Role.OUT if fill == "poison" else Role.INOUT
    if role is not None and (role is Role.OUT) != (fill == "poison"):
        if role is not Role.OUT:
            node.refuse("fill", f"`{role.value}` holds something", 'role = "out", or another fill')
        if content:
            node.refuse("role", "`out` holds nothing", 'role = "inout", or no content')
        fill = "poison"
    return BufferSpec(
        role=role,
        type=kind,
        shape=_wholes(node, "shape", names),
        fill=fill,
        low=_whole(node, "low", node.value.get("low", 0), names),
        high=None if high is None else _whole(node, "high", high, names),
        values=node.many("values"),
        file=node.optional("file"),
        of=node.word("of", siblings) if "of" in node else None,
        by=node.word("by", sorted(names.scalars)) if "by" in node else None,
        compared=node.flag("compare", default=True),
    )


def _whole(
    node: Node, key: str, value: object, names: Names, more: frozenset[str] = frozenset()
) -> Whole:
    found = node.expression(key, value)
    known = names.dims | more
    for name in sorted(arithmetic.names_in(found)):
        if name not in known:
            node.refuse(key, f"unknown dimension {name!r}", suggestion(name, sorted(known)))
    return found


def _wholes(
    node: Node, key: str, names: Names, more: frozenset[str] = frozenset()
) -> tuple[Whole, ...]:
    return tuple(_whole(node, key, each, names, more) for each in node.many(key))


def read_side(node: Node, key: str, defaults: Defaults, names: Names, above: Node) -> SideSpec:
    """`left` or `right`."""
    if not node.value:
        above.refuse(
            None, f"[contract.{key}] is missing", "kernel = ..., steps = ... or python = ..."
        )
    node.only(_SIDE)
    given = [each for each in ("kernel", "steps", "python") if each in node]
    if len(given) != 1:
        node.refuse(None, "a side needs one of `kernel`, `steps`, `python`")
    if "python" in node:
        python = node.text("python")
        file, _, function = python.rpartition(":")
        if not file.endswith(".py") or not function.isidentifier():
            node.refuse("python", f"{python!r} names no function", "FILE.py:FUNCTION")
        return SideSpec(python=python)
    defaults = defaults.within(node)
    nodes = node.tables("steps") if "steps" in node else (node,)
    return SideSpec(steps=tuple(_any_step(each, defaults, names) for each in nodes))


def _any_step(node: Node, defaults: Defaults, names: Names) -> Step | Linear:
    if "linear" not in node:
        return _step(node, defaults, names)
    node.only(("linear",))
    table = node.table("linear")
    table.only(("x", "weight", "out"))
    known = sorted(names.buffers)
    return Linear(*(table.word(key, known) for key in ("x", "weight", "out")))


def _step(node: Node, defaults: Defaults, names: Names) -> Step:
    node.only(_STEP)
    defaults = defaults.within(node)
    if defaults.origin is None:
        node.refuse(None, "where does the kernel come from?", "from = a manifest, a .ptx, a cache")
    each_table = node.table("each")
    each = {name: _whole(each_table, name, value, names) for name, value in each_table.items()}
    loops = frozenset(each)
    where: dict[str, Scalar] = {}
    for name, value in node.table("where").items():
        if not isinstance(value, str | int | float | bool):
            node.table("where").refuse(name, "has to be one value")
        where[name] = value
    shared = node.value.get("shared")
    return Step(
        kernel=node.text("kernel"),
        origin=defaults.origin,
        arch=defaults.arch,
        where=where,
        each=each,
        grid=_wholes(node, "grid", names, loops) or (1,),
        block=_wholes(node, "block", names, loops),
        shared=None if shared is None else _whole(node, "shared", shared, names, loops),
        arguments=_arguments(node, names, loops),
    )


def _arguments(
    node: Node, names: Names, loops: frozenset[str]
) -> Mapping[str, Scalar] | tuple[Scalar, ...]:
    given = node.value.get("arguments", ())
    if isinstance(given, dict):
        table = node.table("arguments")
        return {key: _argument(table, key, value, names, loops) for key, value in table.items()}
    return tuple(
        _argument(node, "arguments", value, names, loops) for value in node.many("arguments")
    )


def _argument(node: Node, key: str, value: Any, names: Names, loops: frozenset[str]) -> Scalar:
    if isinstance(value, int | float | bool):
        return value
    if not isinstance(value, str):
        node.refuse(key, f"{value!r} is no argument", "a buffer, a scalar, a number or null")
    if value in {"null", *names.scalars}:
        return value
    buffer, bracket, index = value.partition("[")
    if buffer in names.buffers and (not bracket or index.endswith("]")):
        for part in index.removesuffix("]").split(",") if bracket else ():
            _whole(node, key, part.strip(), names, loops)
        return value
    if bracket:
        node.refuse(key, f"unknown buffer {buffer!r}", suggestion(buffer, sorted(names.buffers)))
    try:
        used = arithmetic.names_in(value)
    except Exception as error:  # noqa: BLE001 - said again with its place
        node.refuse(key, str(error))
    known = names.dims | loops
    for name in sorted(used - known):
        all_names = sorted(known | names.buffers | names.scalars)
        node.refuse(key, f"unknown name {name!r}", suggestion(name, all_names))
    return value
