"""Keeps code by digest: one compressed blob each, shared by all states of a run."""

from __future__ import annotations

import contextlib
import hashlib
import re
import tempfile
import threading
import weakref
from functools import partial
from typing import IO, TYPE_CHECKING, Protocol

import msgspec
import zstandard

from sassay.containers.cubin import read_cubin
from sassay.containers.digest import digest_of_sass
from sassay.errors import FormatError, InputError, LimitError, SassayError
from sassay.model.artifact import ArtifactKind
from sassay.model.code import SassCode
from sassay.model.lines import LineSections
from sassay.sources.content import Rereader, content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sassay.capture.counting import SassFacts
    from sassay.containers.cubin import Cubin, CubinKernel
    from sassay.model.artifact import Artifact, Source

MAX_BLOB = 1 << 29
"""Most bytes of one blob, unpacked."""
SPOOL_BYTES = 64 << 20
"""Packed code beyond this lies in a temporary file."""
RAW_BYTES = 16 << 20
"""Code up to this much is packed only when a packed blob is asked for."""
_LEVEL = 3


class BlobSource(Protocol):
    """Packed blobs by digest, as a capture on disk offers them."""

    def blob(self, digest: str) -> bytes | None:
        """The packed blob, None where it is not held."""
        ...

    def digests(self) -> Iterator[str]:
        """All digests held, sorted."""
        ...


class CodeArchive:
    """Code of any number of states, by digest. Safe to use from several threads.

    SASS, PTX and line tables share one space of digests: a digest covers the kind, too.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 - lives as long as the archive
        weakref.finalize(self, self._file.close)
        self._index: dict[str, tuple[int, int]] = {}
        self._raw: dict[str, bytes] = {}
        self._raw_bytes = 0
        self._promised: dict[str, Artifact] = {}
        self._promising = threading.RLock()
        self._to_promise: list[Callable[[], None]] = []
        self._end = 0
        self._sources: list[BlobSource] = []
        self._packer = zstandard.ZstdCompressor(level=_LEVEL)
        self._rereader = Rereader()
        self._open_artifact: Artifact | None = None
        self._open: dict[str, Callable[[], bytes]] = {}
        self.counted: dict[str, SassFacts] = {}
        """What states of this run counted in code sections, by digest."""

    def put_sass(self, code: SassCode) -> str:
        """Keep a code section.

        Returns:
            The digest under which it is kept.
        """
        return self._put(b"S" + msgspec.msgpack.encode(code), digest_of_sass(code))

    def put_cubin(self, cubin: Cubin) -> None:
        """Keep the code of all kernels of a cubin, and its line tables."""
        for kernel in cubin.kernels:
            blob = b"S" + msgspec.msgpack.encode(kernel.sass)
            self._put(blob, kernel.sass_digest)
        if cubin.lines is not None:
            self.put_lines(cubin.lines)

    def put_ptx(self, text: str) -> str:
        """Keep a PTX module.

        Returns:
            The digest under which it is kept.
        """
        blob = b"P" + text.encode("utf-8", "surrogatepass")
        return self._put(blob, _plain_digest(blob))

    def put_lines(self, sections: LineSections) -> str:
        """Keep the line tables of a cubin.

        Returns:
            The digest under which they are kept.
        """
        blob = _lines_blob(sections)
        return self._put(blob, _plain_digest(blob))

    @staticmethod
    def ptx_digest(text: bytes) -> str:
        """The digest under which `put_ptx` would keep a module of this UTF-8 text."""
        return hashlib.sha256(b"P" + text).hexdigest()[:40]

    def sass(self, digest: str) -> SassCode:
        """The code section kept under `digest`.

        Raises:
            InputError: It is not held.
            FormatError: What is held was damaged.
        """
        blob = self._get(digest)
        try:
            if blob[:1] != b"S":
                raise FormatError("is no SASS", artifact=f"code {digest}")
            return msgspec.msgpack.decode(memoryview(blob)[1:], type=SassCode)
        except msgspec.DecodeError as error:
            raise FormatError(str(error), artifact=f"code {digest}") from error

    def ptx(self, digest: str) -> str:
        """The PTX module kept under `digest`.

        Raises:
            InputError: It is not held.
            FormatError: What is held was damaged.
        """
        blob = self._get(digest)
        if blob[:1] != b"P":
            raise FormatError("is no PTX", artifact=f"code {digest}")
        return blob[1:].decode("utf-8", "surrogatepass")

    def lines(self, digest: str) -> LineSections:
        """The line tables kept under `digest`.

        Raises:
            InputError: They are not held.
            FormatError: What is held was damaged.
        """
        blob = self._get(digest)
        try:
            if blob[:1] != b"L":
                raise FormatError("is no line table", artifact=f"code {digest}")
            return msgspec.msgpack.decode(memoryview(blob)[1:], type=LineSections)
        except msgspec.DecodeError as error:
            raise FormatError(str(error), artifact=f"code {digest}") from error

    def promise(self, digests: Iterable[str], artifact: Artifact) -> None:
        """Keep nothing yet: the code under these digests is read out of an artifact when asked for.

        Args:
            digests: As an earlier run got them from `put_sass` or `put_ptx` for this artifact.
            artifact: What holds the code; its whole file is read again where it came without bytes.
        """
        if artifact.again is not None:
            artifact = msgspec.structs.replace(artifact, data=b"", packed=None)
        with self._lock:
            for digest in digests:
                self._promised[digest] = artifact

    def promise_later(self, promise: Callable[[], None]) -> None:
        """Have something promised once code is asked for that nobody put.

        Args:
            promise: Calls `promise`; looks for what holds the code, which may take long.
        """
        self._to_promise.append(promise)

    def place_of(self, digest: str) -> str | None:
        """Where promised code lies, None where it was not promised; of two places the last."""
        artifact = self._promised.get(digest)
        return artifact.source.path if artifact is not None else None

    def attach(self, source: BlobSource) -> None:
        """Read from a capture, too; its blobs are neither copied nor read before they are asked."""
        with self._lock:
            self._sources.append(source)

    def packed(self, digest: str) -> bytes:
        """The packed blob as it is written to a capture, checked against its digest.

        Raises:
            InputError: It is not held.
        """
        packed = self._find(digest)
        unpack(packed, digest)
        return packed

    def close(self) -> None:
        """Give back files."""
        self._rereader.close()
        self._open_artifact, self._open = None, {}
        self._file.close()

    def _put(self, blob: bytes, digest: str) -> str:
        with self._lock:
            if digest in self._index or digest in self._raw:
                return digest
            if self._raw_bytes + len(blob) <= RAW_BYTES:
                self._raw[digest] = blob
                self._raw_bytes += len(blob)
            else:
                packed = self._packer.compress(blob)
                self._file.seek(self._end)
                self._file.write(packed)
                self._index[digest] = (self._end, len(packed))
                self._end += len(packed)
        return digest

    def prefetch(self, digests: Iterable[str]) -> None:
        """Have promised code at hand before it is asked for: each file is read once, in order.

        Args:
            digests: What will be asked for; what cannot be had is left out.
        """
        wanted: dict[tuple[int, Source], tuple[Artifact, set[str]]] = {}
        for digest in digests:
            if digest not in self._promised:
                self._promise_all()
            artifact = self._promised.get(digest)
            if artifact is not None and digest not in self._raw and digest not in self._index:
                key = (id(artifact.again), artifact.source)
                wanted.setdefault(key, (artifact, set()))[1].add(digest)
        order = {again: number for number, (again, _) in enumerate(wanted)}
        for key in sorted(wanted, key=lambda key: (order[key[0]], natural_key(key[1].path))):
            artifact, some = wanted[key]
            with contextlib.suppress(SassayError):
                for digest in sorted(some):
                    blob = self._promised_blob(artifact, digest)
                    if blob is not None:
                        self._put(blob, digest)

    def _find(self, digest: str) -> bytes:
        """The packed blob."""
        packed = self._stored(digest)
        if packed is not None:
            return packed
        blob = self._unpacked(digest)
        if blob is not None:
            return self._packer.compress(blob)
        for source in tuple(self._sources):
            packed = source.blob(digest)
            if packed is not None:
                return packed
        raise InputError("no such code", artifact=f"code {digest}")

    def _get(self, digest: str) -> bytes:
        blob = self._unpacked(digest) if digest not in self._index else None
        return unpack(self._find(digest), digest) if blob is None else blob

    def _stored(self, digest: str) -> bytes | None:
        """A packed blob that was put."""
        with self._lock:
            place: tuple[int, int] | None = self._index.get(digest)
            if place is None:
                return None
            self._file.seek(place[0])
            return self._file.read(place[1])

    def _unpacked(self, digest: str) -> bytes | None:
        """A blob that was put and not packed yet, or that was promised."""
        raw = self._raw.get(digest)
        if raw is not None:
            return raw
        if digest not in self._promised:
            self._promise_all()
        artifact = self._promised.get(digest)
        if artifact is None:
            return None
        with contextlib.suppress(SassayError):  # said when the artifact was read
            return self._promised_blob(artifact, digest)
        return None

    def _promise_all(self) -> None:
        """Do what was put off; whoever comes meanwhile waits for it."""
        with self._promising:
            while self._to_promise:
                promise = self._to_promise.pop(0)
                with contextlib.suppress(SassayError, OSError):  # what is gone is not held
                    promise()

    def _promised_blob(self, artifact: Artifact, digest: str) -> bytes | None:
        """The blob of a digest that was promised of an artifact.

        The artifact that was read last is kept: its kernels are asked for one after the other.
        """
        with self._reading:
            if self._open_artifact is not artifact:
                self._open_artifact, self._open = None, {}
                self._open = _blobs(self._rereader.filled(artifact))
                self._open_artifact = artifact
            make = self._open.get(digest)
            return make() if make is not None else None


def _blobs(artifact: Artifact) -> dict[str, Callable[[], bytes]]:
    """What makes each blob of an artifact, by digest."""
    data = content(artifact)
    if artifact.kind is ArtifactKind.PTX:
        blob = b"P" + bytes(data).decode("utf-8", "replace").encode()
        return {_plain_digest(blob): lambda: blob}
    cubin = read_cubin(data, artifact=artifact.source.path)
    found: dict[str, Callable[[], bytes]] = {
        kernel.sass_digest: partial(_sass_blob, kernel) for kernel in cubin.kernels
    }
    lines = cubin.lines
    if lines is not None:
        found[lines_digest(lines)] = lambda: _lines_blob(lines)
    return found


def _sass_blob(kernel: CubinKernel) -> bytes:
    return b"S" + msgspec.msgpack.encode(kernel.sass)


def _lines_blob(lines: LineSections) -> bytes:
    return b"L" + msgspec.msgpack.encode(lines, order="deterministic")


def lines_digest(lines: LineSections) -> str:
    """The digest under which `CodeArchive.put_lines` would keep line tables."""
    return _plain_digest(_lines_blob(lines))


def natural_key(path: str) -> tuple[tuple[int, str], ...]:
    """Sorts `lib.so!fatbin.2` before `lib.so!fatbin.10`, as they lie in the file."""
    return tuple(
        (int(part), "") if part.isdigit() and part.isascii() else (-1, part)
        for part in re.split(r"(\d+)", path)
    )


def _plain_digest(blob: bytes) -> str:
    return hashlib.sha256(blob).hexdigest()[:40]


def _matches(blob: bytes, digest: str) -> bool:
    if _plain_digest(blob) == digest:  # PTX, line tables, and SASS of captures before 0.3
        return True
    if blob[:1] != b"S":
        return False
    try:
        return digest_of_sass(msgspec.msgpack.decode(blob[1:], type=SassCode)) == digest
    except msgspec.DecodeError:
        return False


def unpack(packed: bytes, digest: str) -> bytes:
    """Unpack a blob and check it against its digest.

    Raises:
        LimitError: It claims more bytes than any code has.
        FormatError: It was damaged.
    """
    artifact = f"code {digest}"
    try:
        size = zstandard.frame_content_size(packed)
        if size < 0 or size > MAX_BLOB:
            raise LimitError(f"claims {size} bytes", artifact=artifact, hint=f"at most {MAX_BLOB}")
        blob = zstandard.ZstdDecompressor().decompress(packed, max_output_size=MAX_BLOB)
    except zstandard.ZstdError as error:
        raise FormatError(f"damaged: {error}", artifact=artifact) from error
    if not _matches(blob, digest):
        raise FormatError("does not match its digest: damaged", artifact=artifact)
    return blob
