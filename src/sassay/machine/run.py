"""Runs a program: arguments into memory, blocks in slices, arrays out of memory."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from msgspec import structs

from sassay.errors import LimitError, UsageError
from sassay.machine.async_copy.tensor_map import TensorMap
from sassay.machine.labels import RANK, array_labels
from sassay.machine.lanes import WARP
from sassay.machine.launch import Launch, Pointer
from sassay.machine.memory import Allocation, GlobalMemory, Memory, TrapError
from sassay.machine.ordering import Order
from sassay.machine.owned import Owned
from sassay.machine.races import Races
from sassay.machine.result import Result, Trap
from sassay.machine.slices import Slice
from sassay.machine.types import TYPES, WORDS, Array, constant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sassay.isa.ptx.syntax import Parameter
    from sassay.machine.launch import Argument
    from sassay.machine.numeric import Label
    from sassay.machine.program import Program

SLICE_THREADS = 1 << 15
"""Threads that run together, unless one block has more: what keeps registers in the cache."""

MAX_BYTES = 2 << 30
"""Registers, shared and local memory of one slice."""

_WRITERS = frozenset(["st", "atom", "red"])

_PAD = 16


class Rest(Protocol):
    """Runs the blocks of a grid that come after the first ones, in another way."""

    first: int
    """Number of the first block that it runs."""

    def run(self, memory: GlobalMemory, param: Array, counted: int, ones: frozenset[int]) -> Ran:
        """Runs them.

        Args:
            memory: Allocations of the launch, as the blocks before left them.
            param: Parameter space.
            counted: Thread-instructions of the blocks before.
            ones: Registers that hold ones where nobody wrote them; others hold zeros.
        """


class Ran(Protocol):
    """What the rest of a grid did."""

    @property
    def instructions(self) -> int:
        """Thread-instructions."""

    def visited(self) -> set[int]:
        """Blocks of code that ran."""

    def touched(self) -> Iterable[tuple[int, int]]:
        """Operations and the allocations that they touched, both by identity."""


def run(program: Program, launch: Launch, *, rest: Rest | None = None) -> Result:
    """Runs an entry.

    A trap is a result: the arrays are then as they were when it happened.

    Args:
        program: The entry.
        launch: How many threads, with which arguments.
        rest: Runs most blocks of the grid, if it is given.

    Raises:
        UsageError: The launch does not fit the entry.
        LimitError: Blocks that have to run together need too much memory.
    """
    check_launch(program, launch)
    result = _run(program, launch, frozenset(), rest)
    if result.trap is None and program.undefined:
        # What no instruction wrote may hold anything: it must not matter.
        slots = [slot for slot, _ in program.undefined]
        if _difference(result, _run(program, launch, frozenset(slots), rest)):
            return structs.replace(result, trap=_undefined(program, launch, result))
    return result


def _run(
    program: Program, launch: Launch, ones: frozenset[int], rest: Rest | None = None
) -> Result:
    """Runs an entry; registers that nobody wrote hold zeros, those that are named ones."""
    memory = GlobalMemory()
    arguments, kept = place_arguments(program, launch, memory)
    place_variables(program, memory)
    counted, visited, trap = 0, set[int](), None
    touched = set[tuple[int, int]]()
    with np.errstate(all="ignore"):
        size = slice_blocks(program, launch, SLICE_THREADS)
        blocks = launch.blocks if rest is None else min(rest.first, launch.blocks)
        for first in range(0, blocks, size):
            count = min(size, blocks - first)
            order = order_of(program, launch, count) if launch.find_races else None
            seen = slice_memory(program, launch, memory, arguments, count, order=order)
            part = Slice(program, launch, seen, first, count)
            for slot in ones:
                bits = program.widths[slot]
                part.registers.set(slot, constant((1 << bits) - 1, WORDS[bits]))
            try:
                part.run()
            except TrapError as error:
                trap = trap_of(part, error, first)
            touched |= seen.touched
            counted += part.instructions
            visited |= part.visited
            if trap is not None:
                break
    if rest is not None and trap is None and blocks < launch.blocks:
        ran = rest.run(memory, arguments, counted, ones)
        counted += ran.instructions
        visited |= ran.visited()
        touched.update(ran.touched())
    forms = {form: label for at in sorted(visited) for form, label in program.blocks[at].forms}
    worst: Label = max(forms.values(), key=RANK.__getitem__, default="exact")
    numbers = {id(each): number for number, each in enumerate(memory.allocations)}
    places: dict[int, set[int]] = {}
    for op, allocation in touched:
        places.setdefault(op, set()).add(numbers[allocation])
    known = {op: frozenset(each) for op, each in places.items()}
    labels = array_labels(program, visited, known, len(numbers))
    return Result(
        arrays=tuple(array_of(given, allocation) for given, allocation in kept),
        trap=trap,
        label=worst,
        labels=tuple(
            None if allocation is None else labels[numbers[id(allocation)]]
            for _, allocation in kept
        ),
        forms=dict(sorted(forms.items())),
        instructions=counted,
        written=_written(program, visited, known, kept, memory),
    )


def _written(
    program: Program,
    visited: set[int],
    touched: Mapping[int, frozenset[int]],
    kept: Sequence[tuple[Argument, Allocation | None]],
    memory: GlobalMemory,
) -> tuple[bool | None, ...]:
    """Which arguments the kernel wrote to, by its instructions; by content after bulk copies."""
    ops = [op for at in visited for op in program.blocks[at].ops]
    writers = [op for op in ops if op.base in _WRITERS]
    numbers = frozenset[int]().union(*(touched.get(id(op), frozenset()) for op in writers))
    wrote = {id(memory.allocations[number]) for number in numbers}
    if any(op.base == "cp" and "bulk" in op.form for op in ops):
        for given, each in kept:
            array = array_of(given, each)
            whole = given.array if isinstance(given, (Pointer, TensorMap)) else given
            if each is not None and array is not None and isinstance(whole, np.ndarray):
                wrote |= {id(each)} if array.tobytes() != whole.tobytes() else set()
    return tuple(None if each is None else id(each) in wrote for _, each in kept)


def _undefined(program: Program, launch: Launch, zeros: Result) -> Trap:
    """The trap of registers that nobody wrote although what they hold makes a difference."""
    op, what, ones = program.undefined[0][1], "the result", zeros
    for slot, reader in program.undefined:
        again = _run(program, launch, frozenset([slot]))
        found = _difference(zeros, again)
        if found:
            op, what, ones = reader, found, again
            break
    return Trap(
        kind="uninitialised",
        message=f"a register that nobody wrote before it is read decides {what}",
        block=ones.trap.block if ones.trap else (0, 0, 0),
        thread=ones.trap.thread if ones.trap else (0, 0, 0),
        instruction=op.place.text,
        line=op.place.line,
        location=op.place.location,
    )


def _difference(zeros: Result, ones: Result) -> str:
    """What differs between two runs, empty if nothing does."""
    if ones.trap is not None:
        return f"whether the program traps ({ones.trap.kind}, line {ones.trap.line})"
    for index, (a, b) in enumerate(zip(zeros.arrays, ones.arrays, strict=True)):
        if a is None or b is None or not a.size:
            continue
        first, second = (each.reshape(-1).view(np.uint8) for each in (a, b))
        if (first != second).any():
            return f"element {int(np.argmax(first != second)) // a.itemsize} of argument {index}"
    return ""


def check_launch(program: Program, launch: Launch) -> None:
    """Whether a launch fits an entry.

    Raises:
        UsageError: It does not.
    """
    if program.required_block not in {None, launch.block}:
        raise UsageError(
            f"{program.name} needs blocks of {program.required_block}, not {launch.block}"
        )
    if len(launch.arguments) != len(program.params):
        raise UsageError(
            f"{program.name} takes {len(program.params)} arguments, not {len(launch.arguments)}",
            hint="a null pointer is None",
        )


def place_variables(program: Program, memory: GlobalMemory) -> None:
    """Gives module variables in global memory their bytes."""
    for variable in program.variables:
        memory.allocate_at(
            variable.address, np.frombuffer(variable.content, np.uint8), variable.name
        )


def place_arguments(
    program: Program, launch: Launch, memory: GlobalMemory
) -> tuple[Array, list[tuple[Argument, Allocation | None]]]:
    """Copies arguments to memory.

    Returns:
        Parameter space, and each argument with its allocation, None for a scalar.
    """
    space = np.zeros(program.param_bytes + _PAD, np.uint8)
    found: dict[int, Allocation] = {}
    kept: list[tuple[Argument, Allocation | None]] = []
    for index, (param, offset, given) in enumerate(
        zip(program.params, program.offsets, launch.arguments, strict=True)
    ):
        allocation = None
        maps = isinstance(given, TensorMap)
        if isinstance(given, (Pointer, np.ndarray, TensorMap)) and maps == (param.size is not None):
            array = given if isinstance(given, np.ndarray) else given.array
            if not maps and TYPES[param.type].bits != 64:
                raise UsageError(f"argument {index} of {program.name} is no pointer")
            allocation = found.get(id(array))
            if index in launch.unwritten and allocation is not None:
                raise UsageError(f"argument {index} of {program.name} is given twice")
            if allocation is None:
                content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
                allocation = memory.allocate(content, f"argument {index}")
                found[id(array)] = allocation
                if index in launch.unwritten:
                    allocation.written = np.zeros_like(allocation.data)
            start = allocation.start + (given.offset if isinstance(given, Pointer) else 0)
            content_bytes = struct.pack("<Q", start)
            if isinstance(given, TensorMap):
                content_bytes = given.encode(start)
        else:
            content_bytes = bytes_of(param, given, f"argument {index} of {program.name}")
        space[offset : offset + len(content_bytes)] = np.frombuffer(content_bytes, np.uint8)
        kept.append((given, allocation))
    return space, kept


def bytes_of(param: Parameter, given: Any, what: str) -> bytes:
    """A scalar or structure argument as the kernel finds it in parameter space.

    Args:
        param: Its declaration.
        given: A number, bytes, or an array of the declared size.
        what: Names the argument in errors.

    Raises:
        UsageError: Another size, or a number that the type does not hold.
    """
    width = max(TYPES[param.type].bits // 8, 1) if param.type in TYPES else 8
    size = width * (1 if param.size is None else param.size)
    if isinstance(given, (bytes, np.ndarray)):
        content = given if isinstance(given, bytes) else given.tobytes()
        if len(content) != size:
            raise UsageError(f"{what} has {len(content)} bytes, not {size}")
        return content
    if param.size is not None:
        raise UsageError(f"{what} takes {size} bytes")
    if given is None:
        return b"\0" * size
    floats = {2: "<e", 4: "<f", 8: "<d"}
    if isinstance(given, (float, np.floating)) or param.type in {"f16", "f32", "f64"}:
        if width not in floats:
            raise UsageError(f"{what} is no float")
        return struct.pack(floats[width], float(given))
    number = int(given)
    if not -(1 << 8 * width - 1) <= number < 1 << 8 * width:
        raise UsageError(f"{what} is {number}, which does not fit {width} bytes")
    return (number & ((1 << 8 * width) - 1)).to_bytes(width, "little")


def shared_bytes(program: Program, launch: Launch) -> int:
    """Shared memory of one block."""
    return program.dynamic_offset + launch.shared if launch.shared else program.shared_bytes


def slice_blocks(program: Program, launch: Launch, wanted_threads: int) -> int:
    """How many blocks run together.

    Args:
        program: The entry.
        launch: Of it.
        wanted_threads: How many threads that should be, where it matters only for speed.

    Raises:
        LimitError: Blocks that have to run together need too much memory.
    """
    threads = -(-launch.threads // 32) * 32
    registers = sum(max(bits // 8, 1) for bits in program.widths)
    block = threads * (registers + 2 * program.local_bytes + 64)
    block += 2 * shared_bytes(program, launch)
    wanted = launch.blocks if program.resident else max(wanted_threads // threads, 1)
    fits = MAX_BYTES // block
    if fits < 1 or (program.resident and fits < wanted):
        together = wanted if program.resident else 1
        raise LimitError(
            f"{program.name}: {together} blocks that run together may need "
            f"{together * block >> 20} MiB, over {MAX_BYTES >> 20}",
            artifact=program.artifact,
            hint="launch a smaller grid",
        )
    return max(min(wanted, fits), 1)


def order_of(program: Program, launch: Launch, count: int) -> Order | None:
    """What threads of a slice know of each other; None where they share no memory."""
    if not shared_bytes(program, launch):
        return None
    return Order(count, -(-launch.threads // WARP) * WARP)


def slice_memory(
    program: Program,
    launch: Launch,
    globals_: GlobalMemory,
    param: Array,
    count: int,
    *,
    order: Order | None = None,
) -> Memory:
    """What a slice of so many blocks sees; races are looked for where an order is kept."""
    threads = -(-launch.threads // 32) * 32
    shared = Owned(shared_bytes(program, launch), count)
    if order is not None and shared.size:
        shared.races = Races(shared.data.size, program.cell, order)
    const = np.frombuffer(program.const + b"\0" * (_PAD + -len(program.const) % _PAD), np.uint8)
    padded = np.zeros(-(-param.size // _PAD) * _PAD, np.uint8)
    padded[: param.size] = param
    return Memory(
        globals_,
        shared=shared,
        local=Owned(program.local_bytes, count * threads),
        const=const,
        param=padded,
        threads=threads,
        alive=launch.threads,
        order=order,
    )


def array_bytes(allocation: Allocation) -> Array:
    """The bytes of an allocation, without padding."""
    return allocation.data[: allocation.size]


def array_of(given: Argument, allocation: Allocation | None) -> Array | None:
    """What an array became, in the memory of its allocation; None for a scalar."""
    if allocation is None:
        return None
    array = given.array if isinstance(given, (Pointer, TensorMap)) else given
    if not isinstance(array, np.ndarray):
        return None
    return array_bytes(allocation).view(array.dtype).reshape(array.shape)


def trap_of(part: Slice, error: TrapError, first: int) -> Trap:
    """A trap with its place."""
    block, thread = (0, 0) if error.where is None else error.lanes.first(error.where)
    place = part.op.place if part.op else None
    launch = part.launch
    return Trap(
        kind=error.kind,
        message=error.message,
        block=_split(first + block, launch.grid),
        thread=_split(thread, launch.block),
        instruction=place.text if place else "",
        line=place.line if place else 0,
        location=place.location if place else None,
    )


def _split(index: int, size: tuple[int, int, int]) -> tuple[int, int, int]:
    x, y = max(size[0], 1), max(size[1], 1)
    return index % x, index // x % y, index // (x * y)
