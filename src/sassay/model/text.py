"""Source text that a state keeps: the lines that its kernels come from."""

from __future__ import annotations

import msgspec


class TextRun(msgspec.Struct, frozen=True, order=True):
    r"""Neighbouring lines of one source file.

    Attributes:
        line: Number of the first, from 1.
        text: The lines, `\n` between them, tabs as blanks.
    """

    line: int
    text: str
