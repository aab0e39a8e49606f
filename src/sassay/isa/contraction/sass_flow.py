"""The blocks of a code section, with its subroutines apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.isa.contraction.reaching import ENTRY, Blocks, Reaching
from sassay.isa.sass.branches import branch_targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.isa.sass.decoded import Decoded
    from sassay.isa.sass.words import Words

_ENDS = frozenset({"EXIT", "KILL", "RET"})
_INDIRECT = frozenset({"BRX", "BRXU", "JMP", "JMX", "JMXU"})
_FLOW = frozenset({"BRA", "BSSY", "BSYNC", "CALL"}) | _ENDS | _INDIRECT
_ALWAYS = 7
_BRANCH_PREDICATE = 87 - 64
_BARRIER = 16


class SassFlow:
    """Where control goes in a code section.

    Args:
        words: The section.
        decoded: Its opcodes.
        arch: Its architecture.
        guards: The guard of each instruction, as in `reaching`.

    Attributes:
        blocks: Its blocks. A subroutine is no part of what follows a call.
        calls: Place of each call with the instructions of its subroutine.
        indirect: Whether control may go where this does not see.
    """

    def __init__(self, words: Words, decoded: Decoded, arch: str, guards: Sequence[int]) -> None:
        """Read all branches."""
        self._words = words
        self._guards = guards
        self.indirect = False
        self._jumps: list[tuple[int, int]] = []
        self._called: list[tuple[int, int]] = []
        self._stops: set[int] = set()
        self._returns: set[int] = set()
        heads = [name.partition(".")[0] for name in decoded.names]
        flow = np.array([head in _FLOW for head in heads], bool)
        places = np.flatnonzero(flow[decoded.opcodes])
        barriers: dict[int, list[int]] = {}
        meets: dict[int, int] = {}
        waits: list[tuple[int, int]] = []
        targets = branch_targets(words, places, arch).tolist()
        for place, target in zip(places.tolist(), targets, strict=True):
            name = decoded.names[decoded.opcodes[place]]
            barrier = int(words[place, 0]) >> _BARRIER & 0xF
            if name.startswith("BSSY"):
                barriers.setdefault(barrier, []).append(place)
                meets[place] = target
            elif name.startswith("BSYNC"):
                waits.append((place, barrier))
            else:
                self._take(place, name, target)
        first = {0, *(target for _, target in (*self._jumps, *self._called)), *meets.values()}
        first.update(place + 1 for place in places.tolist())
        ordered = sorted(each for each in first if 0 <= each < len(words))
        self._jumps += [(at - 1, at) for at in ordered if at and at - 1 not in self._stops]
        self.blocks = Blocks(ordered, self._jumps)
        self.calls = self._subroutines()
        self.blocks = Blocks(ordered, self._jumps)
        # Threads that wait for each other go on where the barrier was set to.
        setting = Reaching(self.blocks, barriers, guards, len(words))
        met = [
            (place, meets[setter])
            for place, barrier in waits
            for setter in setting.before(place, barrier)
            if setter != ENTRY and 0 <= meets[setter] < len(words)
        ]
        if met:
            self.blocks = Blocks(ordered, self._jumps + met)

    def _take(self, place: int, name: str, target: int) -> None:
        """One instruction that ends a block."""
        head = name.partition(".")[0]
        guarded = self._guards[place] != 0
        if head in _ENDS:
            if head == "RET":
                self._returns.add(place)
            if not guarded:
                self._stops.add(place)
        elif head in _INDIRECT or not 0 <= target < len(self._words):
            self.indirect = True
        elif head == "CALL":
            self._called.append((place, target))
        else:
            self._jumps.append((place, target))
            other = int(self._words[place, 1]) >> _BRANCH_PREDICATE & 0xF
            if name == "BRA" and not guarded and other == _ALWAYS:
                self._stops.add(place)

    def _subroutines(self) -> list[tuple[int, frozenset[int]]]:
        bodies: dict[int, frozenset[int]] = {}
        found = []
        for place, target in self._called:
            if target not in bodies:
                bodies[target] = self._body(target)
            if bodies[target].isdisjoint(self._returns):
                # ptxas also spells a jump of converged threads as a call.
                self._jumps.append((place, target))
            else:
                found.append((place, bodies[target]))
        return found

    def _body(self, target: int) -> frozenset[int]:
        """The instructions that control may come to from one on."""
        heads = self.blocks.heads
        follow: list[list[int]] = [[] for _ in heads]
        for block, sources in enumerate(self.blocks.sources):
            for source in sources:
                follow[source].append(block)
        ends = [*heads[1:], len(self._words)]
        todo = [self.blocks.of(target)]
        inside = set(todo)
        while todo:
            for block in follow[todo.pop()]:
                if block not in inside:
                    inside.add(block)
                    todo.append(block)
        return frozenset(p for block in inside for p in range(heads[block], ends[block]))
