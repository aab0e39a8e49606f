"""`mbarrier` objects: phases, arrivals and bytes that are still to come.

The barriers of a slice are kept beside shared memory, by block and address. A bulk copy that is
under way lands when a thread waits for the barrier that it reports to, and no earlier: what it
writes counts as unwritten until then. Source: PTX ISA, "mbarrier", "Phase of the mbarrier object",
"Tracking asynchronous operations by the mbarrier object".
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sassay.machine.async_copy.contents import CHUNK
from sassay.machine.owned import FENCED, IN_FLIGHT, mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.machine.async_copy.contents import Contents
    from sassay.machine.owned import Owned
    from sassay.machine.types import Array


@dataclass
class Phased:
    """One barrier.

    Attributes:
        expected: Arrivals of each phase.
        pending: Arrivals that the phase still waits for.
        bytes_left: Bytes that the phase still waits for.
        phase: Number of phases that are complete.
        copies: Under way: places in 16-byte units of the slice's shared memory, what goes there,
            and the mark that it leaves; or, for copies of threads, what lands and arrives.
    """

    expected: int
    pending: int
    bytes_left: int = 0
    phase: int = 0
    copies: deque[tuple[Array, Array, int] | Callable[[], None]] = field(default_factory=deque)

    def turn(self) -> bool:
        """Ends the phase if nothing is left to come."""
        if self.pending or self.bytes_left:
            return False
        self.phase += 1
        self.pending = self.expected
        return True


class WrongBarrierError(Exception):
    """A barrier is used as it may not be; the message says how."""


class Phases:
    """The barriers of a slice."""

    def __init__(self, shared: Owned, contents: Contents) -> None:
        self._shared = shared
        self._contents = contents
        self._barriers: dict[tuple[int, int], Phased] = {}

    def init(self, block: int, place: int, count: int) -> None:
        """Makes a barrier.

        Args:
            block: In the slice.
            place: Byte in the block's shared memory.
            count: Arrivals of each phase.
        """
        if not 1 <= count < 1 << 20:
            raise WrongBarrierError(f"an mbarrier of {count} arrivals")
        self._barriers[block, place] = Phased(count, count)

    def drop(self, block: int, place: int) -> None:
        """Makes a barrier plain memory again."""
        self.at(block, place)
        del self._barriers[block, place]

    def at(self, block: int, place: int) -> Phased:
        """A barrier.

        Raises:
            WrongBarrierError: There is none.
        """
        found = self._barriers.get((block, place))
        if found is None:
            raise WrongBarrierError(f"byte {place} of shared memory holds no mbarrier")
        return found

    def arrive(self, block: int, place: int, count: int, *, drops: bool = False) -> int:
        """Counts arrivals in and gives the number of the phase that they arrived in.

        Raises:
            WrongBarrierError: More threads arrive than the phase waits for.
        """
        found = self.at(block, place)
        if count > found.pending:
            raise WrongBarrierError(
                f"{count} arrivals at an mbarrier that waits for {found.pending} of "
                f"{found.expected}"
            )
        phase = found.phase
        found.pending -= count
        if drops:
            found.expected -= count
        found.turn()
        return phase

    def expect(self, block: int, place: int, count: int) -> None:
        """Adds bytes that the phase waits for."""
        self.at(block, place).bytes_left += count

    def launch(self, block: int, place: int, copy: tuple[Array, Array, int]) -> None:
        """Starts a copy that reports to a barrier.

        Args:
            block: In the slice.
            place: Of the barrier.
            copy: As in `Phased`.
        """
        mark(self._shared, copy[0], CHUNK, IN_FLIGHT)
        self.at(block, place).copies.append(copy)

    def follow(self, block: int, place: int, land: Callable[[], None], *, counts: bool) -> None:
        """Lets copies of a thread arrive at a barrier, once they land.

        Args:
            block: In the slice.
            place: Of the barrier.
            land: Lands them.
            counts: The arrival is one of those that the phase waits for; else it is one more.

        Raises:
            WrongBarrierError: There is no barrier.
        """
        found = self.at(block, place)
        if not counts:
            found.pending += 1

        def arrives() -> None:
            land()
            self.arrive(block, place, 1)

        found.copies.append(arrives)

    def complete(self, block: int, place: int, phase: int, *, parity: bool) -> bool:
        """Whether a phase is over; copies land until it is.

        Args:
            block: In the slice.
            place: Of the barrier.
            phase: Its number, or its parity.
            parity: It is a parity.
        """
        found = self.at(block, place)

        def over() -> bool:
            return (found.phase & 1) != (phase & 1) if parity else found.phase != phase

        while not over() and found.copies:
            self._land(found)
        return over()

    def _land(self, found: Phased) -> None:
        first = found.copies.popleft()
        if not isinstance(first, tuple):
            first()
            return
        places, data, left = first
        self._contents.land(self._shared, places, data, CHUNK)
        mark(self._shared, places, CHUNK, left | FENCED)
        found.bytes_left -= data.size * CHUNK
        found.turn()
