"""Sequences that are made when somebody looks at what is in them.

A state of forty thousand kernels takes a third of a second to spell out. Where an earlier run
answered the question, nobody looks at one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar, overload

if TYPE_CHECKING:
    from sassay.model.kernel import Kernel

T = TypeVar("T")


class Later(Sequence[T]):
    """A sequence whose length is known and whose items are made at the first look.

    Args:
        count: How many there are.
        make: Makes them.
        identity: Digest of all that they are made of: equal only for equal sequences. None where
            nobody knows one.
    """

    __slots__ = ("_count", "_made", "_make", "identity")

    def __init__(
        self, count: int, make: Callable[[], Sequence[T]], identity: str | None = None
    ) -> None:
        self.identity = identity
        self._count = count
        self._make: Callable[[], Sequence[T]] | None = make
        self._made: tuple[T, ...] = ()

    @property
    def made(self) -> tuple[T, ...]:
        """The items."""
        if self._make is not None:
            self._made = tuple(self._make())
            self._make = None
        return self._made

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> T: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[T, ...]: ...

    def __getitem__(self, place: int | slice) -> T | tuple[T, ...]:
        return self.made[place]

    def __iter__(self) -> Iterator[T]:
        return iter(self.made)

    def __contains__(self, item: object) -> bool:
        return item in self.made

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Later):
            return self.made == other.made
        return self.made == other if isinstance(other, tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.made)

    def __repr__(self) -> str:
        return repr(self.made)


class LaterKernels(Later["Kernel"]):
    """The kernels of a state, with what is asked before anybody looks at one.

    Args:
        count: How many there are.
        make: Makes them.
        linked: Whether one of them holds PTX beside its SASS.
        lines: Whether one of them holds line tables.
        identity: As of any `Later`.
    """

    __slots__ = ("lines", "linked")

    def __init__(
        self,
        count: int,
        make: Callable[[], Sequence[Kernel]],
        *,
        linked: bool,
        lines: bool,
        identity: str | None = None,
    ) -> None:
        super().__init__(count, make, identity)
        self.linked = linked
        self.lines = lines


def hold_both(kernels: Sequence[Kernel]) -> bool:
    """Whether a kernel holds PTX beside its SASS."""
    if isinstance(kernels, LaterKernels):
        return kernels.linked
    return any(each.code.ptx is not None and each.code.sass is not None for each in kernels)


def hold_lines(kernels: Sequence[Kernel]) -> bool:
    """Whether a kernel holds line tables."""
    if isinstance(kernels, LaterKernels):
        return kernels.lines
    return any(each.code.lines is not None for each in kernels)
