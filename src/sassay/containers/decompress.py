"""Bounded decompression of fatbin payloads: LZ4 blocks and zstd frames of a known size."""

from __future__ import annotations

from sassay.containers import limits
from sassay.errors import FormatError, LimitError


def decompress_lz4_block(data: memoryview, *, size: int, artifact: str, place: str) -> bytes:
    """Decompresses one raw LZ4 block.

    Args:
        data: The block.
        size: Bytes that it must expand to.
        artifact: The name that errors carry.
        place: The place in it.

    Raises:
        FormatError: Garbage, or another size than claimed.
        LimitError: The claim passes a cap.
    """
    import lz4.block  # noqa: PLC0415 - loaded with the first such payload

    check_expansion(len(data), size, limits.MAX_FATBIN_ENTRY_BYTES, artifact, place)
    try:
        content = bytes(lz4.block.decompress(data, uncompressed_size=size))
    except (lz4.block.LZ4BlockError, ValueError) as error:
        raise FormatError(
            f"LZ4 payload does not decompress to {size} bytes: {error}",
            artifact=artifact,
            place=place,
        ) from error
    return _of_size(content, size, artifact, place)


def decompress_zstd(data: memoryview, *, size: int, artifact: str, place: str) -> bytes:
    """Decompresses one zstd frame; arguments and errors as `decompress_lz4_block`."""
    import zstandard  # noqa: PLC0415 - loaded with the first such payload

    check_expansion(len(data), size, limits.MAX_FATBIN_ENTRY_BYTES, artifact, place)
    try:
        # The library trusts a frame's own content size when it allocates; it must agree first.
        claimed = zstandard.frame_content_size(data)
        if claimed not in {-1, size}:
            raise FormatError(
                f"zstd frame holds {claimed} bytes, the header claims {size}",
                artifact=artifact,
                place=place,
            )
        # A bare decompressor would refuse size 0 as "unknown".
        content = zstandard.ZstdDecompressor().decompress(data, max_output_size=max(size, 1))
    except zstandard.ZstdError as error:
        raise FormatError(
            f"zstd payload does not decompress to {size} bytes: {error}",
            artifact=artifact,
            place=place,
        ) from error
    return _of_size(content, size, artifact, place)


def check_expansion(packed: int, size: int, most: int, artifact: str, place: str) -> None:
    """Refuses a claimed size beyond `most` or beyond the ratio cap.

    Args:
        packed: Compressed bytes.
        size: Claimed decompressed bytes.
        most: The cap that applies.
        artifact: The name that errors carry.
        place: The place in it.

    Raises:
        LimitError: The claim passes a cap.
    """
    if size > most:
        raise LimitError(
            f"claims {size} bytes once decompressed, at most {most} are read",
            artifact=artifact,
            place=place,
        )
    if size > limits.RATIO_FLOOR_BYTES and size > limits.MAX_RATIO * packed:
        raise LimitError(
            f"claims {size} bytes out of {packed}, more than {limits.MAX_RATIO} to 1",
            artifact=artifact,
            place=place,
        )


def _of_size(content: bytes, size: int, artifact: str, place: str) -> bytes:
    if len(content) != size:
        raise FormatError(
            f"payload decompresses to {len(content)} bytes, its header claims {size}",
            artifact=artifact,
            place=place,
        )
    return content
