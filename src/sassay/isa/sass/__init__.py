"""SASS through NVIDIA's nvdisasm: opcodes, listings, tiers."""

from __future__ import annotations

from sassay.isa.sass.decoded import Decoded, census, spill_bytes
from sassay.isa.sass.disassembler import Disassembler
from sassay.isa.sass.tiers import tier
from sassay.isa.sass.tools import Tool, find_tools

__all__ = ["Decoded", "Disassembler", "Tool", "census", "find_tools", "spill_bytes", "tier"]
