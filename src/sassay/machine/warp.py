"""Instructions between the lanes of a warp.

Source: PTX ISA, "shfl.sync", "vote.sync", "match.sync", "redux.sync".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.lanes import WARP

if TYPE_CHECKING:
    from sassay.machine.lanes import Lanes
    from sassay.machine.types import Array

_LANE = np.arange(WARP, dtype=np.int64)
_BIT = np.uint32(1) << np.arange(WARP, dtype=np.uint32)


def shuffle(
    lanes: Lanes, mode: str, value: Array, offset: Array, clamp: Array
) -> tuple[Array, Array]:
    """`shfl.sync`: a word of another lane, and whether that lane is in range.

    Args:
        lanes: The threads.
        mode: `up`, `down`, `bfly` or `idx`.
        value: Words.
        offset: Second source: a distance, a mask or a lane.
        clamp: Third source: bound in its low five bits, segment mask in bits 8 to 12.
    """
    if offset.shape[-1] == 1 and clamp.shape[-1] == 1 and offset.size == 1 and clamp.size == 1:
        source, inside = _sources(mode, int(offset.flat[0]), int(clamp.flat[0]))
        if value.shape[-1] == 1:
            return value, _spread(lanes, inside)
        found = np.take(lanes.by_warp(value), source, axis=-1)
        return lanes.by_thread(found), _spread(lanes, inside)
    by = [np.broadcast_to(each, lanes.shape) for each in (value, offset, clamp)]
    words, distance, bound = (lanes.by_warp(each) for each in by)
    source, inside = lane_sources(mode, distance.astype(np.int64), bound.astype(np.int64))
    found = np.take_along_axis(words, source, axis=-1)
    return lanes.by_thread(found), lanes.by_thread(inside)


def _spread(lanes: Lanes, by_lane: Array) -> Array:
    return np.tile(by_lane, lanes.shape[1] // WARP)[None, :]


def _sources(mode: str, offset: int, clamp: int) -> tuple[Array, Array]:
    return lane_sources(mode, np.array(offset), np.array(clamp))


def lane_sources(mode: str, offset: Array, clamp: Array) -> tuple[Array, Array]:
    """The lane that each lane of a warp reads in a `shfl`, and whether that is in range."""
    distance, bound, segment = offset & 31, clamp & 31, (clamp >> 8) & 31
    low = _LANE & segment
    high = low | (bound & ~segment)
    if mode == "up":
        source = _LANE - distance
        inside = source >= high
    elif mode == "down":
        source = _LANE + distance
        inside = source <= high
    elif mode == "bfly":
        source = _LANE ^ distance
        inside = source <= high
    else:
        source = low | (distance & ~segment)
        inside = source <= high
    return np.where(inside, source, _LANE), inside


def ballot(lanes: Lanes, where: Array, running: Array | None) -> Array:
    """A word with a bit for each lane of the warp that runs and for which the mask holds."""
    if running is not None:
        where = where & running
    spread = where if where.shape[-1] != 1 else np.broadcast_to(where, (where.shape[0], WARP))
    warps = lanes.by_warp(spread)
    words = (warps * _BIT).sum(axis=-1, dtype=np.uint32)[..., None]
    if where.shape[-1] == 1:
        return words[..., 0]
    return lanes.by_thread(words)


def reduce(lanes: Lanes, how: str, value: Array, running: Array | None) -> Array:
    """`redux.sync`: a reduction over the lanes of each warp that run.

    Args:
        lanes: The threads.
        how: `add`, `min`, `max`, `and`, `or` or `xor`.
        value: Typed values.
        running: Lanes that take part.
    """
    spread = np.broadcast_to(value, lanes.shape)
    function = _REDUCE[how]
    if running is not None:
        spread = np.where(running, spread, _neutral(how, value.dtype))
    return lanes.by_thread(function.reduce(lanes.by_warp(spread), axis=-1, keepdims=True))


_REDUCE: dict[str, np.ufunc] = {
    "add": np.add,
    "min": np.minimum,
    "max": np.maximum,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}


def _neutral(how: str, dtype: np.dtype[np.generic]) -> Array:
    if how in {"min", "max"}:
        info = np.iinfo(dtype)  # type: ignore[type-var] # integers only reach this
        value = info.max if how == "min" else info.min
    elif how == "and":
        return np.invert(np.zeros(1, dtype))
    else:
        value = 0
    return np.full(1, value, dtype)


def match(lanes: Lanes, value: Array, running: Array | None) -> tuple[Array, Array]:
    """`match.sync`: for each lane, the lanes that hold the same word; whether all do.

    Returns:
        The word of lanes, and the word for `match.all`: all lanes that run, or 0.
    """
    words = lanes.by_warp(np.broadcast_to(value, lanes.shape))
    same = words[..., :, None] == words[..., None, :]
    if running is None:
        present = np.ones((*words.shape[:-1], WARP), np.bool_)
    else:
        present = lanes.by_warp(np.broadcast_to(running, lanes.shape))
    same &= present[..., None, :]
    found = (same * _BIT).sum(axis=-1, dtype=np.uint32)
    everyone = (present * _BIT).sum(axis=-1, dtype=np.uint32)[..., None]
    return lanes.by_thread(found), lanes.by_thread(np.where(found == everyone, everyone, 0))
