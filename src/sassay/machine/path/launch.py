"""A small launch of a kernel, derived from what a capture knows of it.

Two blocks in each dimension of the grid that the code reads; integer scalars are the kernel's
largest tile, so that every mask holds; integer arrays hold small numbers; arrays are as large as
the kernel turns out to reach.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.machine.launch import Launch
from sassay.machine.symbolic import Leaf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sassay.machine.program import Program
    from sassay.model.kernel import Kernel

_WIDTHS = {
    "bf16": "u2", "fp16": "u2", "fp32": "u4", "fp64": "u8", "i1": "i1", "u1": "u1",
    "i8": "i1", "u8": "u1", "i16": "i2", "u16": "u2", "i32": "i4", "u32": "u4",
    "i64": "i8", "u64": "u8",
}  # fmt: skip
_LARGEST_TILE = 8192
_TILES_APART = 64
_TILE = re.compile("BLOCK|TILE|SIZE|DIM|WIDTH|HIDDEN|HALF", re.IGNORECASE)
_STEP_LIMIT = 1 << 21
SIZES = (1 << 16, 1 << 20, 1 << 23)
"""Elements of an array, tried one after the other until no access is out of bounds."""


class NoLaunchError(Exception):
    """No launch can be derived; the text says why."""


def _element(kind: str) -> str:
    plain = kind.removeprefix("*").removeprefix("k")
    if plain.startswith("fp8"):
        return "u1"
    found = _WIDTHS.get(plain)
    if found is None:
        raise NoLaunchError(f"arguments of type {kind} are not known")
    return found


def _tile(kernel: Kernel) -> int:
    """The largest constant that is called a tile, or else may be one: a power of two."""
    numbers = {
        name: value
        for name, value in kernel.specialization.constants.items()
        if isinstance(value, int) and not isinstance(value, bool) and 2 <= value <= _LARGEST_TILE
        if value & (value - 1) == 0
    }
    named = [value for name, value in numbers.items() if _TILE.search(name)]
    return max(named or [each for each in numbers.values() if each >= 16], default=1024)


def canonical_launch(
    kernel: Kernel, program: Program, size: int
) -> tuple[Launch, Mapping[int, Leaf], str]:
    """A launch of a Triton kernel.

    Args:
        kernel: As captured, with its signature.
        program: Its entry.
        size: Elements of each array.

    Returns:
        The launch, what its arguments are called, and the launch in words.

    Raises:
        NoLaunchError: It cannot be derived.
    """
    signature = kernel.specialization.signature
    if not signature:
        raise NoLaunchError("no launch is known: the capture holds no signature of its parameters")
    block = kernel.launch.block or program.required_block
    if block is None:
        if kernel.launch.warps is None:
            raise NoLaunchError("no launch is known: neither block size nor warps")
        block = (32 * kernel.launch.warps, 1, 1)
    given = [(name, kind) for name, kind in signature.items() if kind not in {"constexpr", "none"}]
    if len(given) > len(program.params):
        raise NoLaunchError(
            f"the signature has {len(given)} parameters and the code {len(program.params)}"
        )
    tile = _tile(kernel)
    arguments: list[Any] = []
    leaves: dict[int, Leaf] = {}
    scalars: dict[str, int] = {}
    for (name, kind), param in zip(given, program.params, strict=False):
        pointer = ".ptr" in param.text or (param.type == "u64" and kind.startswith("*"))
        if kind.startswith("*") != pointer:
            raise NoLaunchError(
                "the capture has lost the order of the parameters: capture the kernels again"
            )
        leaves[len(arguments)] = Leaf(name)
        if kind.startswith("*"):
            arguments.append(_array(_element(kind), size))
        elif kind in {"fp16", "bf16", "fp32", "fp64"}:
            arguments.append(1.0)
        elif kind.startswith(("i", "u")):
            value = 1 if kind in {"i1", "u1"} else tile
            if "stride" in name.lower():
                # Far enough apart that rows of several tiles do not overlap.
                value = tile * _TILES_APART
            scalars[name] = value
            arguments.append(value)
        else:
            raise NoLaunchError(f"arguments of type {kind} are not known")
    arguments += [None] * (len(program.params) - len(arguments))
    grid = tuple(2 if f"%ctaid.{axis}" in program.specials else 1 for axis in "xyz")
    shared = _dynamic_shared(kernel, program)
    launch = Launch(grid, block, arguments, shared=shared, step_limit=_STEP_LIMIT)
    words = f"grid {_times(grid)}, block {_times(block)}"
    if scalars:
        words += ", " + ", ".join(f"{name}={value}" for name, value in scalars.items())
    return launch, leaves, words


def _array(dtype: str, size: int) -> Any:
    if dtype in {"i4", "i8"}:
        # Indices, offsets, counts: small, and none beyond what they may count.
        return (np.arange(size) % 16).astype(dtype)
    return np.zeros(size, dtype)


def _dynamic_shared(kernel: Kernel, program: Program) -> int:
    named = kernel.metadata.get("shared")
    del program
    return named if isinstance(named, int) else 0


def _times(size: tuple[int, ...]) -> str:
    shown = list(size)
    while len(shown) > 1 and shown[-1] == 1:
        shown.pop()
    return "x".join(str(each) for each in shown)
