"""Archives: every kind gives the same members, in any order of reading."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest
import zstandard

from sassay.containers import inflate, walk_archive
from sassay.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = {"pkg/lib.so": b"\x7fELF" + bytes(3000), "pkg/a.ptx": b".version 8.8\n", "empty": b""}


def zipped(files: list[tuple[str, bytes]], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return stream.getvalue()


def tarred(files: list[tuple[str, bytes]], *, links: dict[str, str] | None = None) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return stream.getvalue()


def ar_member(name: str, content: bytes) -> bytes:
    head = f"{name:<16}{0:<12}{0:<6}{0:<6}{644:<8}{len(content):<10}`\n".encode()
    return head + content + b"\n" * (len(content) % 2)


def xz_in_two_streams(data: bytes) -> bytes:
    return lzma.compress(data[:700]) + bytes(8) + lzma.compress(data[700:])


PACKERS: list[Callable[[bytes], bytes]] = [
    bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.compress, xz_in_two_streams,
]  # fmt: skip


def members(data: bytes | Path) -> dict[str, bytes | memoryview]:
    found = list(walk_archive(data, artifact="a"))
    # Read backwards and twice, after the walk: callers sort before they read.
    first = {m.path: m.read() for m in reversed(found)}
    assert {m.path: m.read() for m in found} == first
    assert {m.path: m.size for m in found} == {p: len(c) for p, c in first.items()}
    return first


@pytest.mark.parametrize("pack", PACKERS)
def test_tar(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    data = pack(tarred([(f"./{name}", content) for name, content in FILES.items()]))
    assert members(data) == FILES
    path = tmp_path / "a.tar"
    path.write_bytes(data)
    assert members(path) == FILES


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_zip(method: int) -> None:
    assert members(zipped([("pkg/", b""), *FILES.items()], method=method)) == FILES


@pytest.fixture(params=["zlib", "the fastest"])
def inflating(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "zlib":
        monkeypatch.setattr(inflate, "library", lambda: zlib)


@pytest.mark.usefixtures("inflating")
def test_a_large_member_comes_in_pieces_and_is_tested() -> None:
    content = b"".join(hashlib.sha256(bytes([i % 251, i >> 8])).digest() * 9 for i in range(6000))
    good = zipped([("a", content)])
    (member,) = walk_archive(good, artifact="m")
    for size in (1, 4096, 1 << 20, 1 << 30):
        assert member.stream is not None
        with member.stream() as stream:
            first = stream.read(size)
            assert 0 < len(first) <= size
            pieces = [first]
            while piece := stream.read(1 << 16):
                pieces.append(piece)
            assert b"".join(pieces) == content
    directory = good.rindex(b"PK\x01\x02")
    for offset, value, message in (
        (directory + 16, 12345, "CRC-32"),
        (directory + 20, 5000, "cannot be unpacked"),
        (directory + 24, len(content) - 1, "more than its directory claims"),
        (directory + 24, len(content) + 1, "1 bytes less than"),
        (directory + 42, 7, "no local header"),
    ):
        broken = good[:offset] + value.to_bytes(4, "little") + good[offset + 4 :]
        (member,) = walk_archive(broken, artifact="m")
        with pytest.raises(FormatError, match=f"m: member a: .*{message}"):
            member.read()


def test_what_is_stored_as_it_is_is_not_copied() -> None:
    content = bytes(range(256)) * 8192
    for archive in (
        zipped([("a", content)], method=zipfile.ZIP_STORED),
        tarred([("a", content)]),
        b"!<arch>\n" + ar_member("a/", content),
    ):
        (member,) = walk_archive(archive, artifact="m")
        found = member.read()
        assert isinstance(found, memoryview)
        assert found == content
    damaged = zipped([("a", content)], method=zipfile.ZIP_STORED).replace(b"\x07\x08", b"\x07\x07")
    (member,) = walk_archive(damaged, artifact="m")
    with pytest.raises(FormatError, match="m: member a: CRC-32"):
        member.read()


def test_links_and_duplicates_are_told() -> None:
    notes: list[str] = []
    data = tarred([("a", b"old"), ("a", b"new")], links={"b": "/etc/passwd"})
    found = list(walk_archive(data, artifact="a", on_note=notes.append))
    assert [(m.path, m.read()) for m in found] == [("a", b"new")]
    assert notes == ["a is there twice: the last one counts", "b left out: no regular file"]


def test_ar_with_gnu_and_bsd_names() -> None:
    long = "a_rather_long_object_name.o"
    data = b"!<arch>\n" + b"".join(
        [
            ar_member("/", bytes(5)),
            ar_member("//", f"{long}/\n".encode()),
            ar_member("/0", b"first"),
            ar_member("short.o/", b"odd"),
            ar_member(f"#1/{len(long) + 1}", long.encode() + b"\0" + b"second"),
            ar_member("#1/20", b"__.SYMDEF SORTED\0\0\0\0" + b"??"),
            ar_member("short.o/", b"even"),
        ]
    )
    found = [(m.path, m.read()) for m in walk_archive(data, artifact="lib.a")]
    assert found == [
        (long, b"first"),
        ("short.o", b"odd"),
        (long, b"second"),
        ("short.o", b"even"),
    ]
