"""SASS through NVIDIA's nvdisasm: opcodes, listings, tiers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lazy import export

if TYPE_CHECKING:
    from sassay.isa.sass.decoded import Decoded as Decoded
    from sassay.isa.sass.decoded import census as census
    from sassay.isa.sass.decoded import spill_bytes as spill_bytes
    from sassay.isa.sass.disassembler import Disassembler as Disassembler
    from sassay.isa.sass.tiers import tier as tier
    from sassay.isa.sass.tools import Tool as Tool
    from sassay.isa.sass.tools import find_tools as find_tools

export(
    __name__,
    {
        ".decoded": "Decoded census spill_bytes",
        ".disassembler": "Disassembler",
        ".tiers": "tier",
        ".tools": "Tool find_tools",
    },
)
