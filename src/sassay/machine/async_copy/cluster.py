"""`barrier.cluster`, of clusters of one block: all threads arrive, and wait for all arrivals.

Source: PTX ISA, "barrier.cluster".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.errors import MissingForm
from sassay.machine.lowered import Lowered
from sassay.machine.memory import TrapError

if TYPE_CHECKING:
    from sassay.machine.lanes import Lanes
    from sassay.machine.memory import Memory
    from sassay.machine.types import Array

_FORM = re.compile(
    r"barrier\.cluster\.(?:(arrive)(?:\.release|\.relaxed)?|wait(?:\.acquire)?)(?:\.aligned)?",
    re.ASCII,
)


def cluster(opcode: str) -> Lowered:
    """`barrier.cluster.arrive` and `barrier.cluster.wait`.

    Raises:
        MissingForm: It is neither.
    """
    match = _FORM.fullmatch(opcode)
    if match is None:
        raise MissingForm(opcode)
    return Lowered(_arrive) if match[1] else Lowered(_wait, ready=_ready)


def _chosen(lanes: Lanes, memory: Memory, where: Array | None) -> tuple[Array, Array]:
    threads = memory.flights.threads(lanes, memory, lanes.running(where))
    return threads // memory.threads, threads % memory.threads


def _arrive(lanes: Lanes, memory: Memory, where: Array | None) -> None:
    place, arrivals = _chosen(lanes, memory, where), memory.arrivals
    if (arrivals.arrived[place] > arrivals.waited[place]).any():
        message = "a thread arrives at the barrier of its cluster again before it waited there"
        raise TrapError("barrier", message, lanes.running(where), lanes)
    arrivals.arrived[place] += 1


def _wait(lanes: Lanes, memory: Memory, where: Array | None) -> None:
    place, arrivals = _chosen(lanes, memory, where), memory.arrivals
    if (arrivals.arrived[place] <= arrivals.waited[place]).any():
        message = "a thread waits at the barrier of its cluster and has not arrived there"
        raise TrapError("barrier", message, lanes.running(where), lanes)
    arrivals.waited[place] += 1


def _ready(lanes: Lanes, memory: Memory) -> Array:
    arrivals = memory.arrivals
    # Who never arrived goes on, to the trap.
    found = arrivals.over() | (arrivals.arrived <= arrivals.waited)
    return np.broadcast_to(lanes.take(found), lanes.shape)
