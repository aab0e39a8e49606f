"""Learned tables that tell the mnemonic of an instruction word without a disassembler."""

from __future__ import annotations

from sassay.isa.sass.tables.decoder import UNKNOWN, TableDecoder
from sassay.isa.sass.tables.shipped import decoder_for, operands_for, shipped_archs, taught_by

__all__ = ["UNKNOWN", "TableDecoder", "decoder_for", "operands_for", "shipped_archs", "taught_by"]
