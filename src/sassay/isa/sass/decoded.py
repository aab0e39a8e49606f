"""What a decoded section is, and what is counted in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping


_SPILL_BITS = 32
_WIDTHS = {"U8": 1, "S8": 1, "U16": 2, "S16": 2, "64": 8, "128": 16}


class Decoded(msgspec.Struct, frozen=True):
    """The opcodes of one code section, in order.

    Attributes:
        opcodes: One id an instruction.
        names: The mnemonic of each id; shared by sections of one architecture.
        trailing_bytes: Bytes behind the last whole instruction: 0 unless a section was cut.
    """

    opcodes: NDArray[np.int32]
    names: tuple[str, ...]
    trailing_bytes: int = 0


def census(decoded: Decoded) -> dict[str, int]:
    """How often each opcode stands in a section, trailing NOPs included, sorted by opcode."""
    counts = np.bincount(decoded.opcodes)
    present = np.flatnonzero(counts)
    names = decoded.names
    return dict(
        sorted(zip((names[i] for i in present.tolist()), counts[present].tolist(), strict=True))
    )


def spill_bytes(census: Mapping[str, int]) -> tuple[int, int]:
    """Bytes that the static LDL and STL of a kernel move: `(loads, stores)`.

    For a kernel that uses local memory for nothing else this is what `ptxas -v` prints as spill
    loads and spill stores.
    """
    return _local_bytes(census, "LDL"), _local_bytes(census, "STL")


def _local_bytes(census: Mapping[str, int], opcode: str) -> int:
    total = 0
    for name, count in census.items():
        if name.startswith(opcode):  # few do, and splitting every name takes long
            head, *modifiers = name.split(".")
            if head == opcode:
                widths = [_WIDTHS[modifier] for modifier in modifiers if modifier in _WIDTHS]
                total += count * (widths[0] if widths else 4)
    return total
