"""Symbolic runs of derived launches: one that the kernel survives, and one of another size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.path.launch import SIZES, NoLaunchError
from sassay.machine.symbolic import run_symbolic

if TYPE_CHECKING:
    from sassay.machine.path.launch import Derived, Plan
    from sassay.machine.program import Program
    from sassay.machine.symbolic import SymbolicResult

_MOST_BLOCKS, _MOST_ALONG = 64, 16

Grid = tuple[int, int, int]


@dataclass(frozen=True)
class Seen:
    """A run.

    Attributes:
        derived: Its launch.
        result: What it left.
    """

    derived: Derived
    result: SymbolicResult

    def same_as(self, other: Seen) -> bool:
        """Whether both left the same expressions in the same elements of outputs."""
        for position, mine in enumerate(self.result.outputs):
            others = other.result.outputs[position]
            here, there = self.result.written[position], other.result.written[position]
            if here is None or there is None or mine is None or others is None:
                continue
            if position in self.derived.scratch:
                continue
            if not np.array_equal(here, there) or not np.array_equal(mine[here], others[there]):
                return False
        return True


def first_run(program: Program, plan: Plan) -> Seen:
    """Runs a kernel in the smallest launch that it survives.

    Raises:
        NoLaunchError: It survives none, or what it computes depends on given floats.
    """
    seen, size = _survivor(program, plan)
    if plan.matrices:
        seen = _fitted(program, plan, seen, size)
    _refuse_given_floats(plan, seen.result)
    return seen


def larger_run(program: Program, plan: Plan) -> Seen | None:
    """Runs a kernel with twice the size, None if nothing has a size or it does not survive that.

    Matrix kernels run in a launch that is several tiles large to begin with.
    """
    if plan.matrices or not plan.sized:
        return None
    for size in SIZES:
        derived = plan.launch(size, larger=2)
        result = run_symbolic(program, derived.launch, leaves=derived.leaves)
        if result.trap is None:
            return Seen(derived, result)
        if result.trap.kind != "out-of-bounds":
            break
    return None


def _run(program: Program, plan: Plan, size: int, grid: Grid | None = None) -> Seen | None:
    derived = plan.launch(size, grid)
    result = run_symbolic(program, derived.launch, leaves=derived.leaves)
    return None if result.trap else Seen(derived, result)


def _survivor(program: Program, plan: Plan) -> tuple[Seen, int]:
    trap = ""
    for size in SIZES[plan.matrices :]:
        derived = plan.launch(size)
        result = run_symbolic(program, derived.launch, leaves=derived.leaves)
        if result.trap is None:
            return Seen(derived, result), size
        trap = f"{result.trap.kind} at line {result.trap.line}: {result.trap.instruction}"
        if result.trap.kind != "out-of-bounds":
            break
    raise NoLaunchError(f"the derived launch ends in a trap, {trap}")


def _fitted(program: Program, plan: Plan, seen: Seen, size: int) -> Seen:
    """A run of the grid that writes all that masks allow; two blocks where they do not end it."""
    grid = seen.derived.launch.grid
    if grid[2] > 1 and plan.split_axis is None:
        # Some read it only to find memory of their own.
        narrow = _run(program, plan, size, _with(grid, 2, 1))
        if narrow is not None and narrow.same_as(seen):
            grid = _with(grid, 2, 1)
    along = min(plan.length // plan.tile, _MOST_ALONG)
    axes = [at for at, count in enumerate(grid) if count > 1 and at != plan.split_axis]
    if len(axes) == 2 and along > 1:
        # The usual case in two runs.
        wide, wider = (
            _run(program, plan, size, _with(_with(grid, axes[0], each), axes[1], each))
            for each in (along, along + 1)
        )
        if wide is not None and wider is not None and wide.same_as(wider):
            return wide
    counts = [along] if len(axes) > 1 else [along, min(along * along, _MOST_BLOCKS)]
    for at in axes:
        for count in counts:
            if count <= grid[at]:
                continue
            wide, wider = (
                _run(program, plan, size, _with(grid, at, each)) for each in (count, count + 1)
            )
            if wide is not None and wider is not None and wide.same_as(wider):
                grid = wide.derived.launch.grid
                break
    fitted = None if grid == seen.derived.launch.grid else _run(program, plan, size, grid)
    return fitted or seen


def _with(grid: Grid, at: int, count: int) -> Grid:
    x, y, z = (count if axis == at else each for axis, each in enumerate(grid))
    return x, y, z


def _refuse_given_floats(plan: Plan, result: SymbolicResult) -> None:
    """A path that was found with given floats says nothing of others."""
    for caveat in result.caveats:
        if caveat.kind == "given-values" and any(
            plan.parameters[position].floats for position in caveat.arguments
        ):
            raise NoLaunchError(caveat.message.replace(", so this holds for that content only", ""))
