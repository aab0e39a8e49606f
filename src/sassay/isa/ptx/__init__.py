"""PTX: lexer, parser, syntax tree, normal forms, listings, printer."""

from __future__ import annotations

from sassay.isa.ptx.body import census
from sassay.isa.ptx.chains import source_lines
from sassay.isa.ptx.listing import listing
from sassay.isa.ptx.normal import normal_digest, tier
from sassay.isa.ptx.parser import read_module
from sassay.isa.ptx.printer import print_function, print_module
from sassay.isa.ptx.syntax import Instruction, Module, PtxFunction

__all__ = [
    "Instruction",
    "Module",
    "PtxFunction",
    "census",
    "listing",
    "normal_digest",
    "print_function",
    "print_module",
    "read_module",
    "source_lines",
    "tier",
]
