"""PTX bytes as sources hand them on: UTF-8, without the NULs that fatbins and cubins append."""

from __future__ import annotations

from sassay.errors import FormatError


def decode_ptx(data: bytes, *, artifact: str) -> bytes:
    """Strip trailing NULs and make sure that what is left is text.

    Raises:
        FormatError: The bytes are empty, hold NULs, or are no UTF-8.
    """
    text = data.rstrip(b"\0")
    if not text.strip():
        raise FormatError("0 bytes", artifact=artifact, hint="expected PTX text")
    position = text.find(b"\0")
    if position >= 0:
        raise FormatError("NUL in the text", artifact=artifact, place=f"offset {position:#x}")
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(
            "not UTF-8", artifact=artifact, place=f"offset {error.start:#x}", hint="expected PTX"
        ) from error
    return text
