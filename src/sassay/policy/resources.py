"""Resources that a policy can compare, among them what registers cost in resident warps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sassay.model.kernel import Kernel

RESOURCES: Mapping[str, str] = {
    "registers": "Registers a thread.",
    "shared_bytes": "Shared memory a block, the dynamic part included where it is known.",
    "static_shared_bytes": "Static shared memory a block.",
    "stack_bytes": "Frame size a thread.",
    "local_bytes": "Local memory a thread.",
    "constant_bytes": "Constant bank 0, parameters included.",
    "barriers": "Named barriers.",
    "spill_load_bytes": "Width of the local loads, summed.",
    "spill_store_bytes": "Width of the local stores, summed.",
    "code_bytes": "Size of the code section.",
    "register_warps": "Resident warps a multiprocessor that the register count allows.",
}

# CUDA C++ Programming Guide, "Compute Capabilities", technical specifications: maximum resident
# warps a multiprocessor. All of these have 64 K registers in four partitions.
_MAX_WARPS: Mapping[int, int] = {
    60: 64, 61: 64, 62: 64, 70: 64, 72: 64, 75: 32, 80: 64, 86: 48, 87: 48, 88: 48, 89: 48,
    90: 64, 100: 64, 103: 64, 110: 48, 120: 48, 121: 48,
}  # fmt: skip
_PARTITIONS = 4
_REGISTERS_A_PARTITION = 65536 // _PARTITIONS
_ALLOCATION = 256
"""Registers are given to a warp in units of 256 (CUDA occupancy calculator, `cuda_occupancy.h`)."""

_SM = re.compile(r"sm_([0-9]+)[a-z]?")


def resource(kernel: Kernel, name: str) -> int | None:
    """One resource of a kernel, None where it is not known.

    Args:
        kernel: The kernel.
        name: A key of `RESOURCES`.
    """
    if name == "register_warps":
        return register_warps(kernel.arch, kernel.resources.registers)
    if name == "code_bytes":
        return kernel.code_bytes
    value: int | None = getattr(kernel.resources, name)
    return value


def register_warps(arch: str, registers: int | None) -> int | None:
    """Resident warps a multiprocessor that a register count allows, other limits aside.

    Args:
        arch: Such as `sm_90a`.
        registers: Registers a thread.
    """
    match = _SM.fullmatch(arch)
    most = _MAX_WARPS.get(int(match.group(1))) if match else None
    if most is None or registers is None:
        return None
    a_warp = max(1, -(-registers * 32 // _ALLOCATION)) * _ALLOCATION
    return min(most, _PARTITIONS * (_REGISTERS_A_PARTITION // a_warp))
