"""Whether two kernels are the same up to a renaming of registers, told by their words.

The same question as `renaming.renamed` answers from text, and the same answer. Text is read of
those instructions alone whose operands were not learned, or whose words differ in a bit of which
it is not known what it prints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.isa.sass.renaming import operand_widths, renamed_operands
from sassay.isa.sass.shape import CLASSES, Form
from sassay.isa.sass.tables.operands import UNSHAPED
from sassay.isa.sass.words import BODY_MASK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sassay.isa.sass.tables.operands import OperandDecoder, Registers
    from sassay.isa.sass.words import Words

    Numbers = NDArray[np.int64]
    Texts = Callable[[Words, Words], tuple[Sequence[str], Sequence[str]]]

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
    *,
    texts: Texts | None = None,
) -> bool | None:
    """Whether `after` is `before` with other register names.

    Args:
        before: The words of a kernel.
        after: As many of the other one, which have the same opcodes.
        opcodes: Ids of those opcodes.
        names: The mnemonic of each id.
        operands: What was learned of the architecture.
        texts: Tells what nvdisasm prints for words of the one and of the other kernel; None asks
            nobody.

    Returns:
        None where this does not tell.
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
    one, two = operands.registers(before, safe), operands.registers(after, safe)
    named = one.numbers >= 0
    # Rows of which the words do not say that they print alike but for registers.
    left = ~known | (operands.shapes(after) != shapes)
    left |= (changed & ~registers).any(axis=1) | (named != (two.numbers >= 0)).any(axis=1)
    printed = np.empty((0, 4), dtype=np.int64)
    if left.any():
        if texts is None:
            return None
        read = _printed(*texts(before[left], after[left]))
        if read is None:
            return False
        printed = read
    named &= ~left[:, None]
    widths = _widths(one, opcodes, names)
    columns = (one.classes, one.numbers, two.numbers, widths)
    rows = np.stack([column[named].astype(np.int64) for column in columns], axis=1)
    against = _contradiction(np.concatenate((rows, printed)))
    if against is None:
        return True
    if texts is None:
        return None
    # A register that a combination hides contradicts the rest here and not in print.
    places = np.flatnonzero(named.any(axis=1)).repeat(named.sum(axis=1)[named.any(axis=1)])
    chosen = sorted({int(places[item]) for item in against if item < len(places)})
    read = _printed(*texts(before[chosen], after[chosen]))
    if read is None or _contradiction(np.concatenate((read, printed))) is not None:
        return False
    return None


def _printed(before: Sequence[str], after: Sequence[str]) -> Numbers | None:
    """Class, both numbers and width of every register in two texts, a row each.

    Returns:
        None where the texts differ in more than registers.
    """
    rows: list[tuple[int, int, int, int]] = []
    for one, other in dict.fromkeys(zip(before, after, strict=True)):
        pairs = renamed_operands(one, other)
        if pairs is None:
            return None
        rows += [(CLASSES.index(kind), old, new, width) for kind, old, new, width in pairs]
    return np.array(rows, dtype=np.int64).reshape(-1, 4)


def _contradiction(rows: Numbers) -> tuple[int, int] | None:
    """Two rows that do not agree on a mapping of each class one to one.

    Args:
        rows: Class, number before, number after and width in registers of operands. Those of
            several registers move as a whole.

    Returns:
        None where there are none.
    """
    kind, old, new, widths = rows.T
    forth = np.full((len(CLASSES), _NUMBERS), -1, dtype=np.int64)
    back = np.full((len(CLASSES), _NUMBERS), -1, dtype=np.int64)
    forth[kind, old] = new
    back[kind, new] = old
    for step in range(int(widths.max(initial=1))):
        part = np.flatnonzero(widths > step)
        k, o, n = kind[part], old[part] + step, new[part] + step
        there, here = forth[k, o], back[k, n]
        wrong = np.flatnonzero(((there >= 0) & (there != n)) | ((here >= 0) & (here != o)))
        if len(wrong):
            first = wrong[0]
            same = kind == k[first]
            other = same & ((old == o[first]) ^ (new == n[first]))
            return int(part[first]), int(np.flatnonzero(other)[0])
    return None


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
