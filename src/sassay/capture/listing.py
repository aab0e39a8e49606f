"""The code of one kernel as a person reads it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec

from sassay.capture.lines import layer_lines
from sassay.errors import InputError, SassayError
from sassay.isa import ptx
from sassay.model.artifact import SourceLocation
from sassay.model.layers import Layer

if TYPE_CHECKING:
    from sassay.isa.listing import ListingLine
    from sassay.isa.sass import Disassembler
    from sassay.model.code import CodeStore
    from sassay.model.kernel import Kernel


def kernel_listing(
    kernel: Kernel, layer: Layer, store: CodeStore, disassembler: Disassembler
) -> tuple[ListingLine, ...]:
    """List the code of one kernel in one layer.

    Args:
        kernel: Whose code.
        layer: PTX or SASS.
        store: Where the code is.
        disassembler: Reads SASS.

    Raises:
        InputError: The kernel does not hold the layer.
        ToolError: No disassembler knows the architecture.
    """
    digest = kernel.code.of(layer)
    if digest is None:
        raise InputError(
            f"it holds no {layer.value.upper()}", artifact=kernel.name, hint="try the other layer"
        )
    if layer is Layer.SASS:
        return _placed(kernel, store, disassembler.listing(store.sass(digest)))
    module = ptx.read_module(store.ptx(digest), artifact=kernel.name)
    for entry in module.entries:
        if entry.name == kernel.symbol:
            return ptx.listing(entry)
    raise InputError(f"its PTX has no entry {kernel.symbol}", artifact=kernel.name)


def ptx_lines(kernel: Kernel, store: CodeStore, instructions: int) -> tuple[int, ...] | None:
    """For each SASS instruction the line of its PTX module that it comes from, 0 where none is.

    Args:
        kernel: Whose code.
        store: Where its line tables are.
        instructions: How many its code section holds.

    Returns:
        None where the cubin does not tell, or its line table is broken.
    """
    with contextlib.suppress(SassayError):
        lines = layer_lines(kernel, store, sass_instructions=instructions).sass
        if lines is not None and lines.ptx_lines is not None:
            return tuple(lines.ptx_lines.tolist())
    return None


def _placed(
    kernel: Kernel, store: CodeStore, listing: tuple[ListingLine, ...]
) -> tuple[ListingLine, ...]:
    """The same instructions with their innermost source lines; as they are without a line table."""
    lines = None
    with contextlib.suppress(SassayError):
        lines = layer_lines(kernel, store, sass_instructions=len(listing)).sass
    if lines is None:
        return listing
    places = [
        SourceLocation(chain[0].file, chain[0].line) if chain else None for chain in lines.chains
    ]
    return tuple(
        line if site < 0 else msgspec.structs.replace(line, location=places[site])
        for line, site in zip(listing, lines.sites.tolist(), strict=True)
    )
