"""The asynchronous proxy: what of shared memory it may read.

Bulk copies and `wgmma` reach shared memory by another way than loads and stores. What these wrote
they only find after `fence.proxy.async`, run by a thread that wrote it, or by one that a barrier
puts after who did. What `cp.async` wrote is left out: compilers do without. Looked for where races
are. Source: PTX ISA, "Proxies", "membar, fence".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.memory import TrapError
from sassay.machine.owned import FENCED

if TYPE_CHECKING:
    from sassay.machine.lanes import Lanes
    from sassay.machine.memory import Memory
    from sassay.machine.program import Run
    from sassay.machine.types import Array

_FENCE = re.compile(
    r"fence\.proxy\.async(?:\.shared::(?:cta|cluster)|::generic\..+)?",
    re.ASCII,
)
_ALL_FENCED = np.uint64(int.from_bytes(bytes([FENCED]) * 8, "little"))
_WORD = 8


def fence(opcode: str) -> Run | None:
    """What a fence does for the asynchronous proxy, None if nothing.

    Args:
        opcode: Any that starts with `fence`.
    """
    return _run if _FENCE.fullmatch(opcode) else None


def _run(lanes: Lanes, memory: Memory, where: Array | None) -> None:
    shared = memory.shared
    if shared.races is None:
        return
    active = lanes.running(where)
    marks = shared.written.reshape(-1)
    if active is None and lanes.rows is None:
        # All threads of all blocks: each fences what it wrote.
        marks |= (marks & np.uint8(1)) * np.uint8(FENCED)
        return
    threads = memory.flights.threads(lanes, memory, active)
    for block in np.unique(threads // memory.threads).tolist():
        mine = threads[threads // memory.threads == block] % memory.threads
        part = marks[block * shared.stride : (block + 1) * shared.stride]
        if not ((part & np.uint8(1 | FENCED)) == 1).any():
            continue
        known = shared.races.behind(block, mine, block * shared.stride, shared.stride)
        part |= ((part & np.uint8(1)) * np.uint8(FENCED)) * known


def check_fenced(memory: Memory, lanes: Lanes, offsets: Array, size: int, what: str) -> None:
    """Whether the asynchronous proxy finds what was written.

    Args:
        memory: Its shared memory.
        lanes: In the trap.
        offsets: Of what it reads, in bytes of all shared memory of the slice.
        size: Bytes at each of them: 16.
        what: Reads, in the trap.

    Raises:
        TrapError: A fence is missing.
    """
    shared = memory.shared
    if shared.races is None:
        return
    words = shared.written.view(np.uint64)
    first = offsets // _WORD
    fenced = np.take(words, first)
    for step in range(1, size // _WORD):
        fenced = fenced & np.take(words, first + step)
    wrong = (fenced & _ALL_FENCED) != _ALL_FENCED
    if not wrong.any():
        return
    at = int(np.asarray(offsets)[wrong].flat[0])
    block, place = divmod(at, max(shared.stride, 1))
    where = np.broadcast_to(lanes.block == block, lanes.shape)
    message = (
        f"{what} byte {place} of shared memory, which threads wrote without a fence.proxy.async "
        "after it"
    )
    raise TrapError("fence", message, where if where.any() else None, lanes)
