"""What a state holds of one cubin: read and counted in one pass, kept by its digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sassay.capture.lines import defined_at
from sassay.capture.section_counts import Counts, count_sections
from sassay.capture.store import lines_digest
from sassay.containers.cubin import read_cubin
from sassay.containers.digest import code_hash
from sassay.isa.sass import words as word
from sassay.isa.sass.tables import decoder_for
from sassay.model.artifact import SourceLocation, Toolchain
from sassay.model.kernel import Launch, Resources

if TYPE_CHECKING:
    from sassay.containers.cubin import Cubin, CubinFunction, CubinKernel


class KernelFacts(msgspec.Struct, frozen=True, array_like=True):
    """One kernel of a cubin; `resources` as `read_cubin` gives them.

    Attributes:
        sass_ref: Digest of its code in a code store.
        counts: None where nothing could decode all of it.
    """

    symbol: str
    launch: Launch
    resources: Resources
    code_bytes: int
    digest: str
    sass_ref: str
    counts: Counts | None


class FunctionFacts(msgspec.Struct, frozen=True, array_like=True):
    """One device function of a cubin; `digest` is that of its bytes alone."""

    symbol: str
    digest: str
    code_bytes: int
    counts: Counts | None


class CubinFacts(msgspec.Struct, frozen=True):
    """One cubin.

    Attributes:
        names: Opcodes, sorted; the counts name places in it.
        counted_by: Version of the nvdisasm that was asked for what no table knows, None where
            the tables alone answered, or nothing could.
        lines_ref: Digest of its line tables in a code store, None where it holds none.
        locations: Where its kernels are defined, as its line tables say, by symbol; None where
            nobody asked, since a front end's metadata said so.
        trailing: Code sections with bytes behind their last whole instruction.
    """

    arch: str
    toolchain: Toolchain
    names: tuple[str, ...]
    counted_by: str | None
    kernels: tuple[KernelFacts, ...]
    functions: tuple[FunctionFacts, ...]
    lines_ref: str | None = None
    locations: dict[str, SourceLocation] | None = None
    trailing: int = 0

    @property
    def complete(self) -> bool:
        """Whether no word is left that a disassembler would have to be asked for."""
        counts = [kernel.counts for kernel in self.kernels]
        counts += [function.counts for function in self.functions]
        return self.counted_by is not None or not any(each is None or each.left for each in counts)


def analyze_cubin(
    data: bytes | memoryview, *, artifact: str, locations: bool, tables: bool
) -> CubinFacts:
    """Read a cubin and count its instructions, as far as the learned tables know them.

    Args:
        data: The whole cubin.
        artifact: Its place, for errors.
        locations: Whether its line tables are to say where kernels are defined.
        tables: Whether tables are used; without them every word is left.

    Raises:
        FormatError: It is no cubin that can be read.
    """
    return facts_of(
        read_cubin(data, artifact=artifact), artifact=artifact, locations=locations, tables=tables
    )


def facts_of(cubin: Cubin, *, artifact: str, locations: bool, tables: bool) -> CubinFacts:
    """The facts of a cubin that was read; arguments as `analyze_cubin`."""
    decoder = decoder_for(cubin.arch) if tables else None
    sections: tuple[CubinKernel | CubinFunction, ...] = (*cubin.kernels, *cubin.functions)
    names, counts = count_sections(
        cubin.image, [(each.offset, len(each.code)) for each in sections], decoder
    )
    kernels = tuple(
        KernelFacts(
            symbol=kernel.symbol,
            launch=kernel.launch,
            resources=kernel.resources,
            code_bytes=len(kernel.code),
            digest=kernel.digest,
            sass_ref=kernel.sass_digest,
            counts=counted,
        )
        for kernel, counted in zip(cubin.kernels, counts, strict=False)
    )
    functions = tuple(
        FunctionFacts(function.symbol, code_hash(function.code).hex(), len(function.code), counted)
        for function, counted in zip(cubin.functions, counts[len(kernels) :], strict=True)
    )
    defined = None
    if cubin.lines is not None and locations:
        defined = defined_at(cubin.lines, artifact=artifact)
    return CubinFacts(
        arch=cubin.arch,
        toolchain=cubin.toolchain,
        names=names,
        counted_by=None,
        kernels=kernels,
        functions=functions,
        lines_ref=None if cubin.lines is None else lines_digest(cubin.lines),
        locations=defined,
        trailing=sum(len(each.code) % word.WORD_BYTES != 0 for each in sections),
    )
