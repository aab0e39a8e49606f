"""Boxes of shared memory that tensor copies bring to global memory, one thread's after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.machine.async_copy.contents import CHUNK
from sassay.machine.async_copy.mbarrier import each_thread, in_shared
from sassay.machine.async_copy.regions import (
    box_bytes,
    coordinates,
    map_at,
    shared_chunks,
    window_to,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sassay.machine.async_copy.contents import Window
    from sassay.machine.async_copy.tensor_map import Map
    from sassay.machine.binding import Binder
    from sassay.machine.lanes import Lanes
    from sassay.machine.memory import Memory
    from sassay.machine.operands import Operand
    from sassay.machine.types import Array

    Boxes = Callable[[Lanes, Memory, Array | None], Iterator[tuple[Map, Array, Window | None]]]


def box_stores(binder: Binder, operands: list[Operand], rank: int) -> Boxes:
    """What finds the boxes of an instruction that leaves shared memory.

    Args:
        binder: Of the instruction.
        operands: `[map, coordinates], [source]`.
        rank: Dimensions of the tensor.

    Returns:
        A function of the threads that run it. It gives, for each thread, the tensor map, what the
        box holds, and where that goes: None if all of it lies outside the tensor.
    """
    map_operand, items = coordinates(binder, operands[0], rank)
    map_place, _ = binder.address(map_operand)
    index = [binder.fetch(each, "s32") for each in items]
    source, _ = binder.address(operands[1])

    def boxes(
        lanes: Lanes, memory: Memory, active: Array | None
    ) -> Iterator[tuple[Map, Array, Window | None]]:
        values = [in_shared(source(lanes)), map_place(lanes)]
        values += [each(lanes) for each in index]
        threads = memory.flights.threads(lanes, memory, active).tolist()
        each_one = each_thread(lanes, active, *values)
        for thread, (block, start, place, *where_to) in zip(threads, each_one, strict=True):
            found = map_at(lanes, memory, place, active, rank)
            chunks = box_bytes(found) // CHUNK
            data = shared_chunks(lanes, memory, (block, start), (chunks, found.swizzle), thread)
            yield found, data, window_to(lanes, memory, found, where_to)

    return boxes
