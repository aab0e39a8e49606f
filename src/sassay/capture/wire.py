"""What a state's builder and its readers in other processes say to each other.

Frames of MessagePack with their length before them; bytes of artifacts lie in a file or in memory
that both sides map.
"""

from __future__ import annotations

from typing import IO, TypeVar

import msgspec

from sassay.capture.cubin_facts import CubinFacts
from sassay.errors import FormatError, LimitError, SassayError
from sassay.model.artifact import FilePart

_LENGTH_BYTES = 8
T = TypeVar("T")


class Job(msgspec.Struct, frozen=True, array_like=True):
    """One cubin to be read.

    Attributes:
        place: For errors.
        part: Where its bytes lie on disk; None: in the shared memory.
        offset: Of its bytes there.
        stored: So many of them.
        compressed: `lz4`, `zstd` or None.
        size: Bytes once decompressed.
        locations: As of `analyze_cubin`.
        tables: As of `analyze_cubin`.
        key: Under which a complete answer is kept for later runs; None keeps nothing.
    """

    place: str
    part: FilePart | None
    offset: int
    stored: int
    compressed: str | None
    size: int
    locations: bool
    tables: bool
    key: str | None


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The cubin cannot be read; the parts of a `SassayError`."""

    message: str
    artifact: str | None
    place: str | None
    hint: str | None
    limit: bool

    def error(self) -> SassayError:
        """The error as it was raised."""
        kind = LimitError if self.limit else FormatError
        return kind(self.message, artifact=self.artifact, place=self.place, hint=self.hint)


class Read(msgspec.Struct, frozen=True, tag=True):
    """The cubin was read."""

    facts: CubinFacts


class Broken(msgspec.Struct, frozen=True, tag=True):
    """The reader itself failed: a fault of sassay."""

    trace: str


Answer = Read | Refused | Broken


def refused(error: SassayError) -> Refused:
    """An error as it crosses to the other process."""
    return Refused(
        error.message, error.artifact, error.place, error.hint, isinstance(error, LimitError)
    )


def send(stream: IO[bytes], message: msgspec.Struct) -> None:
    """Write one frame."""
    body = msgspec.msgpack.encode(message)
    stream.write(len(body).to_bytes(_LENGTH_BYTES, "little") + body)
    stream.flush()


def receive(stream: IO[bytes], decoder: msgspec.msgpack.Decoder[T]) -> T | None:
    """Read one frame; None at the end of the stream."""
    head = stream.read(_LENGTH_BYTES)
    if len(head) < _LENGTH_BYTES:
        return None
    length = int.from_bytes(head, "little")
    body = stream.read(length)
    return decoder.decode(body) if len(body) == length else None
