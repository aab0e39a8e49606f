"""PTX: lexer, parser, syntax tree, normal forms, listings, printer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lazy import export

if TYPE_CHECKING:
    from sassay.isa.ptx.body import census as census
    from sassay.isa.ptx.chains import source_lines as source_lines
    from sassay.isa.ptx.listing import listing as listing
    from sassay.isa.ptx.normal import normal_digest as normal_digest
    from sassay.isa.ptx.normal import tier as tier
    from sassay.isa.ptx.parser import read_module as read_module
    from sassay.isa.ptx.printer import print_function as print_function
    from sassay.isa.ptx.printer import print_module as print_module
    from sassay.isa.ptx.syntax import Instruction as Instruction
    from sassay.isa.ptx.syntax import Module as Module
    from sassay.isa.ptx.syntax import PtxFunction as PtxFunction

export(
    __name__,
    {
        ".body": "census",
        ".chains": "source_lines",
        ".listing": "listing",
        ".normal": "normal_digest tier",
        ".parser": "read_module",
        ".printer": "print_function print_module",
        ".syntax": "Instruction Module PtxFunction",
    },
)
