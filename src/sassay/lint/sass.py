"""The SASS of a kernel as rules see it: opcodes, and the loops that its branches make."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from sassay.isa.categories import category
from sassay.isa.sass.branches import branch_targets
from sassay.isa.sass.words import section_words
from sassay.model.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sassay.isa.sass.decoded import Decoded
    from sassay.model.code import SassCode


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
        targets = branch_targets(section_words(self._code.code), places, self._code.arch)
        return tuple(
            sorted(
                (int(target), int(place) + 1)
                for place, target in zip(places, targets, strict=True)
                if 0 <= target < place  # a branch to itself ends a kernel
            )
        )
