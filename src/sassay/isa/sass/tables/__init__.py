"""Learned tables that tell the mnemonic of an instruction word without a disassembler."""

from __future__ import annotations

from sassay.isa.sass.tables.decoder import UNKNOWN, TableDecoder
from sassay.isa.sass.tables.shipped import decoder_for, operands_for, shipped_archs, taught_by
from sassay.isa.sass.tables.tally import Tally, tally

__all__ = [
    "UNKNOWN",
    "TableDecoder",
    "Tally",
    "decoder_for",
    "operands_for",
    "shipped_archs",
    "tally",
    "taught_by",
]
