"""The SASS of a kernel as rules see it: opcodes, and the loops that its branches make.

A branch is relative to the instruction behind it. Up to sm_89 its distance in units of 4 bytes
lies in bits 34 to 81; from sm_90 on bits 16 to 23 hold 8 more, lower ones (compared with nvdisasm
on sm_75 to sm_120).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from sassay.isa.categories import category
from sassay.isa.sass.words import WORD_BYTES, section_words
from sassay.model.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sassay.isa.sass.decoded import Decoded
    from sassay.model.code import SassCode

_LONG_DISTANCE_ARCH = 90
_LOW_FIELD = 34
_HIGH_BITS = 18
_EXTRA_FIELD = 16


class SassView:
    """One kernel's instructions.

    Attributes:
        decoded: Opcodes.
        census: Counts by opcode.
    """

    def __init__(self, code: SassCode, decoded: Decoded, census: Mapping[str, int]) -> None:
        self._code = code
        self.decoded = decoded
        self.census = census

    def having(self, heads: tuple[str, ...]) -> NDArray[np.bool_]:
        """Whether the first word of each instruction's opcode is one of these."""
        names = self.decoded.names
        wanted = np.array([name.split(".")[0] in heads for name in names], dtype=bool)
        found: NDArray[np.bool_] = wanted[self.decoded.opcodes]
        return found

    @cached_property
    def matrix(self) -> NDArray[np.bool_]:
        """Whether each instruction is a matrix instruction."""
        wanted = np.array(
            [category(Layer.SASS, name) == "tensor_core" for name in self.decoded.names], dtype=bool
        )
        found: NDArray[np.bool_] = wanted[self.decoded.opcodes]
        return found

    @cached_property
    def loops(self) -> tuple[tuple[int, int], ...]:
        """First instruction of each backward branch's loop, and the one behind its last."""
        places = np.flatnonzero(self.having(("BRA",)))
        words = section_words(self._code.code)[places]
        low, high = words[:, 0], words[:, 1] & np.uint64((1 << _HIGH_BITS) - 1)
        distance = (low >> np.uint64(_LOW_FIELD)).astype(np.int64) | (
            high.astype(np.int64) << (64 - _LOW_FIELD)
        )
        distance -= (distance >> 47 & 1) << 48
        if self._number >= _LONG_DISTANCE_ARCH:
            distance = distance << 8 | (low >> np.uint64(_EXTRA_FIELD) & np.uint64(0xFF)).astype(
                np.int64
            )
        targets = places + 1 + distance * 4 // WORD_BYTES
        return tuple(
            sorted(
                (int(target), int(place) + 1)
                for place, target in zip(places, targets, strict=True)
                if 0 <= target < place  # a branch to itself ends a kernel
            )
        )

    @cached_property
    def _number(self) -> int:
        digits = "".join(each for each in self._code.arch if each.isdigit())
        return int(digits or 0)
