"""How deep a change between two kernels goes, the first tier that holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.isa.sass import words as word
from sassay.isa.sass.decoded import census
from sassay.isa.sass.normal import normalize
from sassay.isa.sass.renaming import renamed
from sassay.isa.sass.tables import operands_for
from sassay.isa.sass.word_renaming import renamed_words
from sassay.model.layers import Tier

if TYPE_CHECKING:
    from sassay.isa.sass.disassembler import Disassembler
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
    told = None
    operands = operands_for(before.arch) if disassembler.uses_tables else None
    if operands is not None and after.arch in operands.archs:
        told = renamed_words(one.words, other.words, first.opcodes, first.names, operands)
    if told is None:  # what the words leave open the text tells
        told = renamed(
            disassembler.normal_texts(before.arch, one.words),
            disassembler.normal_texts(after.arch, other.words),
        )
    return Tier.RENAMED if told else Tier.REORDERED
