"""Runs a launch and looks closely at its arrays: reads of what nobody wrote, races between threads.

The launch runs once as it is, which tells what it writes. Then it runs again, with marks beside
the arrays that it writes, as often as it takes to look at all of them in windows of bounded size.
Where a read races with a write it runs once more, and those reads give wrong values: if all arrays
end as before, nobody uses what they read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.machine.global_races import (
    MARK_BYTES,
    MAX_THREADS,
    Cells,
    GlobalRace,
    Search,
    SearchEndsError,
)
from sassay.machine.lanes import WARP
from sassay.machine.launch import Launch
from sassay.machine.memory import GlobalMemory, TrapError
from sassay.machine.ordering import Meetings, Order
from sassay.machine.races import finest_access
from sassay.machine.run import (
    SLICE_THREADS,
    array_of,
    place_arguments,
    place_variables,
    run,
    slice_blocks,
    slice_memory,
    trap_of,
)
from sassay.machine.slices import Slice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sassay.machine.memory import Allocation
    from sassay.machine.program import Program
    from sassay.machine.result import Result, Trap

    Array = NDArray[Any]

MAX_MARKS = 256 << 20
"""Bytes of marks that one run keeps."""

MAX_RUNS = 16
"""Runs over the windows of one launch."""

_MAX_ASKED = 8
_STEPS = 1 << 20


@dataclass(frozen=True)
class Watched:
    """What a launch did.

    Attributes:
        result: Of the launch as it is.
        trap: What ended it; also a read of what nobody wrote.
        races: Pairs of instructions that nothing orders, those that change a result first.
        left_out: Why not all of memory was looked at for races; empty if it was.
        written: By argument position, of those that were said to hold nothing: which bytes
            somebody wrote.
    """

    result: Result
    trap: Trap | None
    races: tuple[GlobalRace, ...] = ()
    left_out: str = ""
    written: Mapping[int, NDArray[np.bool_]] = field(default_factory=dict)


def run_watched(
    program: Program,
    launch: Launch,
    *,
    empty: Mapping[int, NDArray[np.bool_]] | None = None,
    read_only: frozenset[int] = frozenset(),
    races: bool = True,
    marks: int = MAX_MARKS,
) -> Watched:
    """Runs a launch and looks closely at its arrays.

    Args:
        program: The entry.
        launch: How many threads, with which arguments.
        empty: By argument position: which bytes of an array somebody wrote before. A read of its
            other bytes is a trap, but for bytes that the launch wrote itself.
        read_only: Of those the arrays that hold something unless the launch writes them.
        races: Whether races are looked for.
        marks: Bytes of marks that one run keeps.

    Raises:
        UsageError: The launch does not fit the entry.
        LimitError: Blocks that have to run together need too much memory.
    """
    result = run(program, launch)
    if result.trap is not None or not launch.blocks:
        return Watched(result, result.trap, written=dict(empty or {}))
    given = {
        at: mask for at, mask in (empty or {}).items() if at not in read_only or result.written[at]
    }
    threads = -(-launch.threads // WARP) * WARP * launch.blocks
    search = Search(Meetings())
    watcher = _Watcher(program, launch, search, given)
    windows = watcher.windows(result, marks) if races else []
    left_out = ""
    if threads > MAX_THREADS:
        windows, left_out = [], f"{threads:,} threads are too many to tell apart"
    if len(windows) > MAX_RUNS:
        left_out = f"only the first {MAX_RUNS} of {len(windows)} windows of memory were looked at"
    trap = None
    written = {at: mask for at, mask in (empty or {}).items() if at not in given}
    try:
        for number, window in enumerate(windows[:MAX_RUNS] or [{}]):
            trap, after = watcher.run(window)
            if not number:
                written |= after
            if trap is not None:
                break
    except SearchEndsError as error:
        left_out = str(error)
    if search.forgotten:
        left_out = left_out or "there are more pairs of instructions than are kept"
    if trap is None:
        watcher.forgive(result, list(search.found.values()))
    found = sorted(search.found.values(), key=lambda each: each.kind != "race")
    return Watched(result, trap, tuple(found), left_out, written)


class _Watcher:
    """Runs of one launch with marks.

    Attributes:
        arrays: As the last run left them, by argument position.
    """

    def __init__(
        self,
        program: Program,
        launch: Launch,
        search: Search,
        empty: Mapping[int, NDArray[np.bool_]],
    ) -> None:
        self._program = program
        self._launch = launch
        self._search = search
        self._empty = empty
        self.arrays: tuple[Array | None, ...] = ()
        self._cell = finest_access(program.blocks, "global")
        self._bulk = any(
            op.base == "cp" and "bulk" in op.form for block in program.blocks for op in block.ops
        )

    def windows(self, result: Result, marks: int) -> list[dict[int, tuple[int, int]]]:
        """Bytes of arrays that a run looks at, by argument position, for each run."""
        size = max(marks // MARK_BYTES * self._cell // 16 * 16, 16)
        found: list[dict[int, tuple[int, int]]] = []
        left = 0
        seen: set[int] = set()
        for position, array in enumerate(result.arrays):
            if array is None or not result.written[position]:
                continue
            given = self._launch.arguments[position]
            whole = id(getattr(given, "array", given))
            if whole in seen:
                continue
            seen.add(whole)
            low = 0
            while low < array.nbytes:
                if not left:
                    found.append({})
                    left = size
                high = min(low + left, array.nbytes)
                found[-1][position] = (low, high)
                left -= -(-(high - low) // 16) * 16
                left = max(left, 0)
                low = high
        return found

    def run(
        self, window: Mapping[int, tuple[int, int]]
    ) -> tuple[Trap | None, dict[int, NDArray[np.bool_]]]:
        """One run; gives the trap that ended it, and which bytes are written now."""
        program, launch, search = self._program, self._launch, self._search
        memory = GlobalMemory()
        arguments, kept = place_arguments(program, launch, memory)
        place_variables(program, memory)
        for position, mask in self._empty.items():
            allocation = kept[position][1]
            if allocation is not None:
                allocation.written = np.zeros_like(allocation.data)
                allocation.written[: allocation.size] = mask.reshape(-1)
        for position, (low, high) in window.items():
            allocation = kept[position][1]
            if allocation is not None:
                allocation.races = Cells(search, str(position), self._cell, low, high)
        search.meetings = meetings = Meetings()
        threads = -(-launch.threads // WARP) * WARP
        trap = None
        with np.errstate(all="ignore"):
            size = slice_blocks(program, launch, SLICE_THREADS)
            for first in range(0, launch.blocks, size):
                count = min(size, launch.blocks - first)
                search.order = Order(count, threads, first=first, meetings=meetings)
                seen = slice_memory(program, launch, memory, arguments, count, order=search.order)
                if not launch.find_races:
                    seen.shared.races = None
                part = Slice(program, launch, seen, first, count)
                try:
                    part.run()
                except TrapError as error:
                    trap = trap_of(part, error, first)
                    break
                meetings.time = search.order.time + 1
        self.arrays = tuple(array_of(*each) for each in kept)
        return trap, {at: self._written(kept[at][1]) for at in self._empty}

    def forgive(self, result: Result, races: list[GlobalRace]) -> None:
        """Says of races which of them nothing comes of, because nobody uses what is read."""
        asked = [each for each in races if each.kind == "race" and each.reads]
        if asked and self._unused(result, asked):
            forgiven = asked
        else:
            forgiven = [each for each in asked[:_MAX_ASKED] if self._unused(result, [each])]
        for each in forgiven:
            each.kind = "unused"

    def _unused(self, result: Result, races: list[GlobalRace]) -> bool:
        """Whether all arrays end as they did if what is read there is wrong."""
        lies: dict[tuple[str, int], list[Array]] = {}
        for each in races:
            for op, reads in (each.reads or {}).items():
                lies.setdefault((each.array, op), []).extend(reads)
        self._search.lies = {key: np.unique(np.concatenate(all_)) for key, all_ in lies.items()}
        whole = {
            at: (0, array.nbytes)
            for at, array in enumerate(result.arrays)
            if array is not None and any(at == int(each.array) for each in races)
        }
        kept, self._launch = self._launch, self._bounded(result)
        try:
            trap, _ = self.run(whole)
        finally:
            self._launch, self._search.lies = kept, None
        return trap is None and all(
            a is None or b is None or a.tobytes() == b.tobytes()
            for a, b in zip(result.arrays, self.arrays, strict=True)
        )

    def _bounded(self, result: Result) -> Launch:
        """The same launch; wrong values may never let a loop end."""
        launch = self._launch
        steps = min(launch.step_limit, 4 * result.instructions + _STEPS)
        return Launch(
            launch.grid,
            launch.block,
            launch.arguments,
            shared=launch.shared,
            step_limit=steps,
            find_races=launch.find_races,
        )

    def _written(self, allocation: Allocation | None) -> NDArray[np.bool_]:
        if allocation is None or allocation.written is None:
            return np.zeros(0, np.bool_)
        found = allocation.written[: allocation.size] != 0
        # Bulk copies do not mark what they write.
        return np.ones_like(found) if self._bulk else found
