"""From many contexts of one opcode to its shapes, and the bits that choose among them."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sassay.isa.sass.shape import (
    CLASSES,
    FIRST_BIT,
    LAST_BIT,
    SIGNIFICANT,
    Field,
    Kind,
    Shape,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.isa.sass.learn.contexts import Context, Place

MAX_SPLITS = 6
FEWEST = 2
"""Contexts from which a shape is taken; doubt follows."""
_TELLING = frozenset({Kind.MNEMONIC, Kind.OTHER})
"""What a bit that chooses changes, in one context at least."""
_WIDTHS = {"R": (8,), "UR": (6, 8), "P": (3,), "UP": (3,)}


@dataclass(frozen=True)
class Shapes:
    """The shapes of one opcode.

    Attributes:
        bits: Those that choose.
        by_index: The shape by their values, lowest bit first; what is missing is unknown.
    """

    bits: tuple[int, ...]
    by_index: dict[int, Shape]

    def index(self, word: int) -> int:
        """The values of the choosing bits as one number."""
        return sum((word >> bit & 1) << place for place, bit in enumerate(self.bits))

    def of(self, word: int) -> Shape | None:
        """The shape of a word."""
        return self.by_index.get(self.index(word))


def fields_of(contexts: Sequence[Context]) -> dict[Place, Field]:
    """Every register field that some context showed."""
    tops: dict[tuple[int, int], int] = {}
    for item in contexts:
        for key, top in item.tops.items():
            tops[key] = max(tops.get(key, 0), top)
    return {place: _field(place, tops) for item in contexts for place in item.places or ()}


def split(contexts: Sequence[Context]) -> Shapes:
    """Find the bits that choose, one at a time, the most telling first."""
    fields = fields_of(contexts)
    leaves: list[tuple[dict[int, int], Shape]] = []
    _grow(list(contexts), fields, {}, leaves)
    bits = tuple(sorted({bit for path, _ in leaves for bit in path}))
    if len(bits) > MAX_SPLITS:
        return Shapes((), {})
    by_index = {
        index: shape
        for path, shape in leaves
        for index in range(1 << len(bits))
        if all(index >> bits.index(bit) & 1 == value for bit, value in path.items())
    }
    return Shapes(bits, by_index)


def _field(place: Place, tops: dict[tuple[int, int], int]) -> Field:
    seen = tops[place.register_class, place.start] - place.start + 1
    widths = _WIDTHS.get(CLASSES[place.register_class], ())
    width = next((width for width in widths if width >= seen), seen)
    return Field(place.register_class, place.start, width, place.form, place.inverted)


def _grow(
    contexts: list[Context],
    fields: dict[Place, Field],
    path: dict[int, int],
    leaves: list[tuple[dict[int, int], Shape]],
) -> None:
    if len(contexts) < FEWEST:
        return
    shape = _shape(contexts, fields)
    if shape is not None:
        leaves.append((path, shape))
        return
    bit = _best(contexts, fields, path)
    if bit is None or len(path) == MAX_SPLITS:
        return
    for value in (0, 1):
        part = [item for item in contexts if item.word >> bit & 1 == value]
        _grow(part, fields, {**path, bit: value}, leaves)


def _shape(contexts: list[Context], fields: dict[Place, Field]) -> Shape | None:
    """The shape that all contexts agree on."""
    if any(item.places is None for item in contexts):
        return None
    longest = max((item.places or () for item in contexts), key=len)
    order = [fields[place] for place in longest]
    if len(set(order)) != len(order):
        return None
    for item in contexts:
        shown = [fields[place] for place in item.places or ()]
        if shown != [each for each in order if each.value(item.word) != each.zero]:
            return None
    return Shape(tuple(order), _kinds(contexts, order))


def _kinds(contexts: list[Context], order: list[Field]) -> str:
    registers = 0
    for each in order:
        registers |= each.mask()
    letters = []
    for bit in range(FIRST_BIT, LAST_BIT):
        if registers >> bit & 1:
            letters.append(Kind.REGISTER)
            continue
        seen = Counter(item.kinds[bit] for item in contexts if bit in item.kinds)
        if not seen or (Kind.NOTHING in seen and len(seen) > 1):
            letters.append(Kind.UNKNOWN)
        else:
            letters.append(max(sorted(seen), key=lambda kind: seen[kind]))
    return "".join(letters)


def _best(contexts: list[Context], fields: dict[Place, Field], path: dict[int, int]) -> int | None:
    """The bit that tells most about which registers are shown."""
    everything = set(fields.values())
    registers = 0
    for each in everything:
        registers |= each.mask()
    labelled = [
        (item.word, signature)
        for item in contexts
        if (signature := _signature(item, fields, everything)) is not None
    ]
    before = _entropy([label for _, label in labelled])
    best: tuple[float, int] | None = None
    telling = {
        bit
        for item in contexts
        for bit, kind in item.kinds.items()
        if kind in _TELLING and not registers >> bit & 1
    }
    for bit in sorted(telling - set(path)):
        sides: tuple[list[object], list[object]] = ([], [])
        for word, label in labelled:
            sides[word >> bit & 1].append(label)
        if min(map(len, sides)) < FEWEST:
            continue
        gain = before - sum(len(side) * _entropy(side) for side in sides) / len(labelled)
        if gain > 1e-6 and (best is None or gain > best[0] + 1e-9):
            best = (gain, bit)
    return best[1] if best else None


def _signature(
    item: Context, fields: dict[Place, Field], everything: set[Field]
) -> tuple[object, ...] | None:
    """What a context shows; None where a register that is none (RZ, PT) leaves that open."""
    if item.places is None:
        return ("odd",)
    shown = [fields[place] for place in item.places]
    hidden = everything - set(shown)
    if any(each.value(item.word) == each.zero for each in hidden):
        return None
    return tuple(shown)


def _entropy(labels: Sequence[object]) -> float:
    total = len(labels)
    return -sum(n / total * math.log2(n / total) for n in Counter(labels).values())


def significant(kinds: str) -> int:
    """The bits of a shape in which two words differ only if their texts do."""
    return sum(1 << bit for bit, kind in enumerate(kinds, FIRST_BIT) if kind in SIGNIFICANT)
