"""The code of one kernel as a person reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.errors import InputError
from sassay.isa import ptx
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
        return disassembler.listing(store.sass(digest))
    module = ptx.read_module(store.ptx(digest), artifact=kernel.name)
    for entry in module.entries:
        if entry.name == kernel.symbol:
            return ptx.listing(entry)
    raise InputError(f"its PTX has no entry {kernel.symbol}", artifact=kernel.name)
