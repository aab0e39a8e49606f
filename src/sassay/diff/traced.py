"""How the code of two kernels lines up from the first row to the last, for side by side views."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from sassay.diff.code_diff import code_diff
from sassay.diff.line_align import Side, align_lines
from sassay.errors import SassayError
from sassay.model.artifact import SourceLocation
from sassay.model.layers import Layer, Layered
from sassay.model.traced import TracedPair

if TYPE_CHECKING:
    from sassay.capture.texts import SourceReader
    from sassay.isa.sass import Disassembler
    from sassay.model.code import CodeStore
    from sassay.model.kernel import Kernel
    from sassay.model.traced import Run, TracedCode

_WHOLE = 1 << 30


def pair_code(
    kernels: tuple[Kernel, Kernel],
    codes: tuple[TracedCode, TracedCode],
    readers: tuple[SourceReader, SourceReader],
    store: CodeStore,
    disassembler: Disassembler,
) -> TracedPair:
    """Aligns two traced kernels, layer by layer and by source lines.

    Args:
        kernels: Before and after.
        codes: Their code, as `capture.traced.trace` reads it.
        readers: The source text of their states.
        store: Where the code is.
        disassembler: Prints SASS.
    """
    rows = {}
    for layer in Layer:
        if all(code.layers.of(layer) is not None for code in codes):
            rows[layer] = _rows(kernels, layer, store, disassembler)
    sides = tuple(
        _side(code, kernel, reader)
        for code, kernel, reader in zip(codes, kernels, readers, strict=True)
    )
    aligned = align_lines(*sides)
    return TracedPair(
        before=kernels[0].id,
        after=kernels[1].id,
        rows=Layered(ptx=rows.get(Layer.PTX), sass=rows.get(Layer.SASS)),
        lines=tuple(
            (one.file, one.line, two.file, two.line) for one, two in sorted(aligned.pairs.items())
        ),
        aligned=aligned.how,
    )


def _rows(
    kernels: tuple[Kernel, Kernel], layer: Layer, store: CodeStore, disassembler: Disassembler
) -> tuple[Run, ...] | None:
    try:
        found = code_diff(*kernels, layer, store, disassembler, context=_WHOLE)
    except SassayError:
        return None
    if not found.hunks:
        return (("equal", found.after_instructions),) if found.after_instructions else ()
    ops = [line.op for hunk in found.hunks for line in hunk.lines]
    return tuple((op, len(list(run))) for op, run in groupby(ops))


def _side(code: TracedCode, kernel: Kernel, reader: SourceReader) -> Side:
    places = {
        SourceLocation(frame.file, frame.line)
        for layer in (code.layers.ptx, code.layers.sass)
        if layer is not None
        for chain in layer.chains
        for frame in chain
        if frame.line
    }
    files = {place.file for place in places if reader.is_exact(place.file)}
    return Side(frozenset(places), kernel.location, {file: reader.lines(file) for file in files})
