"""Which kernel of one state is which of another, inside one family and architecture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import msgspec

from sassay.diff.assign import Pairs, assign, sort_key
from sassay.diff.place import places
from sassay.diff.specialization import specialization_key
from sassay.model.kernel import Kernel

_Key = Callable[[Kernel], Any]


class Matching(msgspec.Struct, frozen=True):
    """Kernels of two states side by side; every kernel is in exactly one of the three.

    Attributes:
        pairs: (before, after), sorted by name.
        removed: Only before, sorted by name.
        added: Only after, sorted by name.
    """

    pairs: tuple[tuple[Kernel, Kernel], ...]
    removed: tuple[Kernel, ...]
    added: tuple[Kernel, ...]


def match(before: Sequence[Kernel], after: Sequence[Kernel]) -> Matching:
    """Pairs the kernels of one family and architecture.

    Equal code digest, then equal specialization at the same relative place, then equal
    specialization, then the cheapest pairs by census distance. `match(b, a)` is the mirror of
    `match(a, b)`, and the order of the arguments' kernels does not matter.

    Args:
        before: Kernels of the earlier state, each once.
        after: Kernels of the later state, each once.
    """
    if not before or not after:
        return Matching((), _sorted(before), _sorted(after))
    if len(before) == 1 and len(after) == 1:
        return Matching(((before[0], after[0]),), (), ())
    work = _Work(before, after)
    work.step(lambda kernel: kernel.digest, refine=(_at_place, _specialization, _symbol))
    work.step(_at_place, refine=(_symbol,))
    work.step_shared_places()
    work.step(_specialization, refine=(_symbol,))
    work.step(lambda _: None)
    pairs = sorted(work.pairs, key=lambda pair: (sort_key(pair[1]), sort_key(pair[0])))
    return Matching(tuple(pairs), _sorted(work.before), _sorted(work.after))


def _sorted(kernels: Iterable[Kernel]) -> tuple[Kernel, ...]:
    return tuple(sorted(kernels, key=sort_key))


def _specialization(kernel: Kernel) -> Hashable:
    return specialization_key(kernel.specialization)


def _at_place(kernel: Kernel) -> Hashable:
    return (specialization_key(kernel.specialization), places(kernel))


def _symbol(kernel: Kernel) -> Hashable:
    return kernel.symbol


def _group(kernels: Iterable[Kernel], key: _Key) -> dict[Any, list[Kernel]]:
    groups: defaultdict[Any, list[Kernel]] = defaultdict(list)
    for kernel in kernels:
        groups[key(kernel)].append(kernel)
    return groups


class _Work:
    """Kernels that wait for a counterpart, and the pairs found so far."""

    def __init__(self, before: Sequence[Kernel], after: Sequence[Kernel]) -> None:
        self.before = list(before)
        self.after = list(after)
        self.pairs: Pairs = []

    def step(self, key: _Key, refine: tuple[_Key, ...] = ()) -> None:
        """Pairs kernels of equal key; among several of one key, `refine` goes first."""
        if not self.before or not self.after:
            return
        left = _group(self.before, key)
        right = _group(self.after, key)
        found: Pairs = []
        for value, some in left.items():
            others = right.get(value)
            if others:
                found += _pair(some, others, refine)
        self._take(found)

    def step_shared_places(self) -> None:
        """Pairs kernels of equal specialization that share one of several places."""
        if not any(len(kernel.sources) > 1 for kernel in (*self.before, *self.after)):
            return
        left = self._by_place(self.before)
        right = self._by_place(self.after)
        gone_left: set[int] = set()
        gone_right: set[int] = set()
        found: Pairs = []
        for value in sorted(left.keys() & right.keys()):
            some = [kernel for kernel in left[value] if id(kernel) not in gone_left]
            others = [kernel for kernel in right[value] if id(kernel) not in gone_right]
            if not some or not others:
                continue
            for before, after in _pair(some, others, (_symbol,)):
                gone_left.add(id(before))
                gone_right.add(id(after))
                found.append((before, after))
        self._take(found)

    @staticmethod
    def _by_place(kernels: Iterable[Kernel]) -> dict[tuple[bytes, str], list[Kernel]]:
        groups: defaultdict[tuple[bytes, str], list[Kernel]] = defaultdict(list)
        for kernel in kernels:
            key = specialization_key(kernel.specialization)
            for place in places(kernel):
                groups[key, place].append(kernel)
        return groups

    def _take(self, found: Pairs) -> None:
        self.pairs += found
        left = {id(before) for before, _ in found}
        right = {id(after) for _, after in found}
        self.before = [kernel for kernel in self.before if id(kernel) not in left]
        self.after = [kernel for kernel in self.after if id(kernel) not in right]


def _pair(before: list[Kernel], after: list[Kernel], refine: tuple[_Key, ...]) -> Pairs:
    if (len(before) == 1 and len(after) == 1) or not refine:
        return assign(before, after)
    work = _Work(before, after)
    work.step(refine[0], refine[1:])
    return work.pairs + _pair_rest(work, refine[1:])


def _pair_rest(work: _Work, refine: tuple[_Key, ...]) -> Pairs:
    if not work.before or not work.after:
        return []
    return _pair(work.before, work.after, refine)
