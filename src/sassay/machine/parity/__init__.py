"""Parity contracts: two computations over the same buffers, and a claim about their results."""

from __future__ import annotations

from sassay.machine.parity.contract import Claim, Contract, ContractFile
from sassay.machine.parity.execute import Sides
from sassay.machine.parity.judge import check_contracts
from sassay.machine.parity.kernels import Chooser, KernelCode
from sassay.machine.parity.load import load_contracts

__all__ = [
    "Chooser",
    "Claim",
    "Contract",
    "ContractFile",
    "KernelCode",
    "Sides",
    "check_contracts",
    "load_contracts",
]
