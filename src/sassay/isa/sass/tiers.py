"""How deep a change between two kernels goes, the first tier that holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.isa.sass import words as word
from sassay.isa.sass.decoded import census
from sassay.isa.sass.normal import normalize
from sassay.isa.sass.renaming import renamed
from sassay.isa.sass.tables import operands_for
from sassay.isa.sass.word_renaming import renamed_words
from sassay.model.layers import Tier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.isa.sass.decoded import Decoded
    from sassay.isa.sass.disassembler import Disassembler
    from sassay.isa.sass.words import Words
    from sassay.model.code import SassCode


def tier(before: SassCode, after: SassCode, disassembler: Disassembler) -> Tier:
    """Compare two kernels.

    Text is asked for only where tables do not decide. Equal words that refer to
    other constants, or other immediates between equal opcodes, are a change of substance: such
    kernels are `reordered`, the deepest tier that keeps the multiset of opcodes.

    Raises:
        ToolError: if nvdisasm is needed and missing, or fails.
    """
    if before == after:
        return Tier.IDENTICAL
    one, other = normalize(before), normalize(after)
    if before.arch == after.arch:
        if one.same_layout(other):
            return Tier.RELOCATED
        if one.same_instructions(other):
            return Tier.RESCHEDULED
    left = before.code[: len(one.words) * word.WORD_BYTES]
    right = after.code[: len(other.words) * word.WORD_BYTES]
    # Sections are decoded with their trailing bytes, so that a cut one is not equal to a whole one.
    left += one.trailing
    right += other.trailing
    decoded = disassembler.opcodes([(before.arch, left), (after.arch, right)])
    first, second = decoded
    if first is None or second is None:
        disassembler.require(before.arch if first is None else after.arch)
        return Tier.RECOMPOSED
    if first.trailing_bytes != second.trailing_bytes:
        return Tier.RECOMPOSED
    if census(first) != census(second):
        return Tier.RECOMPOSED
    names = [[item.names[i] for i in item.opcodes.tolist()] for item in (first, second)]
    if names[0] != names[1] or one.references != other.references:
        return Tier.REORDERED
    archs = (before.arch, after.arch)
    told = _renamed(archs, (one.words, other.words), first, disassembler)
    return Tier.RENAMED if told else Tier.REORDERED


def _renamed(
    archs: tuple[str, str],
    words: tuple[Words, Words],
    decoded: Decoded,
    disassembler: Disassembler,
) -> bool:
    """Whether two kernels of the same opcodes differ in the names of registers alone."""

    def texts(left: Words, right: Words) -> tuple[Sequence[str], Sequence[str]]:
        if archs[0] == archs[1]:  # one nvdisasm for both
            both = disassembler.normal_texts(archs[0], np.concatenate((left, right)))
            return both[: len(left)], both[len(left) :]
        return disassembler.normal_texts(archs[0], left), disassembler.normal_texts(archs[1], right)

    told = None
    operands = operands_for(archs[0]) if disassembler.uses_tables else None
    if operands is not None and archs[1] in operands.archs:
        told = renamed_words(*words, decoded.opcodes, decoded.names, operands, texts=texts)
    # What the words leave open the text of all tells.
    return told if told is not None else renamed(*texts(*words))
