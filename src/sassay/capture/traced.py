"""One kernel's code in both layers, each instruction with its category and its source lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.capture.lines import layer_lines
from sassay.capture.listing import kernel_listing
from sassay.capture.texts import stretches
from sassay.errors import SassayError
from sassay.isa.attribution import ptx_of_sass
from sassay.isa.categories import category
from sassay.model.layers import Layer, Layered
from sassay.model.traced import TracedCode, TracedLayer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.capture.texts import SourceReader
    from sassay.isa.attribution import LayerLines
    from sassay.isa.listing import ListingLine
    from sassay.isa.sass import Disassembler
    from sassay.model.code import CodeStore
    from sassay.model.kernel import Kernel


def trace(
    kernel: Kernel, store: CodeStore, disassembler: Disassembler, reader: SourceReader
) -> TracedCode:
    """Reads a kernel's code and where it comes from; what cannot be read is left out and said.

    Args:
        kernel: Which one.
        store: Where its code and line tables are.
        disassembler: Prints SASS.
        reader: The source text of its state.
    """
    notes: list[str] = []
    listings: dict[Layer, tuple[ListingLine, ...]] = {}
    for layer in Layer:
        if kernel.code.of(layer) is None:
            continue
        try:
            listings[layer] = kernel_listing(kernel, layer, store, disassembler)
        except SassayError as error:
            notes.append(str(error))
    lines: Layered[LayerLines] = Layered()
    try:
        lines = layer_lines(
            kernel, store, sass_instructions=len(listings.get(Layer.SASS, ())) or None
        )
    except SassayError as error:
        notes.append(f"its source lines cannot be read: {error}")
    else:
        if lines.ptx is None and lines.sass is None:
            notes.append("it was compiled without line information, so no source line is known")
    tied: tuple[int, ...] = ()
    if lines.ptx is not None and lines.sass is not None:
        tied = tuple(ptx_of_sass(lines.sass, lines.ptx).tolist())
    layers = Layered(
        ptx=_layer(Layer.PTX, listings.get(Layer.PTX), lines.ptx, ()),
        sass=_layer(Layer.SASS, listings.get(Layer.SASS), lines.sass, tied),
    )
    named: dict[str, set[int]] = {}
    for each in (layers.ptx, layers.sass):
        for chain in each.chains if each is not None else ():
            for frame in chain:
                named.setdefault(frame.file, set()).add(frame.line)
    if kernel.location is not None and named:
        named.setdefault(kernel.location.file, set()).add(kernel.location.line)
    texts = {
        file: tuple(stretches(reader.lines(file), rows)) for file, rows in sorted(named.items())
    }
    return TracedCode(
        kernel=kernel.id,
        layers=layers,
        texts={file: runs for file, runs in texts.items() if runs},
        origins={file: origin for file in sorted(named) if (origin := reader.origin(file))},
        note="; ".join(notes) or None,
    )


def _layer(
    layer: Layer,
    listing: Sequence[ListingLine] | None,
    lines: LayerLines | None,
    tied: tuple[int, ...],
) -> TracedLayer | None:
    if listing is None:
        return None
    known: dict[str, str] = {}
    for line in listing:
        if line.opcode not in known:
            known[line.opcode] = category(layer, line.opcode)
    whole = lines is not None and len(lines.sites) == len(listing)
    return TracedLayer(
        offsets=tuple(line.offset for line in listing),
        texts=tuple(line.text for line in listing),
        categories=tuple(known[line.opcode] for line in listing),
        sites=tuple(lines.sites.tolist()) if lines is not None and whole else (),
        chains=lines.chains if lines is not None and whole else (),
        ptx=tied if whole else (),
    )


def warm(kernels: Sequence[Kernel], store: CodeStore, disassembler: Disassembler) -> None:
    """Prints the SASS of many kernels at once, since each start of a disassembler takes a while.

    Args:
        kernels: Those that are to be traced.
        store: Where their code is.
        disassembler: Keeps what it printed.
    """
    by_arch: dict[str, list[bytes]] = {}
    for kernel in kernels:
        if kernel.code.sass is not None:
            code = store.sass(kernel.code.sass)
            by_arch.setdefault(code.arch, []).append(code.code[: len(code.code) // 16 * 16])
    for arch, codes in sorted(by_arch.items()):
        try:
            disassembler.texts(arch, b"".join(codes))
        except SassayError:  # told of each kernel when it is traced
            continue
