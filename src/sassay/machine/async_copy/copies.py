"""All instructions that start with `cp`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sassay.machine.async_copy.bulk import bulk
from sassay.machine.async_copy.groups import commit_group, copy_async, wait_group
from sassay.machine.async_copy.mbarrier import copies_arrive
from sassay.machine.async_copy.reductions import reduction
from sassay.machine.errors import MissingForm

if TYPE_CHECKING:
    from sassay.machine.binding import Binder
    from sassay.machine.lowered import Lowered
    from sassay.machine.matrix.rules import Gpu
    from sassay.machine.operands import Operand

_ARRIVE = re.compile(r"cp\.async\.mbarrier\.arrive(\.noinc)?(\.shared(::cta)?)?\.b64", re.ASCII)


def copy(opcode: str, binder: Binder, operands: list[Operand], _gpu: Gpu) -> Lowered:
    """`cp.async` and its relatives."""
    if opcode.startswith(("cp.async.ca.", "cp.async.cg.")):
        return copy_async(opcode, binder, operands)
    if opcode == "cp.async.commit_group" and not operands:
        return commit_group(opcode, binder, operands)
    if (opcode, len(operands)) in {("cp.async.wait_group", 1), ("cp.async.wait_all", 0)}:
        return wait_group(opcode, binder, operands)
    if _ARRIVE.fullmatch(opcode):
        return copies_arrive(opcode, binder, operands)
    if opcode.startswith("cp.reduce.async.bulk."):
        return reduction(opcode, binder, operands)
    if opcode.startswith("cp.async.bulk."):
        return bulk(opcode, binder, operands)
    raise MissingForm(opcode)
