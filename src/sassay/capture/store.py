"""Keeps code by digest: one compressed blob each, shared by all states of a run."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
import threading
import weakref
from typing import IO, TYPE_CHECKING, Protocol

import msgspec
import zstandard

from sassay.containers.cubin import read_cubin
from sassay.errors import FormatError, InputError, LimitError, SassayError
from sassay.model.artifact import ArtifactKind
from sassay.model.code import SassCode
from sassay.model.lines import LineSections

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sassay.model.artifact import Artifact

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
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 - lives as long as the archive
        weakref.finalize(self, self._file.close)
        self._index: dict[str, tuple[int, int]] = {}
        self._raw: dict[str, bytes] = {}
        self._raw_bytes = 0
        self._promised: dict[str, Artifact] = {}
        self._end = 0
        self._sources: list[BlobSource] = []
        self._packer = zstandard.ZstdCompressor(level=_LEVEL)

    def put_sass(self, code: SassCode) -> str:
        """Keep a code section.

        Returns:
            The digest under which it is kept.
        """
        return self._put(b"S" + msgspec.msgpack.encode(code))

    def put_ptx(self, text: str) -> str:
        """Keep a PTX module.

        Returns:
            The digest under which it is kept.
        """
        return self._put(b"P" + text.encode("utf-8", "surrogatepass"))

    def put_lines(self, sections: LineSections) -> str:
        """Keep the line tables of a cubin.

        Returns:
            The digest under which they are kept.
        """
        return self._put(b"L" + msgspec.msgpack.encode(sections, order="deterministic"))

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
        with self._lock:
            for digest in digests:
                self._promised.setdefault(digest, artifact)

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
        """Give back the temporary file."""
        self._file.close()

    def _put(self, blob: bytes) -> str:
        digest = hashlib.sha256(blob).hexdigest()[:40]
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

    def _find(self, digest: str) -> bytes:
        with self._lock:
            held = self._held(digest)
            artifact = self._promised.get(digest)
            sources = list(self._sources)
        if held is not None:
            return held
        if artifact is not None:
            self._fulfil(artifact)
            with self._lock:
                held = self._held(digest)
            if held is not None:
                return held
        for source in sources:
            packed = source.blob(digest)
            if packed is not None:
                return packed
        raise InputError("no such code", artifact=f"code {digest}")

    def _held(self, digest: str) -> bytes | None:
        raw = self._raw.get(digest)
        if raw is not None:
            return self._packer.compress(raw)
        place: tuple[int, int] | None = self._index.get(digest)
        if place is None:
            return None
        self._file.seek(place[0])
        return self._file.read(place[1])

    def _fulfil(self, artifact: Artifact) -> None:
        """Put the code of an artifact, and of all that lie in one file with it."""
        for found in artifact.again() if artifact.again is not None else (artifact,):
            if found.kind is ArtifactKind.PTX:
                self.put_ptx(found.data.decode("utf-8", "replace"))
                continue
            with contextlib.suppress(SassayError):  # what cannot be read was said when it was found
                cubin = read_cubin(found.data, artifact=found.source.path)
                for kernel in cubin.kernels:
                    self.put_sass(kernel.sass)
                if cubin.lines is not None:
                    self.put_lines(cubin.lines)

    def _get(self, digest: str) -> bytes:
        raw = self._raw.get(digest)
        if raw is not None:
            return raw
        return unpack(self._find(digest), digest)


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
    if hashlib.sha256(blob).hexdigest()[:40] != digest:
        raise FormatError("does not match its digest: damaged", artifact=artifact)
    return blob
