"""How many operands and modifiers the forms have: checked before anything looks at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.machine.errors import MissingForm
from sassay.machine.operands import Group, Vector

if TYPE_CHECKING:
    from sassay.machine.operands import Operand

_OPERANDS: dict[str, tuple[int, int]] = {
    "activemask": (1, 1),
    "atom": (3, 5),
    "cp.async.bulk.global": (3, 4),
    "cp.async.bulk.shared": (4, 5),
    "cp.async.bulk.tensor": (2, 6),
    "createpolicy": (1, 5),
    "cvta": (2, 2),
    "elect": (2, 2),
    "isspacep": (2, 2),
    "ld": (2, 3),
    "ldmatrix": (2, 2),
    "ldu": (2, 2),
    "match": (3, 3),
    "mbarrier.arrive": (2, 3),
    "mbarrier.arrive_drop": (2, 3),
    "mbarrier.expect_tx": (2, 2),
    "mbarrier.init": (2, 2),
    "mbarrier.inval": (1, 1),
    "mbarrier.test_wait": (3, 3),
    "mbarrier.try_wait": (3, 4),
    "mma": (4, 10),
    "mov": (2, 2),
    "red": (2, 4),
    "redux": (3, 3),
    "shfl": (5, 5),
    "st": (2, 3),
    "stmatrix": (2, 2),
    "tensormap.cp_fenceproxy": (3, 3),
    "tensormap.replace": (2, 3),
    "trap": (0, 0),
    "vote": (3, 3),
    "wgmma.mma_async": (4, 9),
}
"""Fewest and most operands, by the opcode's first words."""

_MODIFIERS = {"atom": 2, "cvta": 2, "isspacep": 1, "ld": 1, "ldu": 1, "mov": 1, "red": 2, "st": 1}
"""Fewest modifiers, by the opcode's first word."""

_EXACT = {"bar.warp.sync": 1}


def check_shape(opcode: str, operands: list[Operand]) -> None:
    """Whether an instruction has as many operands and modifiers as some form of its opcode.

    Args:
        opcode: With its modifiers.
        operands: Parsed.

    Raises:
        MissingForm: No form has so many.
    """
    base, *modifiers = opcode.split(".")
    words = [each.partition("::")[0] for each in opcode.split(".")]
    named = (".".join(words[:count]) for count in (4, 2, 1))
    bounds = next((_OPERANDS[each] for each in named if each in _OPERANDS), None)
    exact = _EXACT.get(opcode)
    if exact is not None:
        bounds = (exact, exact)
    if bounds is not None and not bounds[0] <= len(operands) <= bounds[1]:
        raise MissingForm(f"{opcode} with {len(operands)} operands")
    if len(modifiers) < _MODIFIERS.get(base, 0):
        raise MissingForm(opcode)
    if any(isinstance(each, (Vector, Group)) and not each.items for each in operands):
        raise MissingForm(f"{opcode} of nothing")
