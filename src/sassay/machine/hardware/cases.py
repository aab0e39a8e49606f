"""A corpus of kernels with launches: pairs of `NAME.ptx` and `NAME.toml`.

A `[[launch]]` names an entry, its grid and block, its arguments (`make` with a shape and a seed, a
`value`, or a list of `values`), and which of them are results (`expect`, or `results`).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.containers.limits import MAX_TEXT_BYTES, MIB
from sassay.errors import InputError, LimitError
from sassay.machine.async_copy.tensor_map import TensorMap
from sassay.machine.hardware.words import WIDTHS, mixed_words
from sassay.machine.launch import Launch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

MAX_ARRAY_BYTES = 1024 * MIB
"""All arrays of one launch: a description is short, what it describes may be endless."""
MAX_SIDECAR_BYTES = 16 * MIB
"""One NAME.toml."""


@dataclass(frozen=True)
class Case:
    """One launch of one entry.

    Attributes:
        name: File, entry and number of the launch.
        text: The module.
        entry: Name of the entry.
        launch: With its arguments.
        results: Positions of the arguments that hold results.
    """

    name: str
    text: str
    entry: str
    launch: Launch
    results: tuple[int, ...]


def make(argument: dict[str, Any]) -> Any:
    """An argument out of its description.

    A `value` is passed as it is, `values` as an array of a `dtype`; `null` is a null pointer.
    `make` is `zeros`, `count`, `powers`, `bf16`, `e4m3` (finite words), `mixed` (see `words`), a
    float type (normal, times `scale`) or an integer type (all values, or from `low` to `high`), of
    a `shape`, drawn with a `seed`. With a `box` it is a tensor map with a `swizzle`, and with
    `nan_fill` if it is to.

    Raises:
        LimitError: An array of more than `MAX_ARRAY_BYTES`.
    """
    if "value" in argument:
        return argument["value"]
    if "values" in argument:
        return np.array(argument["values"], argument["dtype"])
    if argument["make"] == "null":
        return None
    _check_sizes([argument])
    array = _array(argument)
    if "box" in argument:
        swizzle, fills = argument.get("swizzle", 16), argument.get("nan_fill", False)
        return TensorMap(array, tuple(argument["box"]), swizzle, nan_fill=fills)
    return array


def _bytes(argument: dict[str, Any]) -> int:
    """What an array will take."""
    kind = argument.get("make", "null")
    if kind == "null":
        return 0
    by_name = {"bf16": 2, "e4m3": 1}
    if kind == "mixed":
        width = WIDTHS[argument["type"]] // 8
    else:
        width = by_name.get(kind) or np.dtype(argument.get("dtype", kind)).itemsize
    return width * prod(argument["shape"])


def _check_sizes(arguments: list[dict[str, Any]]) -> None:
    size = sum(map(_bytes, arguments))
    if size > MAX_ARRAY_BYTES:
        raise LimitError(f"arrays of {size / MIB:.0f} MiB, over {MAX_ARRAY_BYTES // MIB}")


def _array(argument: dict[str, Any]) -> NDArray[Any]:
    shape, kind = tuple(argument["shape"]), argument["make"]
    if kind == "zeros":
        return np.zeros(shape, argument["dtype"])
    if kind == "count":
        return np.arange(1, np.prod(shape) + 1).astype(argument["dtype"]).reshape(shape)
    if kind == "powers":
        return (2.0 ** (np.arange(np.prod(shape)) - 1)).astype(argument["dtype"]).reshape(shape)
    if kind == "mixed":
        rows, count = shape
        return mixed_words(argument["type"], (rows, count), argument["seed"])
    random = np.random.default_rng(argument["seed"])
    if kind == "bf16":
        values = random.standard_normal(shape).astype(np.float32)
        values *= np.float32(argument.get("scale", 1.0))
        return (values.view(np.uint32) >> np.uint32(16)).astype(np.uint16)
    if kind == "e4m3":
        words = random.integers(0, 0x7F, shape, dtype=np.uint8)
        return words | (random.integers(0, 2, shape, dtype=np.uint8) << np.uint8(7))
    if kind.startswith("float"):
        return (random.standard_normal(shape) * argument.get("scale", 1.0)).astype(kind)
    info = np.iinfo(kind)
    low, high = argument.get("low", info.min), argument.get("high", info.max)
    return random.integers(low, high, shape, dtype=kind, endpoint=True)


def read_cases(folder: Path) -> Iterator[Case]:
    """The launches of a folder, in the order of their names.

    Raises:
        InputError: There is none, or one lacks what it needs.
    """
    sidecars = sorted(folder.glob("*.toml"))
    if not sidecars:
        raise InputError("no NAME.toml beside a NAME.ptx", artifact=str(folder))
    for sidecar in sidecars:
        module = sidecar.with_suffix(".ptx")
        try:
            text = _text(module, MAX_TEXT_BYTES)
            launches = tomllib.loads(_text(sidecar, MAX_SIDECAR_BYTES))["launch"]
            for number, each in enumerate(launches):
                yield _case(f"{sidecar.stem}-{each['entry']}-{number}", text, each)
        except LimitError as error:
            raise LimitError(error.message, artifact=str(sidecar)) from None
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{type(error).__name__}: {error}", artifact=str(sidecar)) from None


def _text(path: Path, limit: int) -> str:
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise LimitError(f"{path.name} has more than {limit // MIB} MiB")
    return content.decode("utf-8")


def _case(name: str, text: str, described: dict[str, Any]) -> Case:
    _check_sizes(described["arguments"])
    launch = Launch(
        described["grid"],
        described["block"],
        [make(each) for each in described["arguments"]],
        shared=described.get("shared", 0),
    )
    results = described.get("results") or [each["argument"] for each in described["expect"]]
    return Case(name, text, described["entry"], launch, tuple(results))
