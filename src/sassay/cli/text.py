"""Text of strangers made harmless for a terminal, without importing a renderer."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""One line without control characters; each is written as `\xNN`.

    Args:
        text: Anything, such as a message that names a file.
    """
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in " ".join(text.split()))
