"""Compares the JSON document of `sassay show` with NVIDIA's tools, cubin by cubin."""

from __future__ import annotations

import hashlib
import struct
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.oracle import nvidia_tools as nvidia

from sassay.containers import find_fatbins, read_elf
from sassay.model.artifact import ArtifactKind

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    Document = Mapping[str, Any]

RESOURCES = {
    "registers": "REG",
    "stack_bytes": "STACK",
    "static_shared_bytes": "SHARED",
    "local_bytes": "LOCAL",
    "constant_bytes": "CONSTANT[0]",
}
_FUNC = 2
_RELA = 4
_SYMTAB = 2


@dataclass
class Tally:
    """What was compared, and every difference, worded."""

    cubins: int = 0
    unreadable: int = 0
    kernels: int = 0
    instructions: int = 0
    functions: int = 0
    resources: int = 0
    mismatches: list[str] = field(default_factory=list)

    def expect(self, place: str, what: str, ours: object, theirs: object) -> None:
        """Note a difference."""
        if ours != theirs:
            self.mismatches.append(f"{place}: {what}: sassay {ours}, NVIDIA {theirs}")

    def add(self, other: Tally) -> None:
        """Count another tally in."""
        for name in ("cubins", "unreadable", "kernels", "instructions", "functions", "resources"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.mismatches += other.mismatches


@dataclass(frozen=True)
class Answer:
    """What NVIDIA's tools say of one cubin.

    Attributes:
        opcodes: By code section; None where nvdisasm does not read it.
        resources: By function.
        whole: Whether `opcodes` names all sections.
    """

    opcodes: dict[str, Counter[str]] | None
    resources: dict[str, dict[str, int]]
    whole: bool


class Oracle:
    """Asks once for cubins of equal bytes."""

    def __init__(self, folder: Path, *, every: int = 1) -> None:
        """Prepare.

        Args:
            folder: For temporary files.
            every: Disassemble one function of so many.
        """
        self._folder = folder
        self._every = every
        self._answers: dict[str, Answer] = {}

    def about(self, cubin: bytes) -> Answer:
        """NVIDIA's reading of a cubin."""
        digest = hashlib.sha256(cubin).hexdigest()
        if digest not in self._answers:
            path = self._folder / f"{digest}.cubin"
            path.write_bytes(cubin)
            try:
                try:
                    opcodes = nvidia.opcodes(path, self._chosen(cubin))
                except nvidia.Refused:
                    opcodes = None
                try:
                    resources = nvidia.resources(path)
                except nvidia.Refused:
                    path.write_bytes(healed(cubin))
                    resources = nvidia.resources(path)
            finally:
                path.unlink()
            self._answers[digest] = Answer(opcodes, resources, self._every == 1)
        return self._answers[digest]

    def _chosen(self, cubin: bytes) -> list[int]:
        """The symbols to ask for, none for all: the first function and then one of so many."""
        if self._every == 1:
            return []
        elf = read_elf(cubin, artifact="cubin")
        code = {section.index for section in elf.sections if section.name.startswith(".text.")}
        named = [i for i, symbol in enumerate(elf.symbols) if symbol.section in code]
        functions = [i for i in named if elf.symbols[i].name and elf.symbols[i].type == _FUNC]
        return functions[:: self._every]


def healed(cubin: bytes) -> bytes:
    """A cubin whose RELA sections name the symbol table.

    nvlink 12.1 leaves a stale section number in their `sh_link`; cuobjdump 13 then says that the
    file "does not contain device code", and that a library with such a cubin is "Invalid ELF".
    """
    data = bytearray(cubin)
    (table,) = struct.unpack_from("<Q", data, 40)
    (count,) = struct.unpack_from("<H", data, 60)
    types = [struct.unpack_from("<I", data, table + 64 * i + 4)[0] for i in range(count)]
    for index, kind in enumerate(types):
        if kind == _RELA:
            struct.pack_into("<I", data, table + 64 * index + 40, types.index(_SYMTAB))
    return bytes(data)


def cubins_of(library: Path, folder: Path, tally: Tally) -> dict[str, bytes]:
    """The cubins of a library by the place that sassay names, checked against `cuobjdump -xelf`."""
    entries = [
        entry
        for entry in find_fatbins(library.read_bytes(), artifact=library.name)
        if entry.kind is ArtifactKind.CUBIN
    ]
    found = {f"{library.name}!fatbin.{entry.index}": entry.data() for entry in entries}
    try:
        extracted = nvidia.extract(library, folder)
    except nvidia.Refused:
        return found
    tally.expect(
        library.name, "architectures", [e.arch for e in entries], [arch for arch, _ in extracted]
    )
    for (place, data), (_, path) in zip(found.items(), extracted, strict=False):
        if data != path.read_bytes():
            tally.mismatches.append(f"{place}: other bytes than cuobjdump extracts")
        path.unlink()
    return found


def check(document: Document, cubins: Mapping[str, bytes], oracle: Oracle, tally: Tally) -> None:
    """Compare every kernel and function of a document with the cubins that it was made of.

    Args:
        document: What `sassay show --all --format json` printed.
        cubins: Content by place.
        oracle: Where to ask.
        tally: Counts and differences are added to it.
    """
    kernels = by_place(document["kernels"])
    functions = by_place(document["functions"])
    for place in sorted({*kernels, *functions} - set(cubins)):
        tally.mismatches.append(f"{place}: no such cubin")
    for place, data in cubins.items():
        answer = oracle.about(data)
        tally.cubins += 1
        ours = {item["symbol"]: item for item in kernels[place]}
        called = {item["symbol"]: item for item in functions[place]}
        if answer.opcodes is None:
            tally.unreadable += 1
            censuses = {item["instructions"]["sass"] is None for item in ours.values()}
            tally.expect(place, "censuses are null", censuses, {True})
        else:
            held = {*ours, *called} if answer.whole else {*ours, *called} & set(answer.opcodes)
            tally.expect(place, "sections", sorted(held), sorted(answer.opcodes))
            for symbol, census in answer.opcodes.items():
                if symbol in ours:
                    check_census(f"{place}: {symbol}", ours[symbol], census, tally)
                elif symbol in called:
                    tally.functions += 1
                    counted = called[symbol]["instructions"]["sass"]
                    tally.expect(f"{place}: {symbol}", "census", counted, dict(census))
        for symbol, kernel in ours.items():
            check_resources(f"{place}: {symbol}", kernel, answer.resources.get(symbol), tally)


def check_census(place: str, kernel: Document, census: Counter[str], tally: Tally) -> None:
    """Compare one kernel's opcodes, and its categories with their sum."""
    tally.kernels += 1
    tally.instructions += census.total()
    tally.expect(place, "census", kernel["instructions"]["sass"], dict(census))
    tally.expect(place, "categories", sum(kernel["categories"]["sass"].values()), census.total())
    tally.expect(place, "code bytes", kernel["code_bytes"], 16 * census.total())


def check_resources(
    place: str, kernel: Document, printed: Mapping[str, int] | None, tally: Tally
) -> None:
    """Compare one kernel's resources with a line of `cuobjdump -res-usage`."""
    if printed is None:
        tally.mismatches.append(f"{place}: cuobjdump prints no resources")
        return
    tally.resources += 1
    for name, key in RESOURCES.items():
        tally.expect(place, name, kernel["resources"][name], printed[key])


def by_place(items: Iterable[Document]) -> dict[str, list[Document]]:
    """Kernels or functions by each place that holds them."""
    found: dict[str, list[Document]] = defaultdict(list)
    for item in items:
        for source in item["sources"]:
            found[source["path"]].append(item)
    return found
