"""What a run gives: arrays, or the trap that ended it; and how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from numpy.typing import NDArray

from sassay.machine.numeric.kernel import Label
from sassay.model.artifact import SourceLocation

TrapKind = Literal[
    "out-of-bounds",
    "misaligned",
    "uninitialised",
    "in-flight",
    "race",
    "barrier",
    "tensor-map",
    "swizzle",
    "fence",
    "divergent-barrier",
    "deadlock",
    "step-limit",
    "trap",
    "assert",
]


class Trap(msgspec.Struct, frozen=True):
    """Why a run ended early.

    Attributes:
        kind: What happened.
        message: What happened, with the address or the barrier that it concerns.
        block: Index of the thread's block, x first.
        thread: Index of the thread in its block, x first.
        instruction: The instruction, as in the module.
        line: Its line in the module, from 1.
        location: Its line in the source, where the module tells.
    """

    kind: TrapKind
    message: str
    block: tuple[int, int, int]
    thread: tuple[int, int, int]
    instruction: str
    line: int
    location: SourceLocation | None

    def __str__(self) -> str:
        where = f", {self.location.file}:{self.location.line}" if self.location else ""
        return (
            f"{self.kind}: {self.message}: block {self.block}, thread {self.thread}, "
            f"line {self.line}{where}: {self.instruction}"
        )


class Result(msgspec.Struct, frozen=True):
    """What a run left behind.

    Attributes:
        arrays: By argument position: the array after the run, None for a scalar.
        trap: What ended the run early; None if every thread came to its end.
        label: The weakest label among the instructions that ran.
        labels: By argument position: how far each array can be trusted, None for a scalar; never
            weaker than `label`.
        written: By argument position: whether the kernel wrote to the array, None for a scalar.
        forms: Forms that ran and are not exact, with their label, sorted by form.
        instructions: Thread-instructions: each thread counts each instruction of the blocks of
            code that it went through.
        compiled_blocks: Blocks of the grid that ran in compiled code, where races and reads of
            what nobody wrote are not looked for; the blocks before them ran with every check.
        not_compiled: Why a launch that was to run in compiled code did not; empty otherwise.
    """

    arrays: tuple[NDArray[Any] | None, ...]
    trap: Trap | None
    label: Label
    forms: Mapping[str, Label]
    instructions: int
    labels: tuple[Label | None, ...] = ()
    compiled_blocks: int = 0
    not_compiled: str = ""
    written: tuple[bool | None, ...] = ()
