"""What one instruction form computes: a function of typed arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

from sassay.machine.errors import MissingForm
from sassay.machine.types import Array

Label = Literal["exact", "modelled", "approximate"]
"""How far a result can be trusted.

`exact`: IEEE 754 or the PTX ISA fixes every bit. `modelled`: a rule that hardware follows but no
text fixes, such as the order of atomics, or tables of what the chosen GPU gives. `approximate`:
computed in double precision and rounded, where hardware approximates, or by the tables of another
GPU.
"""

Function = Callable[..., Array | tuple[Array, ...]]
Single = Callable[..., Array]
"""The function of a kernel with one result and no carry."""


@dataclass(frozen=True)
class Kernel:
    """The computation of one form.

    Attributes:
        run: Takes the sources in order, gives one array, or a tuple for several results.
        sources: Type by source operand.
        results: Type by result.
        label: See `Label`.
        carries: It reads the carry flag after its sources (`in`), writes it after its results
            (`out`), both, or neither.
        loose: The same but for which NaN a NaN is, where that is faster; for results that only
            instructions see which treat all NaNs alike.
        measured: The GPU that its tables are of; on others it is approximate.
    """

    run: Function
    sources: tuple[str, ...]
    results: tuple[str, ...]
    label: Label = "exact"
    carries: frozenset[str] = frozenset()
    loose: Function | None = None
    measured: str | None = None

    @property
    def single(self) -> Single:
        """`run` of a kernel with one result and no carry."""
        return cast("Single", self.run)


class Modifiers:
    """The modifiers of one opcode, taken one by one; what is left over is not implemented."""

    def __init__(self, opcode: str) -> None:
        self.opcode = opcode
        self.base, *self._left = opcode.split(".")

    def flag(self, name: str) -> bool:
        """Takes a modifier, whether it is there or not."""
        if name in self._left:
            self._left.remove(name)
            return True
        return False

    def pick(self, *names: str) -> str | None:
        """Takes the first modifier that is one of these, None if there is none."""
        for found in self._left:
            if found in names:
                self._left.remove(found)
                return found
        return None

    def last(self) -> str:
        """Takes the last modifier, which is the type."""
        if not self._left:
            raise MissingForm(self.opcode)
        return self._left.pop()

    def put_back(self, name: str) -> None:
        """Gives back a modifier that was taken."""
        self._left.append(name)

    def end(self) -> None:
        """Refuses the form if a modifier is left."""
        if self._left:
            raise MissingForm(self.opcode)

    def missing(self) -> MissingForm:
        """The refusal of this form."""
        return MissingForm(self.opcode)
