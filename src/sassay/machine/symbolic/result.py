"""What a symbolic run gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sassay.machine.result import Trap
    from sassay.machine.symbolic.expression import Expression
    from sassay.model.artifact import SourceLocation

CaveatKind = Literal["given-values", "approximation", "order", "assumption", "undefined"]


@dataclass(frozen=True)
class Leaf:
    """What the content of an argument is called.

    Attributes:
        name: Of the buffer, or of the scalar.
        index: Number of the argument's first element in that buffer, or of each of its elements.
            An array of uint64 holds the hashes themselves, as an earlier run left them in
            `outputs`: so the expressions of kernels that run one after the other go on.
    """

    name: str
    index: int | NDArray[np.int64] | NDArray[np.uint64] = 0


@dataclass(frozen=True)
class Caveat:
    """Something that a proof does not cover.

    Attributes:
        kind: `given-values`: it holds for the given content of some arguments only, since an
            address or a branch depends on it. `approximation`: an address or a branch depends
            on an approximate instruction, which was computed in double precision. `order`: the
            order of float atomics was taken to be that of threads. `assumption`: whether it
            traps depends on data, and it was taken not to. `undefined`: what some elements hold
            depends on a register that nobody wrote before it is read.
        message: The same in words, with the instruction.
        arguments: Positions of the arguments that it is about.
        instruction: As in the module.
        line: In the module, from 1.
        location: In the source.
    """

    kind: CaveatKind
    message: str
    arguments: tuple[int, ...]
    instruction: str
    line: int
    location: SourceLocation | None

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class SymbolicResult:
    """What a symbolic run left behind.

    Attributes:
        outputs: By argument position: for an array, the hash of each element's expression, of
            the array's shape; None for a scalar.
        written: By argument position: which elements the run wrote.
        caveats: What the claim does not cover, in the order in which it came up.
        trap: What ended the run early.
        instructions: Thread-instructions.
    """

    outputs: tuple[NDArray[np.uint64] | None, ...]
    written: tuple[NDArray[np.bool_] | None, ...]
    caveats: tuple[Caveat, ...]
    trap: Trap | None
    instructions: int
    _explain: Callable[[int, Sequence[int]], tuple[Expression, ...]] = field(repr=False)

    def explain(self, position: int, index: int | Sequence[int] = 0) -> Expression:
        """The expression of an output's element; runs the program once more.

        Args:
            position: Of the argument.
            index: Of the element: flat, or by dimension.

        Raises:
            IndexError: There is no such element.
        """
        return self.explain_all(position, [index])[0]

    def explain_all(
        self, position: int, indices: Sequence[int | Sequence[int]]
    ) -> tuple[Expression, ...]:
        """The expressions of several elements; runs the program once more for all of them.

        Args:
            position: Of the argument.
            indices: Of the elements: flat, or by dimension.

        Raises:
            IndexError: There is no such element.
        """
        hashes: NDArray[Any] | None = self.outputs[position]
        if hashes is None:
            raise IndexError(f"argument {position} is no array")
        flat = []
        for index in indices:
            place = (index,) if isinstance(index, int) else tuple(index)
            shape = (hashes.size,) if isinstance(index, int) else hashes.shape
            if not all(0 <= at < length for at, length in zip(place, shape, strict=True)):
                raise IndexError(f"element {index} of {shape}")
            flat.append(int(np.ravel_multi_index(place, shape)))
        return self._explain(position, flat)
