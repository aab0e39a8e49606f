"""A launch: how many threads, with which arguments."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sassay.errors import UsageError
from sassay.machine.async_copy.tensor_map import TensorMap

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Dim3 = tuple[int, int, int]

MAX_BLOCK = 1024
"""Threads of one block. Source: CUDA C++ Programming Guide, "Technical Specifications"."""

MAX_SHARED = 232448
"""Bytes of shared memory of one block (227 KiB, compute capability 9.0), same source."""


@dataclass(frozen=True)
class Pointer:
    """An argument that points into an array, not at its start.

    Attributes:
        array: The array; several pointers may share one.
        offset: Bytes from its start.
    """

    array: NDArray[Any]
    offset: int = 0


Argument = NDArray[Any] | Pointer | TensorMap | np.generic | int | float | bytes | None


def _three(value: int | Sequence[int], name: str) -> Dim3:
    parts = (value,) if isinstance(value, int) else tuple(value)
    if not 1 <= len(parts) <= 3 or any(part < 0 for part in parts):
        raise UsageError(f"{name} has to be one to three counts, not {value!r}")
    x, y, z = (*parts, 1, 1)[:3]
    return (int(x), int(y), int(z))


@dataclass(frozen=True)
class Launch:
    """How an entry is launched.

    Attributes:
        grid: Blocks by dimension, x first; a number stands for one dimension. Zero is allowed and
            runs nothing.
        block: Threads of a block by dimension.
        arguments: One for each parameter: an array is what a pointer points to and stays as it
            is (the run works on a copy, equal objects share one); a number is passed by value,
            a float as the parameter's width; None is a null pointer; bytes fill a parameter that
            is an array, and a `TensorMap` one for a tensor map. Numpy has no bfloat16: pass
            words as uint16.
        shared: Bytes of dynamic shared memory of each block.
        step_limit: Thread-instructions after which a run ends with a `step-limit` trap.
        find_races: Whether races in shared memory are looked for; they are traps.
        unwritten: Positions of arguments whose arrays hold nothing yet: a read of what the kernel
            has not written there is a trap.
    """

    grid: Dim3
    block: Dim3
    arguments: tuple[Argument, ...]
    shared: int
    step_limit: int
    find_races: bool
    unwritten: frozenset[int]

    def __init__(
        self,
        grid: int | Sequence[int],
        block: int | Sequence[int],
        arguments: Sequence[Argument] = (),
        *,
        shared: int = 0,
        step_limit: int = 1 << 36,
        find_races: bool = True,
        unwritten: Iterable[int] = (),
    ) -> None:
        """Checks the launch.

        Raises:
            UsageError: A dimension is out of range.
        """
        found = _three(block, "block")
        if not 1 <= prod(found) <= MAX_BLOCK:
            raise UsageError(f"a block has 1 to {MAX_BLOCK} threads, not {prod(found)}")
        if not 0 <= shared <= MAX_SHARED:
            raise UsageError(f"dynamic shared memory of {shared} bytes", hint=f"0 to {MAX_SHARED}")
        object.__setattr__(self, "grid", _three(grid, "grid"))
        object.__setattr__(self, "block", found)
        object.__setattr__(self, "arguments", tuple(arguments))
        object.__setattr__(self, "shared", shared)
        object.__setattr__(self, "step_limit", step_limit)
        object.__setattr__(self, "find_races", find_races)
        object.__setattr__(self, "unwritten", frozenset(unwritten))

    @property
    def blocks(self) -> int:
        """Blocks of the grid."""
        return prod(self.grid)

    @property
    def threads(self) -> int:
        """Threads of one block."""
        return prod(self.block)
