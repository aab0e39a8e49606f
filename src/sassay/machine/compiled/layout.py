"""Where compiled code finds what it is given: 64-bit words of a table, and records in memory."""

from __future__ import annotations

from enum import IntEnum

from sassay.machine.compiled.code import LANES


class Word(IntEnum):
    """Words of the table that every function is given."""

    PARAM = 0
    CONST = 1
    SHARED = 2
    LOCAL = 3
    ALLOCATIONS = 4
    ALLOCATION_COUNT = 5
    FRAMES = 6
    INSTRUCTIONS = 7
    LIMIT = 8
    GRID_X = 9
    GRID_Y = 10
    GRID_Z = 11
    VISITED = 12
    TOUCHED = 13
    FIRST_VALUES = 14
    SITES = 15
    BARRIERS = 16
    SHARED_BYTES = 17
    DYNAMIC_SHARED = 18
    STEPS = 19


SITE_WORDS = 5
"""Of each access: start, size and host address of the allocation that it hit last, kind, number."""

ALLOCATION_WORDS = 4
"""Of each allocation: start, size, host address, what may be done."""

MAY_READ, MAY_WRITE = 1, 2
FIXED, GENERIC = 4, 8
"""Kinds of accesses, beside what they do: to one space, or to a space that the address tells."""

BARRIER_BYTES = 24
"""Of each barrier: how many came, are expected, hold the predicate; the last result, its total."""

RESUME, STATE, NUMBER, EXPECTED, ARRIVED, HELD, GONE = (4 * index for index in range(7))
"""Bytes in a warp's frame, before the registers that it keeps at a barrier."""

FRAME_HEAD = 64
RUNS, WAITS, ENDED = 0, 1, 2
EXITED, ARRIVES, GIVES_UP = 0, 1, 2
"""What a warp returns."""

REGISTER_BYTES = 8 * LANES
