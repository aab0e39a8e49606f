"""A lowered entry: blocks of operations over numbered registers.

Operations know what they read and write, their form and their place in the module. What they
compute is bound to them when they are lowered, so that another domain of values can be bound to
the same program.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from sassay.machine.flow import meeting_points

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sassay.isa.ptx.syntax import Parameter
    from sassay.machine.lanes import Lanes
    from sassay.machine.matrix.rules import Gpu
    from sassay.machine.memory import Memory
    from sassay.machine.numeric import Kernel, Label
    from sassay.machine.types import Array
    from sassay.model.artifact import SourceLocation

    Ready = Callable[[Lanes, Memory], Array]
    Run = Callable[[Lanes, Memory, Array | None], None]
    Fetch = Callable[[Lanes], Array]


@dataclass(frozen=True)
class Place:
    """Where an operation stands.

    Attributes:
        text: The instruction.
        line: In the module, from 1.
        location: In the source.
    """

    text: str
    line: int
    location: SourceLocation | None


@dataclass(frozen=True)
class Source:
    """A source operand.

    Attributes:
        kind: Type as which it is seen.
        slot: Register; None for a constant.
        value: The constant, of that type, where it is no register.
        negated: `!p`.
        offset: What is added to it, for an address.
    """

    kind: str
    slot: int | None = None
    value: Array | None = None
    negated: bool = False
    offset: int = 0


SINK_SLOT = -1
"""Target of an operation whose result is dropped."""


@dataclass
class Op:
    """One operation.

    Attributes:
        form: The opcode.
        place: Where it stands.
        run: Does it, for the lanes that are given; the mask is the guard's.
        reads: Slots.
        writes: Slots.
        guard: Slot of the predicate, None without one.
        negated: The guard is `!p`.
        label: How far its result can be trusted.
        members: For an operation that waits for the lanes of its warp: gives their mask.
        ready: For an operation that waits for something in memory: gives who may go on.
        barrier: For a barrier: how it is one.
        dead: Slots that nobody reads after it.
        base: What kind of operation it is: the opcode's first word, `moves` for copies.
        sources: Operands in the order of the instruction.
        targets: Slots of the results in the order of the instruction.
        kernel: What it computes, if it only computes on registers.
        orders: What it orders between threads, as `ordering.orders_of` says.
    """

    form: str
    place: Place
    run: Run
    reads: tuple[int, ...] = ()
    writes: tuple[int, ...] = ()
    guard: int | None = None
    negated: bool = False
    label: Label = "exact"
    members: Fetch | None = None
    ready: Ready | None = None
    barrier: Barrier | None = None
    dead: tuple[int, ...] = ()
    base: str = ""
    sources: tuple[Source, ...] = ()
    targets: tuple[int, ...] = ()
    kernel: Kernel | None = None
    orders: str = ""


@dataclass(frozen=True)
class Barrier:
    """A barrier.

    Attributes:
        number: Gives which of the block's barriers.
        count: Gives how many threads take part; None for all.
        waits: Whether threads wait; `bar.arrive` only counts.
        aligned: Whether all lanes of a warp have to come together.
        reduce: `popc`, `and` or `or` over the source; None for a plain barrier.
        source: Gives the predicate that is reduced.
        target: Slot of the result.
    """

    number: Fetch
    count: Fetch | None
    waits: bool
    aligned: bool
    reduce: str | None = None
    source: Fetch | None = None
    target: int | None = None


@dataclass
class Block:
    """A stretch of operations that run one after the other.

    Attributes:
        ops: In order.
        targets: Blocks that may follow: the one where the guard holds first; empty at the exit.
        guard: Slot of the predicate that decides, None if nothing is to be decided.
        negated: The guard is `!p`.
        index: Gives the number of the target, for an indexed branch.
        spins: It is in a loop that waits for what other threads write.
        line: Of its first instruction.
        forms: Forms that are not exact, with their label.
    """

    ops: list[Op] = field(default_factory=list)
    targets: tuple[int, ...] = ()
    guard: int | None = None
    negated: bool = False
    index: Fetch | None = None
    index_slots: tuple[int, ...] = ()
    spins: bool = False
    size: int = 0
    forms: tuple[tuple[str, Label], ...] = ()


@dataclass(frozen=True)
class Variable:
    """A module variable in global memory: its name, its bytes, and its address."""

    name: str
    content: bytes
    address: int


@dataclass(frozen=True)
class Program:
    """A lowered entry.

    Attributes:
        name: Of the entry.
        artifact: The module.
        target: Architecture that the module is for.
        params: Formal parameters.
        offsets: Where each parameter lies in parameter space.
        param_bytes: Size of parameter space.
        blocks: The first one is the entry. Earlier blocks come earlier on every path that does
            not loop, so that the threads which are furthest behind are those of the lowest block.
            The last one is the exit.
        widths: Bits of each register slot.
        specials: Slots of special registers by name.
        shared_bytes: Static shared memory; dynamic memory starts after it.
        dynamic_offset: Where dynamic shared memory starts.
        local_bytes: Local memory of each thread.
        const: Constant memory.
        variables: Module variables in global memory, in the order of their addresses.
        required_block: What `.reqntid` asks for.
        resident: Threads wait for other blocks, so all blocks have to run together.
        cell: Bytes of shared memory that instructions tell apart.
        undefined: Slots that may be read before they are written, each with an operation that
            reads it.
        gpu: Whose rules hold where the ISA leaves bits open: `a100` or `h100`.
    """

    name: str
    artifact: str
    target: str
    params: tuple[Parameter, ...]
    offsets: tuple[int, ...]
    param_bytes: int
    blocks: tuple[Block, ...]
    widths: tuple[int, ...]
    specials: Mapping[str, int]
    shared_bytes: int
    dynamic_offset: int
    local_bytes: int
    const: bytes
    variables: tuple[Variable, ...]
    required_block: tuple[int, int, int] | None
    resident: bool
    cell: int = 1
    undefined: tuple[tuple[int, Op], ...] = ()
    gpu: Gpu = "h100"

    @cached_property
    def meets(self) -> tuple[int, ...]:
        """For each block its immediate post-dominator."""
        return meeting_points(self.blocks)

    @property
    def forms(self) -> tuple[str, ...]:
        """Every form that the program holds, sorted."""
        return tuple(sorted({op.form for block in self.blocks for op in block.ops}))
