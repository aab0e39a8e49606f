"""What a state holds of one cubin: read and counted in one pass, kept by its digest."""

from __future__ import annotations

from array import array
from functools import lru_cache
from typing import TYPE_CHECKING, Self

import msgspec
import numpy as np

from sassay.capture.lines import defined_at
from sassay.capture.store import lines_digest
from sassay.containers.cubin import read_cubin
from sassay.containers.digest import code_hash
from sassay.isa.categories import CATEGORIES, category
from sassay.isa.sass import spill_bytes
from sassay.isa.sass import words as word
from sassay.isa.sass.tables import UNKNOWN, TableDecoder, decoder_for
from sassay.model.artifact import SourceLocation, Toolchain
from sassay.model.kernel import Launch, Resources
from sassay.model.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from sassay.containers.cubin import Cubin

_FAR = 1 << 20
"""Code sections are decoded together where no more than so many bytes between them are lost."""


class Counts(msgspec.Struct, frozen=True, array_like=True):
    """Instructions of one code section by opcode.

    Attributes:
        opcodes: Places in `CubinFacts.names`, ascending, as native u32.
        counts: So many of each, as native u32.
        left: The words that no table knows, 16 bytes each, in order.
        categories: So many of each of `CATEGORIES`, as native u32, of what is not left.
        spills: Bytes of spill loads and stores, likewise.
    """

    opcodes: bytes
    counts: bytes
    left: bytes = b""
    categories: bytes = b""
    spills: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, census: Mapping[str, int], places: Mapping[str, int]) -> Self:
        """The counts of a sorted census, by the place of each opcode among all sorted names."""
        return cls(
            array("I", map(places.__getitem__, census)).tobytes(),
            array("I", census.values()).tobytes(),
        )

    def census(self, names: Sequence[str]) -> dict[str, int]:
        """The opcodes that are known, sorted."""
        return dict(
            zip(
                map(names.__getitem__, array("I", self.opcodes)),
                array("I", self.counts),
                strict=True,
            )
        )

    def grouped(self) -> dict[str, int]:
        """Instructions by category, in the order of the categories, zeros left out."""
        totals = zip(CATEGORIES, array("I", self.categories), strict=True)
        return {name: count for name, count in totals if count}


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
    codes = [kernel.code for kernel in cubin.kernels]
    codes += [function.code for function in cubin.functions]
    names, counts = _count(codes, decoder)
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
        trailing=sum(len(code) % word.WORD_BYTES != 0 for code in codes),
    )


def _count(
    codes: Sequence[memoryview], decoder: TableDecoder | None
) -> tuple[tuple[str, ...], list[Counts]]:
    """The opcodes that occur, sorted, and the counts of each section."""
    if decoder is None:
        return (), [Counts(b"", b"", bytes(code)) for code in codes]
    sections = [word.section_words(code) for code in codes]
    found: list[tuple[NDArray[np.intp], NDArray[np.intp], bytes]] = []
    size = len(decoder.names) + 1
    used = np.zeros(size, dtype=bool)
    for words, ids in zip(sections, _decoded(codes, sections, decoder), strict=True):
        counted = np.bincount(ids + 1, minlength=size)
        left = b""
        if counted[0]:
            left = words[ids == UNKNOWN].tobytes()
            counted[0] = 0
        present = np.flatnonzero(counted != 0)  # of truths it is ten times as fast
        used[present] = True
        found.append((present, counted[present], left))
    order, place = _name_order(decoder)
    # Places among the names that occur, in the order of the names.
    ranks = np.cumsum(used[order]) - 1
    groups, loads, stores = _meaning(decoder)
    counts = []
    for present, counted, left in found:
        ranked = ranks[place[present]]
        ascending = ranked.argsort()
        by_category = np.bincount(groups[present], counted, len(CATEGORIES))
        counts.append(
            Counts(
                ranked[ascending].astype(np.uint32).tobytes(),
                counted[ascending].astype(np.uint32).tobytes(),
                left,
                by_category.astype(np.uint32).tobytes(),
                (int(loads[present] @ counted), int(stores[present] @ counted)),
            )
        )
    names = tuple(decoder.names[i - 1] for i in order[used[order]].tolist())
    return names, counts


@lru_cache(maxsize=32)
def _name_order(decoder: TableDecoder) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Ids plus one in the order of their names, and the place of each in that order."""
    order = np.array(sorted(range(len(decoder.names)), key=decoder.names.__getitem__), np.intp) + 1
    place = np.zeros(len(order) + 1, np.intp)
    place[order] = np.arange(len(order))
    return order, place


@lru_cache(maxsize=32)
def _meaning(
    decoder: TableDecoder,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """By ids plus one: the category, and the bytes that one spill load or store moves."""
    names = ("", *decoder.names)
    places = {name: number for number, name in enumerate(CATEGORIES)}
    spills = [spill_bytes({name: 1}) for name in names]
    return (
        np.array([places[category(Layer.SASS, name)] for name in names], np.intp),
        np.array([loads for loads, _ in spills], np.intp),
        np.array([stores for _, stores in spills], np.intp),
    )


def _decoded(
    codes: Sequence[memoryview], sections: Sequence[word.Words], decoder: TableDecoder
) -> list[NDArray[np.int32]]:
    """The opcode ids of each section; sections that lie side by side are decoded in one call."""
    starts = [_address(words) for words in sections]
    total = sum(len(words) for words in sections)
    held = [
        (start, len(words)) for start, words in zip(starts, sections, strict=True) if len(words)
    ]
    first = min((start for start, _ in held), default=0)
    last = max((start + count * word.WORD_BYTES for start, count in held), default=0)
    whole = memoryview(codes[0].obj) if codes else memoryview(b"")
    base = _address(np.frombuffer(whole, np.uint8)) if len(whole) else 0
    if (
        any(code.obj is not whole.obj for code in codes)
        or last - first - total * word.WORD_BYTES > _FAR
        or any((start - first) % word.WORD_BYTES for start, _ in held)
        or not base <= first <= last <= base + len(whole)
    ):
        return [decoder.decode(words) for words in sections]
    ids = decoder.decode(word.section_words(whole[first - base : last - base]))
    return [
        ids[(start - first) // word.WORD_BYTES :][: len(words)]
        for start, words in zip(starts, sections, strict=True)
    ]


def _address(values: NDArray[np.generic]) -> int:
    return int(values.__array_interface__["data"][0])
