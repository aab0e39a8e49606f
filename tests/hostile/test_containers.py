"""Hostile and broken containers: one clear line each, never a hang or another exception."""

from __future__ import annotations

import gzip
import io
import random
import resource
import struct
import tarfile
import zipfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from tests.containers.kernels import assemble
from tests.containers.packing import LZ4, ZSTD, entry, fatbin, host_object
from tests.containers.test_walk_archive import ar_member, tarred, zipped

from sassay.containers import (
    find_fatbins,
    limits,
    read_cubin,
    read_elf,
    sniff,
    walk_archive,
)
from sassay.containers.elf import SHT_NOBITS
from sassay.errors import FormatError, LimitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GIB = 1 << 30


@pytest.fixture(autouse=True)
def _bounded_memory() -> Iterator[None]:
    """An allocation of gigabytes fails the test instead of the machine."""
    with _address_space(24 * GIB):
        yield


@contextmanager
def _address_space(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def read_fatbin(data: bytes) -> None:
    for found in find_fatbins(data, artifact="m.fatbin"):
        content = found.data()
        if found.kind == "cubin":
            read_cubin(content, artifact="m.fatbin!0")


def read_members(data: bytes) -> None:
    for member in walk_archive(data, artifact="m.zip"):
        member.read()


def one_line(error: FormatError) -> None:
    text = str(error)
    assert text.startswith("m")
    assert "\n" not in text
    assert len(text) < 600


@pytest.mark.parametrize(("arch", "tool"), [("sm_80", "ptxas"), ("sm_100a", "ptxas-blackwell")])
def test_a_cubin_cut_anywhere_is_refused(arch: str, tool: str) -> None:
    data = assemble(arch, tool=tool)
    sniffed = {sniff(data[:size], "m") for size in range(128)}
    assert len(sniffed) > 1
    # ABI 7 keeps its program headers behind the sections: their loss alone goes unnoticed.
    table_end = struct.unpack_from("<Q", data, 40)[0] + 64 * struct.unpack_from("<H", data, 60)[0]
    for size in range(0, table_end, 97):
        with pytest.raises(FormatError) as caught:
            read_cubin(data[:size], artifact="m.cubin")
        one_line(caught.value)


@pytest.mark.parametrize(
    ("make", "read"),
    [
        (lambda: assemble("sm_80"), lambda d: read_cubin(d, artifact="m")),
        (
            lambda: assemble("sm_90", tool="ptxas-blackwell", relocatable=True),
            lambda d: read_cubin(d, artifact="m"),
        ),
        (
            lambda: fatbin(entry(assemble("sm_80"), flags=LZ4), entry(b"x" * 99, flags=ZSTD)),
            read_fatbin,
        ),
        (lambda: host_object({".nv_fatbin": fatbin(entry(assemble("sm_80")))}), read_fatbin),
        (lambda: zipped([("a", b"12" * 99), ("b/c", b"")]), read_members),
        (lambda: tarred([("a", b"12" * 99), ("b/c", b"")]), read_members),
        (lambda: gzip.compress(tarred([("a", b"12" * 99)]), mtime=0), read_members),
        (lambda: b"!<arch>\n" + ar_member("//", b"long/\n") + ar_member("/0", b"xy"), read_members),
    ],
)
def test_flipped_bytes_raise_nothing_else(
    make: Callable[[], bytes], read: Callable[[bytes], object]
) -> None:
    data = make()
    rng = random.Random(20)
    for _ in range(400):
        broken = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 8))):
            # Headers and tables lie at both ends of these formats.
            spot = rng.choice((rng.randrange(len(data)), rng.randrange(min(200, len(data)))))
            broken[spot] = rng.choice((0, 0xFF, rng.randrange(256)))
        if rng.random() < 0.1:
            del broken[rng.randrange(len(broken)) :]
        with suppress(FormatError):
            read(bytes(broken))


def patched(data: bytes, fmt: str, offset: int, value: int) -> bytes:
    broken = bytearray(data)
    struct.pack_into(fmt, broken, offset, value)
    return bytes(broken)


def test_elf_lies() -> None:
    data = assemble("sm_80")
    table = struct.unpack_from("<Q", data, 40)[0]
    cases = {
        "m: offset 0x0: no ELF magic": b"\x7fELG" + data[4:],
        "m: offset 0x0: ELF header needs 64 bytes, the file has 40": data[:40],
        "only little-endian ELF64 is read (class 1, data encoding 1)": patched(data, "<B", 4, 1),
        "section table lies outside the file": patched(data, "<Q", 40, 1 << 60),
        "section names lie in section 4000": patched(data, "<H", 62, 4000),
        f"m: offset {table + 64 * 3:#x}: section 3 ends at": patched(
            data, "<Q", table + 64 * 3 + 32, 1 << 50
        ),
        "string 16777216 lies outside": patched(data, "<I", table + 64 * 3, 1 << 24),
    }
    for said, broken in cases.items():
        with pytest.raises(FormatError) as caught:
            read_elf(broken, artifact="m")
        assert said in str(caught.value)


def test_sections_that_share_their_bytes_are_not_all_read() -> None:
    shared = empty = assemble("sm_80")
    table = struct.unpack_from("<Q", shared, 40)[0]
    for header in range(table + 64, table + 64 * 4, 64):
        shared = patched(patched(shared, "<Q", header + 24, 0), "<Q", header + 32, len(shared))
        empty = patched(patched(empty, "<I", header + 4, SHT_NOBITS), "<Q", header + 32, 1 << 40)
    with pytest.raises(LimitError, match=r"claim \d+ bytes together.*sections overlap"):
        read_elf(shared, artifact="m")
    read_elf(empty, artifact="m")  # what holds no bytes may be as large as it likes


def test_an_elf_file_of_four_billion_sections() -> None:
    data = assemble("sm_80")
    table = struct.unpack_from("<Q", data, 40)[0]
    # e_shnum 0: the number lies in the size of section 0.
    broken = patched(patched(data, "<H", 60, 0), "<Q", table + 32, 1 << 32)
    with pytest.raises(LimitError, match="4294967296 sections, at most"):
        read_elf(broken, artifact="m")
    many = patched(patched(data, "<H", 60, 0), "<Q", table + 32, 500_000)
    with pytest.raises(FormatError, match="500000 section headers do not fit"):
        read_elf(many, artifact="m")


def test_the_extended_section_count_is_read() -> None:
    data = assemble("sm_80")
    table, count, names = (
        struct.unpack_from("<Q20xHH", data, 40 - 0)[0],
        *struct.unpack_from("<HH", data, 60),
    )
    wide = patched(patched(data, "<H", 60, 0), "<Q", table + 32, count)
    wide = patched(patched(wide, "<H", 62, 0xFFFF), "<I", table + 40, names)
    assert len(read_elf(wide, artifact="m").sections) == count
    before, after = (read_cubin(d, artifact="m") for d in (data, wide))
    assert [k.digest for k in after.kernels] == [k.digest for k in before.kernels]


def test_names_that_overlap_cannot_flood_the_memory() -> None:
    count = 40_000
    names = b"a" * (limits.MAX_NAME_BYTES - 2) + b"\0"
    rows = [bytes(64), struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, 64, len(names), 0, 0, 1, 0)]
    rows += [struct.pack("<IIQQQQIIQQ", i, 8, 0, 0, 0, 0, 0, 0, 1, 0) for i in range(count)]
    head = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01" + bytes(9), 2, 190, 1, 0, 0, 64 + len(names),
        0x500550, 64, 0, 0, 64, len(rows), 1,
    )  # fmt: skip
    with _address_space(6 * GIB), pytest.raises(LimitError, match="overlap too often"):
        read_elf(head + names + b"".join(rows), artifact="m")


def fatbin_lies() -> dict[str, bytes]:
    cubin = assemble("sm_80")
    plain = fatbin(entry(cubin))
    garbage = random.Random(1).randbytes(4000)
    lz4, zstd = (bytearray(fatbin(entry(cubin, flags=f))) for f in (LZ4, ZSTD))
    # Behind the frame's own header, which claims the right size.
    lz4[80:], zstd[100:] = garbage[: len(lz4) - 80], garbage[: len(zstd) - 100]
    huge = 1 << 40
    return {
        "offset 0x0: fatbin version 9": patched(plain, "<H", 4, 9),
        f"offset 0x0: fatbin claims {huge} bytes": patched(plain, "<Q", 8, huge),
        f"fatbin entry 0, offset 0x10: entry claims 64 + {huge} bytes": fatbin(
            entry(cubin, size=huge)
        ),
        f"claims {huge} bytes once decompressed": fatbin(entry(cubin, flags=LZ4, claimed=huge)),
        f"claims {1 << 29} bytes out of": fatbin(entry(cubin, flags=ZSTD, claimed=1 << 29)),
        "LZ4 payload does not decompress": bytes(lz4),
        "zstd payload does not decompress": bytes(zstd),
        "zstd frame holds": fatbin(entry(cubin, flags=ZSTD, claimed=len(cubin) - 1)),
        f"payload decompresses to {len(cubin)} bytes": fatbin(
            entry(cubin, flags=LZ4, claimed=len(cubin) + 1)
        ),
        "the entry holds no ELF file": fatbin(entry(b"?" * 64)),
        "fatbin magic": plain + b"\1" * 16,
        "fatbin header is cut": plain + b"\x50\xed\x55\xba",
    }


@pytest.mark.parametrize("said", fatbin_lies())
def test_fatbin_lies(said: str) -> None:
    with _address_space(8 * GIB), pytest.raises(FormatError) as caught:
        read_fatbin(fatbin_lies()[said])
    one_line(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../../x", "/etc/x", "C:\\x", "C:x", "\\\\host\\x", "a\\..\\..\\x", "..", "."],
)
def test_paths_that_leave_the_archive(name: str) -> None:
    for data in (zipped([("ok", b"1"), (name, b"2")]), tarred([("ok", b"1"), (name, b"2")])):
        with pytest.raises(FormatError, match=r"m: member .*: the member('s path| has)"):
            list(walk_archive(data, artifact="m"))
    long = b"!<arch>\n" + ar_member("//", f"{name}/\n".encode()) + ar_member("/0", b"2")
    with pytest.raises(FormatError, match=r"m: member .*: the member('s path| has)"):
        list(walk_archive(long, artifact="m"))


def zip_bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(64 << 20))
    return stream.getvalue()


def tar_bomb() -> bytes:
    return gzip.compress(tarred([("zeros", bytes(64 << 20))]), 9)


@pytest.mark.parametrize("make", [zip_bomb, tar_bomb])
def test_bombs_are_refused_before_they_grow(
    make: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make()
    monkeypatch.setattr(limits, "MAX_RATIO", 100)
    with pytest.raises(LimitError):
        list(walk_archive(data, artifact="m"))
    monkeypatch.setattr(limits, "MAX_RATIO", 10_000)
    monkeypatch.setattr(limits, "MAX_MEMBER_BYTES", 1 << 20)
    with pytest.raises(LimitError, match="at most 1048576 a member"):
        list(walk_archive(data, artifact="m"))


def test_a_zip_that_lies_about_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    data = zipped([("a", b"x" * 5000)])
    directory = data.index(b"PK\x01\x02")
    small = patched(data, "<I", directory + 24, 100)
    (member,) = walk_archive(small, artifact="m")
    with pytest.raises(FormatError, match="m: member a: "):
        member.read()
    far = patched(data, "<I", directory + 20, 1 << 30)
    with pytest.raises(FormatError, match="members claim 1073741824 compressed bytes"):
        list(walk_archive(far, artifact="m"))
    monkeypatch.setattr(limits, "MAX_ARCHIVE_MEMBERS", 3)
    with pytest.raises(LimitError, match="more than 3 members"):
        list(walk_archive(zipped([(f"{i}", b"") for i in range(4)]), artifact="m"))


def test_an_encrypted_member_is_refused() -> None:
    data = zipped([("a", b"x")])
    directory = data.index(b"PK\x01\x02")
    (member,) = walk_archive(
        patched(patched(data, "<H", 6, 1), "<H", directory + 8, 1), artifact="m"
    )
    with pytest.raises(FormatError, match=r"m: member a: cannot be unpacked: .*encrypted"):
        member.read()


def test_broken_archives_say_where() -> None:
    ok = tarred([("a", b"1" * 1000), ("b", b"2" * 1000)])
    second = ar_member("b.o/", b"12")
    good = b"!<arch>\n" + ar_member("a.o/", b"123")
    cases = {
        "no readable tar archive": b"not an archive at all" * 100,
        "no readable zip archive": b"PK\x03\x04" + bytes(100),
        "cannot be decompressed": gzip.compress(ok)[:-20],
        "offset 0x600: neither a tar header": ok[:1536] + b"?" * 600,
        "member b, offset 0x800: claims 1000 bytes, 500 are left": ok[: 2048 + 500],
        "offset 0x0: a thin archive only names files elsewhere": b"!<thin>\n" + second,
        "offset 0x48: no ar member header": good + b"?" * 60,
        "offset 0x48: member b.o/ claims 2 bytes, 1 are left": good + second[:-1],
        "is no number": good + second[:48] + b"-5        `\n",
        "name /77 lies outside the table": good + ar_member("/77", b""),
        "BSD name #1/99 does not fit": good + ar_member("#1/99", b"a"),
    }
    for said, data in cases.items():
        with pytest.raises(FormatError) as caught:
            list(walk_archive(data, artifact="m"))
        one_line(caught.value)
        assert said in str(caught.value)


def test_devices_and_links_of_a_tar_are_left_out() -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for kind in (tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE):
            info = tarfile.TarInfo(f"odd{kind.decode()}")
            info.type, info.linkname = kind, "../../etc/passwd"
            archive.addfile(info)
    notes: list[str] = []
    assert not list(walk_archive(stream.getvalue(), artifact="m", on_note=notes.append))
    assert len(notes) == 4


def test_control_characters_in_names_do_not_reach_the_terminal() -> None:
    with pytest.raises(FormatError) as caught:
        list(walk_archive(zipped([("../\x1b[31m\nred", b"")]), artifact="m"))
    assert "\x1b" not in str(caught.value)
