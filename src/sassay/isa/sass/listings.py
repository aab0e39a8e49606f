"""A kernel's SASS as a person reads it, and as an alignment compares it."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from sassay.containers.mangled import stable_symbol
from sassay.isa.listing import ListingLine
from sassay.isa.sass import normal
from sassay.isa.sass import words as word
from sassay.isa.sass.raw import TARGET_MARK
from sassay.isa.sass.store import mnemonic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.model.code import Relocation, SassCode

_TARGET = re.compile(TARGET_MARK + r"([+-])0x([0-9a-f]+)")
_LAST_NUMBER = re.compile(r"(?:" + TARGET_MARK + r"[+-])?0x[0-9a-f]+(?!.*0x[0-9a-f])")
_CONSTANT = re.compile(r"c\[0x([0-9a-f]+)\]\[(?:U?R[Z\d]+\+?)?(0x[0-9a-f]+)?\]")
_FORMS = {
    normal.ABS32_LO_32: "32@lo({})",
    normal.ABS32_HI_32: "32@hi({})",
    normal.ABS47_34: "`({})",
    normal.ABS16_32: "`({})",
    normal.ABS55_16_34: "`({})",
}


def listing_lines(code: SassCode, texts: Sequence[str]) -> tuple[ListingLine, ...]:
    """One line an instruction.

    A target reads `0x1f0 (+0x40)`: where it is, and how far from here; keys keep the distance
    alone. What a relocation fills in stands in its place as nvdisasm writes it on a whole cubin,
    `32@lo(symbol)` or the quoted name; the symbol whose address a constant holds follows it.

    Args:
        code: The kernel.
        texts: What nvdisasm prints for each of its words, from raw mode.
    """
    constants = normal.Constants(code)
    relocations: dict[int, list[Relocation]] = {}
    for relocation in code.relocations:
        place = relocation.offset // word.WORD_BYTES
        relocations.setdefault(place, []).append(relocation)
    lines: list[ListingLine] = []
    for place, printed in enumerate(texts):
        offset = place * word.WORD_BYTES
        text = key = printed
        for relocation in relocations.get(place, ()):
            text = _fill(text, relocation, 0)
            key = _fill(key, relocation, offset)
        if "c[0x" in text:
            key, names = _name_constants(key, constants)
            text = f"{text} // {', '.join(names)}" if names else text
        lines.append(
            ListingLine(
                offset=offset,
                opcode=mnemonic(printed),
                text=_TARGET.sub(partial(_absolute, offset), text),
                key=key.replace(TARGET_MARK, "").replace(".reuse", ""),
            )
        )
    return tuple(lines)


def _absolute(offset: int, match: re.Match[str]) -> str:
    distance = int(match[2], 16) * (-1 if match[1] == "-" else 1)
    target = offset + distance
    shown = f"-{-target:#x}" if target < 0 else f"{target:#x}"
    return f"{shown} ({match[1]}0x{match[2]})"


def _fill(text: str, relocation: Relocation, origin: int) -> str:
    """The text with what the linker puts there.

    Args:
        text: What nvdisasm prints for the word itself.
        relocation: What refers to the word.
        origin: Place that places within a function are counted from: 0, or the instruction.
    """
    symbol = stable_symbol(relocation.symbol)
    name = symbol
    if relocation.addend:
        distance = relocation.addend - origin
        name = f"{symbol}{'-' if distance < 0 else '+'}{abs(distance):#x}"
    form = _FORMS.get(relocation.kind)
    if form is None or not _LAST_NUMBER.search(text):
        return f"{text} // {name}"
    filled = form.format(name)
    return _LAST_NUMBER.sub(lambda _: filled, text, count=1)


def _name_constants(text: str, constants: normal.Constants) -> tuple[str, list[str]]:
    """The text with symbols instead of the offsets where their addresses lie, and the symbols."""
    names: list[str] = []

    def without_offset(match: re.Match[str]) -> str:
        bank = int(match[1], 16)
        name = constants.symbol(bank, int(match[2] or "0", 16)) if bank else None
        if name is None:
            return match[0]
        names.append(name)
        return f"c[{bank:#x}][{name}]"

    return _CONSTANT.sub(without_offset, text), names
