"""Text of strangers made harmless for a terminal, without importing a renderer."""

from __future__ import annotations


def shown(text: str) -> str:
    r"""The same text with control characters written as `\xNN`; spaces stay as they are.

    Args:
        text: One line, such as one that names a kernel.
    """
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def printable(text: str) -> str:
    r"""One line without control characters; each is written as `\xNN`.

    Args:
        text: Anything, such as a message that names a file.
    """
    return shown(" ".join(text.split()))
