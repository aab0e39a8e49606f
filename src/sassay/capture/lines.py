"""Source lines of one kernel: read when asked for, out of the code that a store keeps."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sassay.containers.lines import CubinLines, tables
from sassay.errors import InputError, SassayError
from sassay.isa import ptx
from sassay.isa.attribution import (
    Counted,
    LayerLines,
    kernel_lines,
    opcode_ids,
    sass_lines,
)
from sassay.model.artifact import SourceLocation
from sassay.model.layers import Layered

if TYPE_CHECKING:
    from sassay.isa.ptx import PtxFunction
    from sassay.isa.sass import Disassembler
    from sassay.model.code import CodeStore
    from sassay.model.kernel import Kernel
    from sassay.model.lines import KernelLines, LineSections


def read_kernel_lines(kernel: Kernel, store: CodeStore, disassembler: Disassembler) -> KernelLines:
    """Counts the instructions of every source line of a kernel, in both layers.

    Args:
        kernel: Which kernel.
        store: Where its code and its line tables are.
        disassembler: Reads SASS.

    Raises:
        InputError: Neither layer holds line information.
        FormatError: A line table or the PTX is broken.
        ToolError: nvdisasm fails.
    """
    layers = Layered(ptx=_ptx(kernel, store), sass=_sass(kernel, store, disassembler))
    if not any(each is not None and each.lines is not None for each in (layers.ptx, layers.sass)):
        raise InputError(
            "it holds no line information",
            artifact=kernel.name,
            hint="nvcc and ptxas write it with -lineinfo, Triton by default",
        )
    return kernel_lines(layers)


def defined_at(sections: LineSections, *, artifact: str) -> dict[str, SourceLocation]:
    """The line of each kernel's first instruction; empty where the tables are broken.

    Args:
        sections: Line tables of a cubin.
        artifact: Its name.
    """
    found: dict[str, SourceLocation] = {}
    with contextlib.suppress(SassayError):
        source, _ = tables(sections, artifact=artifact)
        for symbol, table in (source or {}).items():
            outermost = (table.chain(site)[-1] for site in table.sites.tolist() if site >= 0)
            frame = next((frame for frame in outermost if frame.line), None)
            if frame is not None:
                found[symbol] = SourceLocation(frame.file, frame.line)
    return found


def layer_lines(
    kernel: Kernel, store: CodeStore, *, sass_instructions: int | None
) -> Layered[LayerLines]:
    """Where the instructions of both layers come from; None for a layer without line information.

    Args:
        kernel: Which kernel.
        store: Where its code and its line tables are.
        sass_instructions: How many its code section holds; None leaves SASS out.

    Raises:
        FormatError: A line table or the PTX is broken.
    """
    found, sass = None, None
    if kernel.code.ptx is not None:
        function = _entry(kernel, store.ptx(kernel.code.ptx))
        found = ptx.source_lines(function) if function is not None else None
    if kernel.code.lines is not None and sass_instructions is not None:
        source, ptx_table = tables(store.lines(kernel.code.lines), artifact=kernel.name)
        sass = sass_lines(CubinLines(source, ptx_table, {}), kernel.symbol, sass_instructions)
    return Layered(ptx=found, sass=sass)


def _entry(kernel: Kernel, text: str) -> PtxFunction | None:
    return ptx.read_module(text, artifact=kernel.name).entry(kernel.symbol)


def _ptx(kernel: Kernel, store: CodeStore) -> Counted | None:
    if kernel.code.ptx is None:
        return None
    function = _entry(kernel, store.ptx(kernel.code.ptx))
    if function is None:
        return None
    ids, names = opcode_ids([each.opcode for each in function.instructions])
    return Counted(ids, names, ptx.source_lines(function))


def _sass(kernel: Kernel, store: CodeStore, disassembler: Disassembler) -> Counted | None:
    if kernel.code.sass is None:
        return None
    code = store.sass(kernel.code.sass)
    (decoded,) = disassembler.opcodes([(code.arch, code.code)])
    if decoded is None:
        return None
    lines: LayerLines | None = None
    if kernel.code.lines is not None:
        source, ptx_table = tables(store.lines(kernel.code.lines), artifact=kernel.name)
        found = CubinLines(source, ptx_table, {})
        lines = sass_lines(found, kernel.symbol, len(decoded.opcodes))
    return Counted(decoded.opcodes, decoded.names, lines)
