"""The PTX machine: runs lowered kernels on the CPU, bit for bit where IEEE 754 decides."""

from __future__ import annotations

from sassay.machine.async_copy.tensor_map import TensorMap
from sassay.machine.errors import UnsupportedInstruction
from sassay.machine.launch import Launch, Pointer
from sassay.machine.load import load_program
from sassay.machine.program import Program
from sassay.machine.result import Result, Trap
from sassay.machine.run import run

__all__ = [
    "Launch",
    "Pointer",
    "Program",
    "Result",
    "TensorMap",
    "Trap",
    "UnsupportedInstruction",
    "load_program",
    "run",
]
