"""Memory of a slice: global allocations with bounds, and what blocks and threads own.

Addresses are laid out so that a generic address tells its space. Allocations are far apart, so
that an access beyond one hits nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sassay.machine.async_copy.arrivals import Arrivals
from sassay.machine.async_copy.contents import Contents
from sassay.machine.async_copy.flights import Flights
from sassay.machine.async_copy.phases import Phases
from sassay.machine.async_copy.stores import Stores
from sassay.machine.matrix.outstanding import Outstanding
from sassay.machine.owned import IN_FLIGHT, UNITS, Owned
from sassay.machine.races import Race

if TYPE_CHECKING:
    from sassay.machine.lanes import Lanes
    from sassay.machine.ordering import Order
    from sassay.machine.program import Op
    from sassay.machine.result import TrapKind
    from sassay.machine.types import Array

GLOBAL_START = 0x7000_0000_0000
_GAP = 1 << 21
_APART = 1 << 36
"""Bytes from one array to the next, so that no offset that wraps at 32 bits meets another."""
WINDOWS = {"shared": 1 << 48, "local": 2 << 48, "const": 3 << 48, "param": 4 << 48}
"""Where generic addresses of a space start."""

_PAD = 16


class TrapError(Exception):
    """An access or a barrier that ends the run; the executor makes a `Trap` of it."""

    def __init__(self, kind: TrapKind, message: str, where: Array | None, lanes: Lanes) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.where = where
        self.lanes = lanes


class Touched(Protocol):
    """Is told who touches some memory."""

    def read(self, offsets: Array, size: int, lanes: Lanes, where: Array | None) -> Array | None:
        """Threads read; gives those that shall get wrong values, None if none shall."""

    def write(
        self, offsets: Array, size: int, lanes: Lanes, where: Array | None, changes: Array
    ) -> None:
        """Threads are about to write; `changes` says which of them change the bytes."""

    def settle(
        self, offsets: Array, size: int, lanes: Lanes, where: Array | None, lost: Array
    ) -> None:
        """Threads wrote; `lost` says over which of them another wrote at once."""

    def atomic(self, offsets: Array, size: int, lanes: Lanes, where: Array | None) -> None:
        """Threads are about to run an atomic."""


@dataclass
class Allocation:
    """A stretch of global memory.

    Attributes:
        start: Its address.
        size: Bytes that may be accessed.
        data: The bytes, padded.
        name: In messages.
        written: A byte of ones for each byte that was written; None where all of it has values.
        races: Where races are looked for: what threads did to it.
    """

    start: int
    size: int
    data: Array
    name: str
    written: Array | None = None
    races: Touched | None = None


class GlobalMemory:
    """The allocations of a launch."""

    def __init__(self) -> None:
        self.allocations: list[Allocation] = []
        self._starts: list[int] = []
        self._next = GLOBAL_START

    def allocate(self, content: Array, name: str) -> Allocation:
        """Copies bytes to an address of their own.

        Args:
            content: One-dimensional uint8.
            name: In messages.
        """
        data = np.zeros(-(-(content.size + _PAD) // _PAD) * _PAD, np.uint8)
        data[: content.size] = content
        found = Allocation(self._next, content.size, data, name)
        self.allocations.append(found)
        self._starts.append(found.start)
        self._next += -(-(data.size + _GAP) // _APART) * _APART
        return found

    def allocate_at(self, address: int, content: Array, name: str) -> None:
        """Copies a module variable to the address that it was given.

        Args:
            address: Below `GLOBAL_START`, above those of earlier variables.
            content: One-dimensional uint8.
            name: In messages.
        """
        data = np.zeros(-(-(content.size + _PAD) // _PAD) * _PAD, np.uint8)
        data[: content.size] = content
        found = Allocation(address, content.size, data, name)
        at = bisect_right(self._starts, address)
        self.allocations.insert(at, found)
        self._starts.insert(at, address)

    def find(self, address: int) -> Allocation | None:
        """The allocation that starts last before an address."""
        at = bisect_right(self._starts, address) - 1
        return self.allocations[at] if at >= 0 else None

    def describe(self, address: int) -> str:
        """An address relative to the allocation before it."""
        found = self.find(address)
        if found is None or address - found.start > found.size + _GAP:
            return f"address {address:#x} is in no allocation"
        return f"byte {address - found.start} of {found.name}, which has {found.size} bytes"


@dataclass
class Part:
    """Where a part of an access lies.

    Attributes:
        data: Bytes.
        offsets: Of each thread in them; valid also where no thread of the part is.
        written: A byte of ones for each byte that was written; None where that is not tracked.
        where: Threads of this part; None for all of the shape.
        watch: Where races are looked for: who touches it.
        name: Of an array.
    """

    data: Array
    offsets: Array
    written: Array | None
    where: Array | None
    watch: Watch | None = None
    name: str = ""


@dataclass
class Watch:
    """Who touches a part, where races are looked for.

    Attributes:
        lanes: The threads.
        races: What they did before.
    """

    lanes: Lanes
    races: Touched

    def trap(self, error: Race) -> TrapError:
        """The trap of a race."""
        return TrapError("race", str(error), error.where, self.lanes)


class Memory:
    """All memory that a slice sees."""

    def __init__(
        self,
        globals_: GlobalMemory,
        *,
        shared: Owned,
        local: Owned,
        const: Array,
        param: Array,
        threads: int,
        alive: int,
        order: Order | None = None,
    ) -> None:
        self.order = order
        # Which operations touched which allocations, by their identities.
        self.op: Op | None = None
        self.touched: set[tuple[int, int]] = set()
        self.globals = globals_
        self._owned = {"shared": shared, "local": local}
        self._uniform = {"const": const, "param": param}
        self.threads = threads
        self.shared = shared
        self.contents = Contents(read)
        self.flights = Flights(shared, shared.count * threads, self.contents)
        self.phases = Phases(shared, self.contents)
        self.stores = Stores(shared, shared.count * threads)
        self.products = Outstanding(shared.count * threads)
        self.arrivals = Arrivals((shared.count, threads), alive)

    def locate(
        self, lanes: Lanes, space: str, address: Array, size: int, where: Array | None
    ) -> list[Part]:
        """Where an access lies.

        Args:
            lanes: The threads.
            space: `global`, `shared`, `local`, `const`, `param`, or empty for generic.
            address: 32- or 64-bit words.
            size: Bytes of the access of one thread.
            where: Threads that access.

        Raises:
            TrapError: A thread accesses what it may not.
        """
        place = address.astype(np.int64) if address.dtype != np.uint64 else address.view(np.int64)
        if size > 1:
            wrong = (place & (size - 1)) != 0
            if where is not None:
                wrong = wrong & where
            if wrong.any():
                lane_address = _pick(lanes, place, wrong)
                raise TrapError(
                    "misaligned",
                    f"address {lane_address:#x} is no multiple of {size}",
                    wrong,
                    lanes,
                )
        if space == "":
            return self._generic(lanes, place, size, where)
        if space == "global":
            return self._global(lanes, place, size, where)
        return [self._bounded(lanes, space, place, size, where)]

    def _generic(self, lanes: Lanes, place: Array, size: int, where: Array | None) -> list[Part]:
        parts = []
        window = place >> 48
        for space, start in WINDOWS.items():
            inside = window == start >> 48
            if inside.any():
                picked = inside if where is None else inside & where
                if picked.any():
                    parts.append(self._bounded(lanes, space, place - start, size, picked))
        if not parts:
            return self._global(lanes, place, size, where)
        rest = (window == 0) | (window > 4) | (window < 0)
        rest = rest if where is None else rest & where
        if rest.any():
            parts += self._global(lanes, place, size, rest)
        return parts

    def _bounded(
        self, lanes: Lanes, space: str, place: Array, size: int, where: Array | None
    ) -> Part:
        data, limit, written, base = self._space(lanes, space)
        wrong = (place < 0) | (place > limit - size)
        if wrong.any():
            real = wrong if where is None else wrong & where
            if real.any():
                raise TrapError(
                    "out-of-bounds",
                    f"byte {_pick(lanes, place, real)} of {space} memory, which has {limit} bytes",
                    real,
                    lanes,
                )
            place = np.where(wrong, 0, place)
        offsets = place + base if base is not None else place
        watch = None
        if space == "shared" and self.shared.races is not None:
            watch = Watch(lanes, self.shared.races)
        return Part(data, offsets, written, where, watch)

    def _space(self, lanes: Lanes, space: str) -> tuple[Array, int, Array | None, Array | None]:
        if space in self._uniform:
            data = self._uniform[space]
            return data, data.size - _PAD, None, None
        owned = self._owned[space]
        base = lanes.block * owned.stride
        if space == "local":
            base = (lanes.block * self.threads + self.thread_index(lanes)) * owned.stride
        return owned.data, owned.size, owned.written, base

    def uniform(self, space: str) -> Array:
        """The bytes of `const` or `param`."""
        return self._uniform[space]

    def thread_index(self, lanes: Lanes) -> Array:
        """Index of the thread in its block."""
        return lanes.take(np.arange(self.threads, dtype=np.int64)[None, :])

    def _global(self, lanes: Lanes, place: Array, size: int, where: Array | None) -> list[Part]:
        if where is None:
            low, high = int(place.min()), int(place.max())
        else:
            spread = np.broadcast_to(place, np.broadcast_shapes(place.shape, where.shape))
            inside = spread[np.broadcast_to(where, spread.shape)]
            low, high = int(inside.min()), int(inside.max())
        found = self.globals.find(low)
        if found is not None and high + size <= found.start + found.size:
            offsets = place - found.start
            if where is not None:
                offsets = np.where(where, offsets, 0)
            self.touched.add((id(self.op), id(found)))
            watch = None if found.races is None else Watch(lanes, found.races)
            return [Part(found.data, offsets, found.written, where, watch, found.name)]
        return self._scattered(lanes, place, size, where)

    def _scattered(self, lanes: Lanes, place: Array, size: int, where: Array | None) -> list[Part]:
        parts = []
        left = np.ones((1, 1), np.bool_) if where is None else where
        left = np.broadcast_to(left, np.broadcast_shapes(left.shape, place.shape)).copy()
        for each in self.globals.allocations:
            inside = left & (place >= each.start) & (place <= each.start + each.size - size)
            if inside.any():
                offsets = np.where(inside, place - each.start, 0)
                self.touched.add((id(self.op), id(each)))
                watch = None if each.races is None else Watch(lanes, each.races)
                parts.append(Part(each.data, offsets, each.written, inside, watch, each.name))
                left &= ~inside
        if left.any():
            raise TrapError(
                "out-of-bounds",
                f"{size} bytes at {self.globals.describe(_pick(lanes, place, left))}",
                left,
                lanes,
            )
        return parts


def _pick(lanes: Lanes, value: Array, where: Array) -> int:
    spread = np.broadcast_to(value, lanes.shape)
    return int(spread.flat[int(np.argmax(np.broadcast_to(where, lanes.shape)))])


def read(part: Part, width: int, count: int) -> list[Array]:
    """Reads `count` words of `width` bytes for each thread."""
    size = width * count
    dtype = UNITS[size]
    lies = None
    if part.watch is not None:
        try:
            lies = part.watch.races.read(part.offsets, size, part.watch.lanes, part.where)
        except Race as error:
            raise part.watch.trap(error) from None
    found = np.take(part.data.view(dtype), part.offsets // size)
    if lies is not None:
        found = np.broadcast_to(found, lies.shape).copy()
        found.view(np.uint8).reshape(*lies.shape, size)[lies] ^= 0xFF
    if count == 1:
        return [found]
    words = found.view(UNITS[width]).reshape(*found.shape, count)
    return [np.ascontiguousarray(words[..., index]) for index in range(count)]


def unwritten(part: Part, size: int) -> Array | None:
    """Threads that read a byte which nobody wrote, None if none does."""
    if part.written is None:
        return None
    unit = min(size, 8)
    marks = part.written.view(UNITS[unit])
    full = UNITS[unit].type(int.from_bytes(b"\1" * unit, "little"))
    wrong = (np.take(marks, part.offsets // unit) & full) != full
    if size > unit:
        wrong |= (np.take(marks, part.offsets // unit + 1) & full) != full
    if part.where is not None:
        wrong = wrong & part.where
    return wrong if wrong.any() else None


def unread(part: Part, wrong: Array, lanes: Lanes, what: str = "a read") -> TrapError:
    """The trap of threads that `unwritten` found."""
    offsets = np.broadcast_to(part.offsets, lanes.shape)
    first = int(offsets.flat[int(np.argmax(np.broadcast_to(wrong, lanes.shape)))])
    if part.written is not None and IN_FLIGHT in part.written[first : first + 16]:
        message = f"{what} of memory that an asynchronous copy may still be writing"
        return TrapError("in-flight", message, wrong, lanes)
    place = f"byte {first} of {part.name}, which nobody wrote" if part.name else ""
    return TrapError(
        "uninitialised", f"{what} of {place or 'memory that nobody wrote'}", wrong, lanes
    )


def write(part: Part, values: list[Array], width: int, shape: tuple[int, ...]) -> None:
    """Writes words of each thread; where threads write one place, the last thread wins."""
    size = width * len(values)
    dtype = UNITS[size]
    index = part.offsets // size
    if part.watch is not None:
        # Each thread is told of, also where all blocks write alike.
        shape = part.watch.lanes.shape
    if len(values) == 1:
        packed = values[0]
    else:
        joined = np.empty((*shape, len(values)), UNITS[width])
        for at, value in enumerate(values):
            joined[..., at] = value
        packed = joined.view(dtype)[..., 0]
    if part.where is not None:
        where = np.broadcast_to(part.where, shape)
        index = np.broadcast_to(index, shape)[where]
        packed = np.broadcast_to(packed, shape)[where]
    elif index.shape != packed.shape:
        index = np.broadcast_to(index, np.broadcast_shapes(index.shape, packed.shape))
    if part.watch is not None:
        _write_watched(part, part.watch, index, packed)
    else:
        part.data.view(dtype)[index] = packed
    if part.written is not None:
        unit = min(size, 8)
        marks = part.written.view(UNITS[unit])
        full = UNITS[unit].type(int.from_bytes(b"\1" * unit, "little"))
        start = index * (size // unit)
        for step in range(size // unit):
            marks[start + step] = full


def _write_watched(part: Part, watch: Watch, index: Array, packed: Array) -> None:
    """Writes for threads among which races are looked for."""
    if part.where is None:
        shape = watch.lanes.shape
        index = np.broadcast_to(index, shape).reshape(-1)
        packed = np.broadcast_to(packed, shape).reshape(-1)
    cells = part.data.view(packed.dtype)
    size = packed.dtype.itemsize
    try:
        changes = _differ(cells[index], packed)
        watch.races.write(part.offsets, size, watch.lanes, part.where, changes)
        cells[index] = packed
        lost = _differ(cells[index], packed)
        watch.races.settle(part.offsets, size, watch.lanes, part.where, lost)
    except Race as error:
        raise watch.trap(error) from None


def _differ(a: Array, b: Array) -> Array:
    if a.dtype.kind != "c":
        return a != b
    # Sixteen bytes, which numpy would compare as floats.
    pairs = (np.ascontiguousarray(each).view(np.uint64).reshape(-1, 2) for each in (a, b))
    first, second = pairs
    found: Array = (first != second).any(axis=1)
    return found
