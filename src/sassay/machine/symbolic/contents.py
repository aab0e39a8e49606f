"""What asynchronous copies move in the symbolic mode: hashes beside bytes.

An element is a record of equal units, each with its bits, its hash, and whether it is the hash
that counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.async_copy.contents import CHUNK, Contents
from sassay.machine.async_copy.stores import Stores
from sassay.machine.memory import read
from sassay.machine.symbolic import hashing
from sassay.machine.symbolic.symbol import known_where, mixed
from sassay.machine.types import WORDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.machine.async_copy.contents import Window
    from sassay.machine.memory import Part
    from sassay.machine.owned import Owned
    from sassay.machine.symbolic.overlay import Overlay
    from sassay.machine.types import Array

_WIDEST = 8


class SymbolicContents(Contents):
    """Contents of memory as expressions."""

    def __init__(
        self,
        overlay_of: Callable[[Array], Overlay | None],
        made: Callable[[Array, int], Overlay],
        stored: Callable[[Array, Array, int], None],
    ) -> None:
        """Moves nothing yet.

        Args:
            overlay_of: Gives the hashes beside some bytes.
            made: The same; makes them, with units of so many bytes, where there are none.
            stored: Is told what is written to global memory: the bytes, offsets, and the size.
        """
        super().__init__(read)
        self._overlay_of = overlay_of
        self._made = made
        self._stored = stored
        self._taint = 0

    def blank(self, shape: tuple[int, ...], size: int) -> Array:
        """Elements of zeros, which are known."""
        return np.zeros(shape, _record(size, min(size, _WIDEST)))

    def take(self, part: Part, size: int) -> Array:
        """The element at each place of a part."""
        return self._at(part.data, part.offsets, size)

    def _at(self, data: Array, offsets: Array, size: int, most: int = _WIDEST) -> Array:
        over = self._overlay_of(data)
        unit = min(size, most)
        if over is not None:
            self._taint |= over.taint
            over.refine(unit)
            unit = over.unit
        places = offsets[..., None] // unit + np.arange(size // unit)
        found = np.zeros(offsets.shape, _record(size, unit))
        if over is None:
            found["bits"] = data.view(WORDS[unit * 8])[places]
            return found
        piece = over.piece(data, places)
        if piece.hash is not None:
            found["hash"] = piece.hash
            found["hashed"] = ~known_where(piece)
        if piece.value is not None:
            found["bits"] = piece.value
        return found

    def merge(self, where: Array | None, new: Array, old: Array) -> Array:
        """New elements where a mask holds, old ones elsewhere; of the shape of the old ones."""
        if where is None:
            return np.broadcast_to(new, old.shape)
        unit = min(_unit(new), _unit(old))
        found = _cut(old, unit).copy()
        chosen = np.broadcast_to(where, found.shape)
        found[chosen] = np.broadcast_to(_cut(new, unit), found.shape)[chosen]
        return found

    def insert(self, elements: Array, at: int, part: Array, where: Array) -> Array:
        """Elements with one byte replaced where a mask holds."""
        found, byte = _cut(elements, 1).copy(), _cut(part, 1)
        for name in ("bits", "hash", "hashed"):
            found[name][..., at] = np.where(where, byte[name][..., 0], found[name][..., at])
        return found

    def land(self, owned: Owned, places: Array, elements: Array, size: int) -> None:
        """Writes elements to places, counted in units of them."""
        self._put(owned.data, places * size, elements)

    def _put(self, data: Array, offsets: Array, elements: Array) -> None:
        over = self._made(data, _unit(elements))
        over.refine(_unit(elements))
        over.taint |= self._taint
        cut = _cut(elements, over.unit)
        count = cut["hash"].shape[-1]
        bits, hashed = np.ascontiguousarray(cut["bits"]), cut["hashed"]
        piece = mixed(over.unit * 8, cut["hash"], bits, ~hashed)
        over.put(data, offsets[..., None] // over.unit + np.arange(count), piece)

    def chunks(self, owned: Owned, places: Array) -> Array:
        """The elements at places, counted in chunks."""
        return self._at(owned.data, places * CHUNK, CHUNK)

    def gather(
        self, box: tuple[int, ...], element: int, window: Window | None, fill: bytes
    ) -> Array:
        """Reads a box, as chunks."""
        inner = None
        if window is not None:
            inner = self._at(window.held.data, window.offsets(), element)
        unit = min(element, _WIDEST) if inner is None else _unit(inner)
        found = np.zeros(box, _record(element, unit))
        found["bits"] = int.from_bytes((fill * unit)[:unit], "little")
        if window is not None:
            found[window.inside] = inner
        return _grouped(found, (-1,), CHUNK)

    def scatter(self, window: Window, chunks: Array) -> None:
        """Writes what lies in the tensor of a box that is given as chunks."""
        cut = _cut(chunks, min(_unit(chunks), window.element))
        box = _grouped(cut, window.shape, window.element)
        offsets = window.offsets()
        self._put(window.held.data, offsets, box[window.inside])
        self._stored(window.held.data, offsets, window.element)


class UnwatchedStores(Stores):
    """Copies out of shared memory: whether it changes too early is looked for in numbers only.

    Attributes:
        latest: The thread that issued the latest copy.
    """

    latest = 0

    def start(self, thread: int, places: Array, data: Array) -> None:
        """Issues a copy."""
        del places, data
        self.latest = thread


def _record(size: int, unit: int) -> np.dtype[np.void]:
    count = size // unit
    return np.dtype(
        [("hash", "<u8", (count,)), ("bits", f"<u{unit}", (count,)), ("hashed", "?", (count,))]
    )


def _unit(elements: Array) -> int:
    return int(elements["bits"].dtype.itemsize)


def _cut(elements: Array, unit: int) -> Array:
    """The same in units that are no wider."""
    while _unit(elements) > unit:
        wide = _unit(elements)
        shape, count = elements.shape, elements["hash"].shape[-1]
        found = np.zeros(shape, _record(wide * count, wide // 2))
        low, high = hashing.split(np.ascontiguousarray(elements["hash"]), wide * 8)
        found["hash"] = np.stack([low, high], axis=-1).reshape(*shape, -1)
        found["bits"] = np.ascontiguousarray(elements["bits"]).view(f"<u{wide // 2}")
        found["hashed"] = np.repeat(elements["hashed"], 2, axis=-1)
        elements = found
    return elements


def _grouped(elements: Array, shape: tuple[int, ...], size: int) -> Array:
    """The same units as elements of another size, not under that of a unit."""
    unit = _unit(elements)
    count = size // unit
    fields = {
        name: np.ascontiguousarray(elements[name]).reshape(*shape, count)
        for name in ("hash", "bits", "hashed")
    }
    found = np.zeros(fields["hash"].shape[:-1], _record(size, unit))
    for name, field in fields.items():
        found[name] = field
    return found
