"""Fatbins: the containers in which nvcc packs the cubins and PTX texts of many architectures.

A fatbin is a 16-byte header (magic u32, version u16, header size u16, size of all entries u64)
and entries: kind u16 at 0, header size u32 at 4, padded payload size u64 at 8, compressed size
u32 at 16, architecture u32 at 28, flags u64 at 40, uncompressed size u64 at 56. NVIDIA publishes
no description; every field here was checked against what `cuobjdump -lelf -lptx` lists.

They lie in bare `.fatbin` files, in section `.nv_fatbin` of host objects, and in
`__nv_relfatbin` of objects compiled with relocatable device code. A linked library keeps the
latter beside the linked image, although nothing ever loads it: the same kernels before device
linking. As cuobjdump without `-all`, sassay then reads `.nv_fatbin` only.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Literal

import msgspec

from sassay.containers import limits
from sassay.containers.decompress import decompress_lz4_block, decompress_zstd
from sassay.containers.elf import ET_REL, Elf, Section, read_elf
from sassay.containers.elf import MAGIC as ELF_MAGIC
from sassay.errors import FormatError, LimitError
from sassay.model.artifact import ArtifactKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAGIC = 0xBA55ED50
MAGIC_BYTES = MAGIC.to_bytes(4, "little")
LINKED_SECTION = ".nv_fatbin"
RELOCATABLE_SECTION = "__nv_relfatbin"

Compression = Literal["lz4", "zstd"]

_HEADER = struct.Struct("<IHHQ")
_ENTRY = struct.Struct("<HHIQI8xI8xQ8xQ")
_KINDS = {1: ArtifactKind.PTX, 2: ArtifactKind.CUBIN}
_OTHER_KINDS = {8: "LTO IR", 4: "legacy ELF", 16: "index", 64: "tile IR"}
_FLAG_LZ4 = 0x2000
_FLAG_ZSTD = 0x8000
_FLAG_ARCH_SPECIFIC = 0x100000
_FLAG_FAMILY_SPECIFIC = 0x200000
_CHUNK = 64 * limits.KIB


class FatbinEntry(msgspec.Struct, frozen=True):
    """One cubin or PTX text of a fatbin.

    Attributes:
        kind: Cubin or PTX.
        arch: `sm_90a` or `compute_90`, as the entry's header claims it.
        index: Position among all entries of the file, from 0, other kinds included.
        offset: Offset of the payload in the file.
        size: Payload bytes as stored.
        compressed: How it is stored; None when plain.
        section: Section that holds it, empty in a bare fatbin.
    """

    kind: ArtifactKind
    arch: str
    index: int
    offset: int
    size: int
    compressed: Compression | None
    section: str
    uncompressed_size: int
    _payload: memoryview
    _artifact: str

    @property
    def stored(self) -> memoryview:
        """The payload as it lies in the file, not copied."""
        return self._payload

    def data(self) -> bytes:
        """The payload, decompressed; PTX comes without its trailing NULs.

        Raises:
            FormatError: The payload does not decompress to the size that its header claims.
            LimitError: It claims more than `limits.MAX_FATBIN_ENTRY_BYTES`.
        """
        return bytes(
            unpack_entry(
                self._payload,
                kind=self.kind,
                compressed=self.compressed,
                size=self.uncompressed_size,
                artifact=self._artifact,
                place=f"fatbin entry {self.index}, offset {self.offset:#x}",
            )
        )


def unpack_entry(
    stored: bytes | memoryview,
    *,
    kind: ArtifactKind,
    compressed: str | None,
    size: int,
    artifact: str,
    place: str | None = None,
) -> bytes | memoryview:
    """The content of an entry; a plain cubin is not copied, PTX loses its trailing NULs.

    Args:
        stored: The payload.
        kind: What it must hold.
        compressed: `lz4`, `zstd` or None.
        size: Bytes once decompressed.
        artifact: The name that errors carry.
        place: The place in it.

    Raises:
        FormatError: It does not decompress to `size` bytes, or holds something else.
        LimitError: It claims more than `limits.MAX_FATBIN_ENTRY_BYTES`.
    """
    content: bytes | memoryview = stored
    if compressed is not None:
        expand = decompress_lz4_block if compressed == "lz4" else decompress_zstd
        content = expand(
            memoryview(stored), size=size, artifact=artifact, place=place or "its only entry"
        )
    if kind is ArtifactKind.PTX:
        return bytes(content).rstrip(b"\0")
    if content[:4] != ELF_MAGIC:
        raise FormatError("the entry holds no ELF file", artifact=artifact, place=place)
    return content


def find_fatbins(
    data: bytes | memoryview,
    *,
    artifact: str,
    relocatable: bool = False,
    on_note: Callable[[str], None] | None = None,
) -> Iterator[FatbinEntry]:
    """Walks every fatbin of a host ELF file or of a bare fatbin file.

    Args:
        data: The whole file.
        artifact: The name that errors carry.
        relocatable: Also yield what a linked library keeps in `__nv_relfatbin` (see above).
        on_note: Told, in one clause each, of what was left out: entries of other kinds, and
            sections of kernels before device linking.

    Yields:
        Entries in the order of the file. A file without fatbins yields nothing.

    Raises:
        FormatError: A header is wrong; entries before it have been yielded.
        LimitError: More than `limits.MAX_FATBIN_ENTRIES` entries.
    """
    view = memoryview(data)
    note = on_note or (lambda _: None)
    if view[:4] == MAGIC_BYTES:
        yield from _walk(
            view, start=0, end=len(view), section="", index=0, artifact=artifact, note=note
        )
        return
    elf = read_elf(view, artifact=artifact)
    index = 0
    for section in fatbin_sections(elf, relocatable=relocatable, note=note):
        end = section.offset + section.size
        for entry in _walk(
            view,
            start=section.offset,
            end=end,
            section=section.name,
            index=index,
            artifact=artifact,
            note=note,
        ):
            yield entry
            index = entry.index + 1


def fatbin_sections(elf: Elf, *, relocatable: bool, note: Callable[[str], None]) -> list[Section]:
    """The sections of a host file whose fatbins are read, in the order of the file.

    Args:
        elf: The file.
        relocatable: Also what a linked library keeps in `__nv_relfatbin`.
        note: Told of a section that was left out.
    """
    sections = [
        s
        for s in elf.sections
        if s.name in {LINKED_SECTION, RELOCATABLE_SECTION} and elf.content(s)
    ]
    linked = elf.type != ET_REL and any(s.name == LINKED_SECTION for s in sections)
    if linked and not relocatable:
        for section in sections:
            if section.name == RELOCATABLE_SECTION:
                note(f"{RELOCATABLE_SECTION} left out: its kernels before device linking")
        return [section for section in sections if section.name == LINKED_SECTION]
    return sections


def _walk(
    view: memoryview,
    *,
    start: int,
    end: int,
    section: str,
    index: int,
    artifact: str,
    note: Callable[[str], None],
) -> Iterator[FatbinEntry]:
    position = _skip_zeros(view, start, end)
    while position < end:
        first, last = parse_header(view[position:], position, end, artifact)
        place = first
        while place < last:
            entry, following = parse_entry(
                view, place, last, section=section, index=index, artifact=artifact
            )
            if isinstance(entry, FatbinEntry):
                yield entry
            else:
                note(f"fatbin entry {index} left out: {entry}")
            index += 1
            if index > limits.MAX_FATBIN_ENTRIES:
                raise LimitError(
                    f"more than {limits.MAX_FATBIN_ENTRIES} fatbin entries",
                    artifact=artifact,
                    place=f"offset {place:#x}",
                )
            place = following
        position = _skip_zeros(view, last, end)


def _skip_zeros(view: memoryview, start: int, end: int) -> int:
    """The first non-zero byte, rounded down to the 8 bytes to which fatbins are aligned."""
    position = start
    while position < end:
        chunk = bytes(view[position : min(end, position + _CHUNK)])
        rest = chunk.lstrip(b"\0")
        if rest:
            return start + (position + len(chunk) - len(rest) - start) // 8 * 8
        position += len(chunk)
    return end


def parse_header(
    header: memoryview, position: int, end: int, artifact: str = ""
) -> tuple[int, int]:
    """Where the entries of a fatbin begin and end.

    Args:
        header: Its first bytes.
        position: Its offset in the file.
        end: Of what may hold it.
        artifact: The name that errors carry.

    Raises:
        FormatError: It is no fatbin, or one that does not fit.
    """
    place = f"offset {position:#x}"
    if end - position < _HEADER.size or len(header) < _HEADER.size:
        raise FormatError("fatbin header is cut", artifact=artifact, place=place)
    magic, version, size, total = _HEADER.unpack_from(header)
    if magic != MAGIC:
        raise FormatError(
            f"fatbin magic {magic:#010x}, expected {MAGIC:#010x}", artifact=artifact, place=place
        )
    if version != 1 or size < _HEADER.size:
        raise FormatError(
            f"fatbin version {version} with a header of {size} bytes",
            artifact=artifact,
            place=place,
            hint="version 1 is known",
        )
    if position + size + total > end:
        raise FormatError(
            f"fatbin claims {total} bytes, {max(0, end - position - size)} are left",
            artifact=artifact,
            place=place,
        )
    return position + size, position + size + total


def parse_entry(
    view: memoryview,
    position: int,
    end: int,
    *,
    section: str,
    index: int,
    artifact: str,
    shift: int = 0,
) -> tuple[FatbinEntry | str, int]:
    """The entry, or what it is when of no kind that sassay reads; and where the next begins.

    Args:
        view: What holds it.
        position: Where it begins in the view.
        end: Of its fatbin in the view.
        section: Section that holds it.
        index: Its number in the file.
        artifact: The name that errors carry.
        shift: Offset of the view in the file.

    Raises:
        FormatError: It does not fit in its fatbin.
    """
    place = f"fatbin entry {index}, offset {position + shift:#x}"
    if end - position < _ENTRY.size:
        raise FormatError(
            f"entry header needs {_ENTRY.size} bytes, {end - position} are left",
            artifact=artifact,
            place=place,
        )
    kind, _, header, size, stored, arch, flags, expanded = _ENTRY.unpack_from(view, position)
    if header < _ENTRY.size or position + header + size > end:
        raise FormatError(
            f"entry claims {header} + {size} bytes, {end - position} are left",
            artifact=artifact,
            place=place,
        )
    known = _KINDS.get(kind)
    if known is None:
        return _OTHER_KINDS.get(kind, f"kind {kind}"), position + header + size
    compressed: Compression | None = (
        "lz4" if flags & _FLAG_LZ4 else "zstd" if flags & _FLAG_ZSTD else None
    )
    if compressed is None:
        stored = size
    elif stored > size:
        raise FormatError(
            f"entry claims {stored} compressed bytes in a payload of {size}",
            artifact=artifact,
            place=place,
        )
    begin = position + header
    entry = FatbinEntry(
        known,
        _arch_name(known, arch, flags),
        index,
        begin + shift,
        stored,
        compressed,
        section,
        expanded if compressed else stored,
        view[begin : begin + stored],
        artifact,
    )
    return entry, begin + size


def _arch_name(kind: ArtifactKind, number: int, flags: int) -> str:
    suffix = "a" if flags & _FLAG_ARCH_SPECIFIC else "f" if flags & _FLAG_FAMILY_SPECIFIC else ""
    return f"{'sm' if kind is ArtifactKind.CUBIN else 'compute'}_{number}{suffix}"
