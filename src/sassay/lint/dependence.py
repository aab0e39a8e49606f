"""What values depend on: parameters, special registers, and what was loaded through which pointer.

A value's sources are a set of `Root`s. Through shared and local memory everything that is stored
there comes back with every load, since addresses are not told apart; through global memory the
address counts: what is loaded depends on where it is loaded from.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from sassay.lint.limits import MAX_PASSES, MAX_REGION_WORK, TooLargeError
from sassay.lint.values import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sassay.lint.flow import Flow
    from sassay.lint.program import Op
    from sassay.lint.values import Values

ATOMIC = "atomic"
"""What an atomic operation, or a clock, gave: another value for every thread that asks."""
CALL = "call"
"""What a function that was not inlined gave."""
UNKNOWN = "unknown"
"""A register that nothing writes."""
LOADED = "loaded:"
"""Prefix of what was loaded through a parameter, or through `?`."""

_MEMORIES = ("shared", "local", "param")
_UNRELIABLE = ("%clock", "%globaltimer", "%smid", "%gridid")


class Roots:
    """Numbers for roots, so that sets of them are integers."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._bits: dict[str, int] = {}

    def bit(self, name: str) -> int:
        """The set of that root alone."""
        found = self._bits.get(name)
        if found is None:
            found = self._bits[name] = 1 << len(self.names)
            self.names.append(name)
        return found

    def spell(self, mask: int) -> tuple[str, ...]:
        """The roots of a set, sorted."""
        return tuple(sorted(name for at, name in enumerate(self.names) if mask >> at & 1))


class Dependence:
    """The roots of every value of a function.

    Attributes:
        roots: Numbers of roots.
        near: Roots by value, where a global load ends the trail: what it gave is `loaded:PARAM`.
        far: Roots by value, where the trail goes on through the address of the load.
    """

    def __init__(self, values: Values, flow: Flow) -> None:
        self._values = values
        self._flow = flow
        self.roots = Roots()
        self._params = {row.name for row in values.program.function.params}
        self._wide = {
            row.name for row in values.program.function.params if row.type in {"u64", "b64", "s64"}
        }
        self._through: dict[int, int] = {}
        self._arrives: dict[str, int] = {}
        self._stored = self._stores()
        self.near, self.far = self._spread()

    def mask(self, names: Iterable[str]) -> int:
        """The set of these roots."""
        found = 0
        for name in names:
            found |= self.roots.bit(name)
        return found

    def pointers(self, value: int) -> tuple[str, ...]:
        """The 64-bit parameters that an address is made of, loads not looked through."""
        return tuple(name for name in self.roots.spell(self.near[value]) if name in self._wide)

    def scalars(self, value: int) -> tuple[str, ...]:
        """The narrower parameters that an address is made of, loads not looked through."""
        names = self.roots.spell(self.near[value])
        return tuple(name for name in names if name in self._params and name not in self._wide)

    def loaded(self, mask: int) -> tuple[str, ...]:
        """Parameters, or `?`, through which the loads in a set of roots went."""
        names = self.roots.spell(mask)
        return tuple(name.removeprefix(LOADED) for name in names if name.startswith(LOADED))

    def specials(self, mask: int, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        """The special registers of a set whose names start with one of the prefixes."""
        return tuple(name for name in self.roots.spell(mask) if name.startswith(prefixes))

    def _stores(self) -> dict[str, list[int]]:
        """Values stored to each memory that only this block or thread sees."""
        found: dict[str, list[int]] = {name: [] for name in _MEMORIES}
        for op in self._values.program.ops:
            read = self._values.read[op.index]
            space = op.opcode.space
            if read is None or space not in found or op.opcode.is_load:
                continue
            if op.opcode.head == "cp":
                # What a copy brings is loaded, whatever from.
                self._arrives[space] = self.roots.bit(f"{LOADED}?")
            found[space] += read
        return found

    def _spread(self) -> tuple[list[int], list[int]]:
        """Near and far roots of every value."""
        values = self._values
        near = [self._seed(value) for value in range(len(values))]
        far = near.copy()
        seeds = near.copy()
        memory = dict.fromkeys(self._stored, (0, 0))
        rows = [
            (value, values.inputs[value], self._load(value))
            for value in values.order
            if values.inputs[value]
        ]
        # What a phi or a load from memory gives can still change once all was looked at.
        late = [row for row in rows if row[2] not in {"", "global"} or values.kinds[row[0]] == 1]

        def look(row: tuple[int, tuple[int, ...], str]) -> tuple[int, int]:
            value, inputs, space = row
            close = distant = seeds[value]
            for each in inputs:
                close |= near[each]
                distant |= far[each]
            if space == "global":
                close = self._via(close)
                distant |= close
            elif space:
                close |= memory[space][0]
                distant |= memory[space][1]
            return close, distant

        for _ in range(MAX_PASSES):
            for row in rows:
                near[row[0]], far[row[0]] = look(row)
            for space, stored in self._stored.items():
                close = distant = self._arrives.get(space, 0)
                for each in stored:
                    close |= near[each]
                    distant |= far[each]
                memory[space] = (close, distant)
            if all(look(row) == (near[row[0]], far[row[0]]) for row in late):
                return near, far
        everything = (1 << len(self.roots.names)) - 1
        for value, _, _ in rows:
            near[value] = far[value] = everything
        return near, far

    def _seed(self, value: int) -> int:
        values = self._values
        kind = values.kinds[value]
        if kind is Kind.NAME:
            return self._named(values.names[value])
        if kind is Kind.UNDEFINED:
            return self.roots.bit(UNKNOWN)
        op = values.op(value)
        if op is None:
            return 0
        head = op.opcode.head
        if head == "atom" or "test_wait" in op.opcode.words or "try_wait" in op.opcode.words:
            return self.roots.bit(ATOMIC)
        if head == "call":
            return self.roots.bit(CALL)
        return 0

    def _named(self, name: str) -> int:
        if name in self._params:
            return self.roots.bit(name)
        if name.startswith("%"):
            if name.startswith(_UNRELIABLE):
                return self.roots.bit(ATOMIC)
            return self.roots.bit(name if name.partition(".")[0] in _SPECIALS else UNKNOWN)
        return 0

    def _load(self, value: int) -> str:
        """The memory that a value is read from: `global`, `shared`, `local`, `param`, or empty."""
        op = self._values.op(value)
        if op is None:
            return ""
        opcode = op.opcode
        if opcode.head == "ldmatrix":
            return "shared"
        if opcode.head == "call":
            return "param"
        if not opcode.is_load:
            return ""
        if opcode.space == "param":
            return "" if op.addresses and op.addresses[0].base in self._params else "param"
        if opcode.space in {"global", "generic", "const"}:
            return "global"
        return opcode.space or ""

    def _via(self, mask: int) -> int:
        known = self._through.get(mask)
        if known is None:
            through = [name for name in self.roots.spell(mask) if name in self._wide]
            known = self._through[mask] = self.mask(LOADED + name for name in through or ["?"])
        return known

    @cached_property
    def guards(self) -> list[int]:
        """For each block the far roots of everything that decides whether control comes to it."""
        flow = self._flow
        found = [0] * len(flow.targets)
        above: list[list[int]] = [[] for _ in flow.targets]
        work = 0
        for block in flow.order:
            last = flow.last(block)
            if last is None or len(flow.targets[block]) < 2:
                continue
            decides = self._decision(last)
            for target in flow.targets[block]:
                here = target
                while here not in {flow.after[block], flow.exit, -1}:
                    found[here] |= decides
                    above[here].append(block)
                    here = flow.after[here]
                    work += 1
            if work > MAX_REGION_WORK:
                raise TooLargeError("branches are nested too deeply")
        for _ in range(MAX_PASSES):
            changed = False
            for block in flow.order:
                mask = found[block]
                for each in above[block]:
                    mask |= found[each]
                if mask != found[block]:
                    found[block], changed = mask, True
            if not changed:
                break
        return found

    def _decision(self, last: Op) -> int:
        guard = self._values.guards[last.index]
        mask = self.far[guard] if guard >= 0 else 0
        for each in self._values.read[last.index] or ():
            mask |= self.far[each]
        return mask

    def guard(self, op: Op) -> int:
        """The far roots of what decides whether an instruction runs."""
        mask = self.guards[self._flow.block_of[op.index]]
        predicate = self._values.guards[op.index]
        return mask | (self.far[predicate] if predicate >= 0 else 0)


_SPECIALS = frozenset({
    "%tid", "%ntid", "%ctaid", "%nctaid", "%laneid", "%warpid", "%nwarpid", "%clusterid",
    "%nclusterid", "%cluster_ctaid", "%cluster_nctaid", "%cluster_ctarank", "%cluster_nctarank",
    "%smid", "%nsmid", "%gridid", "%lanemask_eq", "%lanemask_le", "%lanemask_lt", "%lanemask_ge",
    "%lanemask_gt", "%dynamic_smem_size", "%total_smem_size", "%aggr_smem_size",
    "%is_explicit_cluster", "%envreg",
})  # fmt: skip
