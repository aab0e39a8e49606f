"""Small launches of a kernel, derived from what a capture knows of it.

Two blocks in each dimension of the grid that the code reads; integer scalars are the kernel's
largest tile, so that every mask holds; integer arrays hold small numbers; arrays are as large as
the kernel turns out to reach. With matrix instructions sizes are at least 256, so that the steps of
a loop show, and the grid is as large as it takes to write all that masks allow, so that another
tile size is no other launch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.machine.launch import Launch
from sassay.machine.path.parameters import UnknownParameterError, parameters_of
from sassay.machine.symbolic import Leaf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sassay.machine.path.parameters import Parameter
    from sassay.machine.program import Program
    from sassay.model.kernel import Kernel

_LARGEST_TILE, _SMALLEST_TILE = 8192, 16
_TILES_APART, _MATRICES_APART = 64, 4
_LEAST_MATRIX = 256
_MOST_SPLITS = 16
_TILE = re.compile("BLOCK|TILE|SIZE|DIM|WIDTH|HIDDEN|HALF", re.IGNORECASE)
_STEP_LIMIT = 1 << 21
_MATRIX_STEP_LIMIT = 1 << 27
_SCRATCH = 1 << 16
SIZES = (1 << 16, 1 << 20, 1 << 23)
"""Elements of an array, tried one after the other until no access is out of bounds."""


class NoLaunchError(Exception):
    """No launch can be derived; the text says why."""


@dataclass(frozen=True)
class Derived:
    """A launch that was derived.

    Attributes:
        launch: The launch.
        leaves: What its arguments are called.
        words: The launch in words.
        scalars: Integer arguments by name.
        scratch: Positions of arguments that are no outputs.
    """

    launch: Launch
    leaves: Mapping[int, Leaf]
    words: str
    scalars: Mapping[str, int]
    scratch: frozenset[int]


@dataclass(frozen=True)
class Plan:
    """How launches of one kernel are derived.

    Attributes:
        parameters: Of the kernel.
        block: Threads by dimension.
        shared: Bytes of dynamic shared memory.
        length: What integer scalars are.
        apart: What strides are.
        tile: The smallest constant that is called a tile of outputs, or else may be one.
        axes: Dimensions of the grid that the code reads.
        matrices: It has matrix instructions.
        scratch: Bytes for each block that a compiler asks for.
        splits: Over how many blocks a sum is split, by a constant that is called so; 0 for none.
    """

    parameters: tuple[Parameter, ...]
    block: tuple[int, int, int]
    shared: int
    length: int
    apart: int
    tile: int
    axes: str
    matrices: bool
    scratch: int
    splits: int

    @property
    def grid(self) -> tuple[int, int, int]:
        """Two blocks in each dimension that the code reads; those that a sum is split over."""
        counts = [2 if axis in self.axes else 1 for axis in "xyz"]
        if self.split_axis is not None:
            counts[self.split_axis] = self.splits
        x, y, z = counts
        return x, y, z

    @property
    def split_axis(self) -> int | None:
        """The dimension of the grid over which a sum is split: the last, of several."""
        return "xyz".index(self.axes[-1]) if self.splits and len(self.axes) > 1 else None

    @property
    def sized(self) -> bool:
        """Whether there is a size that could be another."""
        return any(each.kind == "integer" for each in self.parameters)

    def launch(
        self, size: int, grid: tuple[int, int, int] | None = None, *, larger: int = 1
    ) -> Derived:
        """A launch.

        Args:
            size: Elements of each array.
            grid: Blocks.
            larger: How many times as large integer scalars are.
        """
        grid = grid or self.grid
        arguments: list[Any] = []
        leaves: dict[int, Leaf] = {}
        scalars: dict[str, int] = {}
        scratch = set[int]()
        for position, each in enumerate(self.parameters):
            if each.kind in {"scratch", "null"}:
                scratch.add(position)
                blocks = grid[0] * grid[1] * grid[2]
                room = max(self.scratch * blocks, _SCRATCH)
                arguments.append(np.zeros(room, np.uint8) if each.kind == "scratch" else None)
                continue
            leaves[position] = Leaf(each.name)
            if each.kind == "array":
                arguments.append(_array(each.dtype, size))
            elif each.kind == "float":
                arguments.append(1.0)
            else:
                value = 1 if each.kind == "flag" else self.length
                if "stride" in each.name.lower():
                    # Far enough apart that rows of several tiles do not overlap.
                    value = self.apart
                if each.kind == "integer":
                    value *= larger
                scalars[each.name] = value
                arguments.append(value)
        limit = _MATRIX_STEP_LIMIT if self.matrices else _STEP_LIMIT * larger
        launch = Launch(grid, self.block, arguments, shared=self.shared, step_limit=limit)
        words = f"grid {_times(grid)}, block {_times(self.block)}"
        if scalars:
            words += ", " + ", ".join(f"{name}={value}" for name, value in scalars.items())
        return Derived(launch, leaves, words, scalars, frozenset(scratch))


def plan_launches(kernel: Kernel, program: Program) -> Plan:
    """How a kernel can be launched.

    Args:
        kernel: As captured.
        program: Its entry.

    Raises:
        NoLaunchError: That cannot be derived.
    """
    try:
        parameters = parameters_of(kernel, program)
    except UnknownParameterError as error:
        raise NoLaunchError(f"no launch is known: {error}") from error
    block = kernel.launch.block or program.required_block
    if block is None and kernel.launch.warps is not None:
        block = (32 * kernel.launch.warps, 1, 1)
    block = block or kernel.launch.max_block
    if block is None:
        raise NoLaunchError(
            "no launch is known: neither .reqntid nor .maxntid says how many threads a block has"
        )
    tiles = _tiles(kernel)
    length = max(tiles.values(), default=1024)
    outer = [
        value
        for name, value in tiles.items()
        if not name.upper().endswith("K") and _SMALLEST_TILE <= value <= length
    ]
    if not kernel.specialization.signature:
        length = max(64, min(4 * block[0] * block[1] * block[2], 512))
    matrices = any(op.base in {"mma", "wgmma"} for block_ in program.blocks for op in block_.ops)
    if matrices:
        length = max(length, _LEAST_MATRIX)
    shared, scratch = kernel.metadata.get("shared"), kernel.metadata.get("global_scratch_size")
    return Plan(
        parameters=parameters,
        block=block,
        shared=shared if isinstance(shared, int) else 0,
        length=length,
        apart=length * (_MATRICES_APART if matrices else _TILES_APART),
        tile=min(outer, default=length),
        axes="".join(axis for axis in "xyz" if f"%ctaid.{axis}" in program.specials),
        matrices=matrices,
        scratch=scratch if isinstance(scratch, int) else 0,
        splits=_splits(kernel),
    )


def _splits(kernel: Kernel) -> int:
    """Over how many blocks a sum is split: the constant that is called so, else 0."""
    named = (
        value
        for name, value in kernel.specialization.constants.items()
        if "SPLIT" in name.upper() and isinstance(value, int) and 1 <= value <= _MOST_SPLITS
    )
    return int(next(named, 0))


def _tiles(kernel: Kernel) -> dict[str, int]:
    """Constants that are called tiles, or else may be: powers of two."""
    numbers = {
        name: value
        for name, value in kernel.specialization.constants.items()
        if isinstance(value, int) and not isinstance(value, bool) and 2 <= value <= _LARGEST_TILE
        if value & (value - 1) == 0
    }
    named = {name: value for name, value in numbers.items() if _TILE.search(name)}
    return named or {name: each for name, each in numbers.items() if each >= _SMALLEST_TILE}


def _array(dtype: str, size: int) -> Any:
    if dtype in {"i4", "i8"}:
        # Indices, offsets, counts: small, and none beyond what they may count.
        return (np.arange(size) % 16).astype(dtype)
    return np.zeros(size, dtype)


def _times(size: tuple[int, ...]) -> str:
    shown = list(size)
    while len(shown) > 1 and shown[-1] == 1:
        shown.pop()
    return "x".join(str(each) for each in shown)
