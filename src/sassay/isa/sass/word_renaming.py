"""Whether two kernels are the same up to a renaming of registers, told by their words alone.

The same question as `renaming.renamed` answers from text, and the same answer; where a word's
operands were not learned, or two words differ in a bit of which it is not known what it prints,
there is none, and the text decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.isa.sass.renaming import operand_widths
from sassay.isa.sass.shape import CLASSES, Form
from sassay.isa.sass.tables.operands import UNSHAPED
from sassay.isa.sass.words import BODY_MASK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sassay.isa.sass.tables.operands import OperandDecoder, Registers
    from sassay.isa.sass.words import Words

_NUMBERS = 1 << 9
"""More than any class has registers, and any operand spans."""
_WIDE = np.array([name in {"R", "UR"} for name in CLASSES])
"""Classes of which an operand may span several."""


def renamed_words(
    before: Words,
    after: Words,
    opcodes: NDArray[np.int32],
    names: Sequence[str],
    operands: OperandDecoder,
) -> bool | None:
    """Whether `after` is `before` with other register names.

    Args:
        before: The words of a kernel.
        after: As many of the other one, which have the same opcodes.
        opcodes: Ids of those opcodes.
        names: The mnemonic of each id.
        operands: What was learned of the architecture.

    Returns:
        None where the words do not tell.
    """
    shapes = operands.shapes(before)
    changed = before ^ after
    changed[:, 1] &= BODY_MASK
    known = shapes != UNSHAPED
    safe = np.where(known, shapes, 0)
    registers = operands.register_bits(safe)
    telling = changed & operands.significant_bits(safe) & ~registers
    if (telling.any(axis=1) & known).any():
        return False
    other = changed & ~registers
    if not known.all() or other.any():
        return None
    one, two = operands.registers(before, shapes), operands.registers(after, shapes)
    if not np.array_equal(one.numbers < 0, two.numbers < 0):
        return None
    widths = _widths(one, opcodes, names)
    named = one.numbers >= 0
    kind = one.classes[named].astype(np.int64)
    old, new = one.numbers[named].astype(np.int64), two.numbers[named].astype(np.int64)
    # A register that a combination hides can contradict the rest here and not in print.
    return _one_to_one(kind, old, new, widths[named]) or None


def _one_to_one(
    kind: NDArray[np.int64],
    old: NDArray[np.int64],
    new: NDArray[np.int64],
    widths: NDArray[np.int64],
) -> bool:
    """Whether each class maps one to one, and operands of several registers as a whole."""
    forth = np.full((len(CLASSES), _NUMBERS), -1, dtype=np.int64)
    back = np.full((len(CLASSES), _NUMBERS), -1, dtype=np.int64)
    forth[kind, old] = new
    back[kind, new] = old
    if (forth[kind, old] != new).any() or (back[kind, new] != old).any():
        return False
    for step in range(1, int(widths.max(initial=1))):
        part = widths > step
        k, o, n = kind[part], old[part] + step, new[part] + step
        there, here = forth[k, o], back[k, n]
        if ((there >= 0) & (there != n)).any() or ((here >= 0) & (here != o)).any():
            return False
    return True


def _widths(
    registers: Registers, opcodes: NDArray[np.int32], names: Sequence[str]
) -> NDArray[np.int64]:
    """Registers that each operand spans, as `renaming.operands` counts them."""
    guard = registers.forms == Form.GUARD
    counted = (registers.numbers >= 0) & ~guard
    place = np.cumsum(counted, axis=1) - 1
    count = counted.sum(axis=1, keepdims=True)
    present, inverse = np.unique(opcodes, return_inverse=True)
    by_name = np.array([operand_widths(names[i]) for i in present.tolist()], dtype=np.int64)
    first, third, last, rest = (by_name[inverse, column][:, None] for column in range(4))
    widths = np.where(place == count - 1, last, rest)
    widths = np.where((place == 2) & (third > 0), third, widths)
    widths = np.where(place == 0, first, widths)
    widths = np.where(registers.forms == Form.ADDRESS, 1, widths)
    widths = np.where(_WIDE[registers.classes], widths, 1)
    widths = np.where(registers.forms == Form.PAIR, 2, widths)
    widths[guard] = 1
    result: NDArray[np.int64] = widths
    return result
