"""The names of what a cubin or a PTX text holds, without reading the code itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sassay.containers.elf import read_elf
from sassay.containers.kernel_sections import TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENTRY = re.compile(rb"\.(?:entry|func)\b[^{;]*?\s([A-Za-z_$%][\w$]*)\s*(?=[({])")


def cubin_names(data: bytes | memoryview, *, artifact: str) -> Iterator[str]:
    """Symbols of the kernels and functions of a cubin.

    Of a mapped one only the section table and the names in it are read.

    Args:
        data: The whole cubin.
        artifact: The name that errors carry.

    Raises:
        FormatError: It is no ELF file.
    """
    for name in read_elf(data, artifact=artifact).names:
        if name.startswith(TEXT):
            yield name.removeprefix(TEXT)


def ptx_names(text: bytes) -> Iterator[str]:
    """Names of the entries and functions of a PTX text, declarations among them."""
    for found in _ENTRY.finditer(text):
        yield found[1].decode("utf-8", "replace")
