"""Looks closely at one side of a contract: what it reads before anyone wrote it, and its races."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.machine.parity.contract import Linear, RaceSearch, Role
from sassay.machine.parity.execute import multiply
from sassay.machine.watched import run_watched
from sassay.model.parity import RaceAccess, RaceFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sassay.machine.global_races import Access, GlobalRace
    from sassay.machine.parity.bind import BoundLaunch
    from sassay.machine.parity.contract import BufferSpec, SideSpec
    from sassay.machine.parity.execute import Case, Sides
    from sassay.machine.result import Trap

    Array = NDArray[Any]

_ARGUMENT = re.compile(r"argument (\d+)")
_ORDER = {"race": 0, "same-value": 1, "unused": 2}


@dataclass
class Watch:
    """What was seen of a side.

    Attributes:
        trap: What ended it, empty if nothing did: a trap, or a write where none may be.
        races: Those that the search was for, the harmful ones first.
        left_out: Why not all was looked at for races; empty if it was.
    """

    trap: str = ""
    races: list[RaceFound] = field(default_factory=list)
    left_out: str = ""

    @property
    def harmful(self) -> list[RaceFound]:
        """Races that can change a result."""
        return [each for each in self.races if each.kind == "race"]


def watch(
    sides: Sides,
    spec: SideSpec,
    case: Case,
    specs: Mapping[str, BufferSpec],
    *,
    name: str,
    search: RaceSearch,
) -> Watch:
    """Runs a side and looks closely at its buffers.

    Args:
        sides: Finds kernels.
        spec: The side; of a Python function nothing is seen.
        case: With what its buffers hold.
        specs: What its buffers are to kernels.
        name: `left` or `right`.
        search: Which races are looked for.

    Raises:
        SassayError: A kernel cannot be found, bound or run.
    """
    found = Watch()
    if spec.python is not None:
        return found
    buffers = {key: array.copy() for key, array in case.buffers.items()}
    holds = {key: np.zeros(array.nbytes, np.bool_) for key, array in buffers.items()}
    for bound in sides.bound(spec, case, buffers):
        if isinstance(bound, Linear):
            multiply(bound, buffers, case.formats)
            holds[bound.out][...] = True
            continue
        empty = {
            at: _part(holds[array.buffer], bound, at)
            for at, array in bound.arrays.items()
            if specs[array.buffer].role in {Role.OUT, None}
        }
        seen = run_watched(
            bound.kernel.program,
            bound.launch,
            empty=empty,
            read_only=frozenset(at for at in empty if specs[bound.arrays[at].buffer].role is None),
            races=search is not RaceSearch.OFF,
        )
        found.left_out = found.left_out or seen.left_out
        for each in seen.races:
            _note(found.races, _race(name, bound, each, case), search)
        if seen.trap is not None:
            found.trap = f"{bound.kernel.symbol}: {_words(seen.trap, bound, specs)}"
            break
        for at, array in bound.arrays.items():
            if seen.result.written[at] and specs[array.buffer].role is Role.IN:
                found.trap = f'{bound.kernel.symbol} writes {array.buffer}, whose role is "in"'
            after = seen.result.arrays[at]
            if after is not None and array.view.size:
                array.view[...] = after
            if at in seen.written:
                _part(holds[array.buffer], bound, at)[...] |= seen.written[at]
        if found.trap:
            break
    found.races.sort(key=lambda each: _ORDER[each.kind])
    return found


def _part(mask: NDArray[np.bool_], bound: BoundLaunch, at: int) -> NDArray[np.bool_]:
    """The bytes of a buffer that an argument is."""
    array = bound.arrays[at]
    width = array.view.dtype.itemsize
    return mask[array.start * width : (array.start + array.view.size) * width]


def _words(trap: Trap, bound: BoundLaunch, specs: Mapping[str, BufferSpec]) -> str:
    """A trap with the names of buffers, and what to do about a read of an output."""
    named = {str(at): array.buffer for at, array in bound.arrays.items()}
    met = _ARGUMENT.search(trap.message)
    buffer = named.get(met[1], "") if met else ""
    text = _ARGUMENT.sub(lambda each: named.get(each[1], each[0]), str(trap))
    if trap.kind == "uninitialised" and buffer and specs[buffer].role is None:
        text += (
            f"; a kernel writes {buffer}, so it is an output: if it holds something before, say "
            'role = "inout"'
        )
    return text


def _note(found: list[RaceFound], race: RaceFound, search: RaceSearch) -> None:
    """Keeps a race, once for all launches of a kernel."""
    if search is not RaceSearch.ALL and race.kind != "race":
        return
    place = (race.kind, race.kernel, race.buffer, _line(race.first), _line(race.second))
    for each in found:
        if place == (each.kind, each.kernel, each.buffer, _line(each.first), _line(each.second)):
            return
    found.append(race)


def _line(access: RaceAccess) -> tuple[str, object]:
    return access.does, access.location or access.line


def _race(side: str, bound: BoundLaunch, race: GlobalRace, case: Case) -> RaceFound:
    array = bound.arrays[int(race.array)]
    element = array.start + race.byte // array.view.dtype.itemsize
    index = np.unravel_index(element, case.buffers[array.buffer].shape)
    return RaceFound(
        kind=race.kind,
        side=side,
        kernel=bound.kernel.symbol,
        buffer=array.buffer,
        index=tuple(int(each) for each in index),
        first=_access(race.first),
        second=_access(race.second),
        count=race.count,
    )


def _access(access: Access) -> RaceAccess:
    place = access.op.place
    return RaceAccess(
        does=access.does,
        block=access.block,
        thread=access.thread,
        instruction=place.text,
        line=place.line,
        location=place.location,
    )
