"""The bytes of an artifact, wherever they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.containers.fatbin import unpack_entry
from sassay.errors import FormatError
from sassay.model.artifact import ArtifactKind
from sassay.sources.ptx_text import decode_ptx

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.model.artifact import Artifact


def content(artifact: Artifact) -> bytes | memoryview:
    """The bytes of an artifact that came with them, decompressed; PTX is text without NULs.

    Raises:
        FormatError: They do not decompress, or hold something else.
        LimitError: They claim too much.
    """
    packed = artifact.packed
    if packed is None:
        return artifact.data
    place = artifact.source.path
    data = unpack_entry(
        packed.stored,
        kind=artifact.kind,
        compressed=packed.compressed,
        size=packed.size,
        artifact=place,
    )
    if artifact.kind is ArtifactKind.PTX:
        return decode_ptx(bytes(data), artifact=place)
    return data


class Rereader:
    """Artifacts with their bytes, also of files that were announced without being read.

    Files are read in one go: artifacts that are asked for in the order of their file cost one
    pass over it.
    """

    def __init__(self) -> None:
        self._again: object = None
        self._stream: Iterator[Artifact] = iter(())

    def filled(self, artifact: Artifact) -> Artifact:
        """The artifact, with its bytes.

        Raises:
            SassayError: The file does not hold it any more.
        """
        if artifact.data or artifact.packed is not None or artifact.again is None:
            return artifact
        for fresh in (False, True):
            if fresh or self._again is not artifact.again:
                self._again = artifact.again
                self._stream = iter(artifact.again())
            for found in self._stream:
                if found.source == artifact.source:
                    return found
        raise FormatError("changed while it was read", artifact=artifact.source.path)

    def close(self) -> None:
        """Let go of the file."""
        self._again, self._stream = None, iter(())
