"""Chooses what runs a launch: the interpreter, or compiled code with the interpreter before it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import structs

from sassay.errors import UsageError
from sassay.machine.compiled.engine import available
from sassay.machine.compiled.execute import Execution
from sassay.machine.compiled.translate import Translations
from sassay.machine.run import check_launch, run, shared_bytes

if TYPE_CHECKING:
    from sassay.machine.compiled.translate import Translation
    from sassay.machine.launch import Launch
    from sassay.machine.memory import GlobalMemory
    from sassay.machine.program import Program
    from sassay.machine.result import Result
    from sassay.machine.types import Array

CHECKED_THREADS = 2048
"""Threads that run in the interpreter, with every check, before compiled code takes over."""

_AT_ONCE = 1 << 29
"""Thread-instructions of one call of compiled code, after which an interrupt is heard."""

_PER_OP, _AFTER = 1_000_000, 2_000_000
"""Thread-instructions that pay for compiling an operation, and for starting compiled code."""


class Choice(StrEnum):
    """What runs launches."""

    AUTO = "auto"
    INTERPRETER = "interpreter"
    COMPILED = "compiled"


class _LeftError(Exception):
    """Compiled code does not run this launch; the message says why, for people."""


class Backend:
    """Runs launches; code that was compiled is kept for the next ones.

    Attributes:
        reasons: Why programs that were to be compiled were not, by their names.
    """

    def __init__(
        self, choice: Choice = Choice.AUTO, *, checked_threads: int = CHECKED_THREADS
    ) -> None:
        """Chooses.

        Args:
            choice: `auto` compiles what is long enough and can be compiled.
            checked_threads: Threads that run in the interpreter first; at least one block, unless
                it is 0.

        Raises:
            UsageError: Compiled code is asked for, and llvmlite is not installed.
        """
        if choice is Choice.COMPILED and not available():
            raise UsageError("compiled code needs llvmlite", hint="pip install 'sassay[fast]'")
        self._choice = choice
        self._checked = checked_threads
        self._translations = Translations()
        self.reasons: dict[str, str] = {}

    def run(self, program: Program, launch: Launch) -> Result:
        """Runs a launch; bits, labels and traps are those of the interpreter.

        Compiled code only sees that something is wrong. Then the interpreter runs the launch again,
        from the start.

        Args:
            program: The entry.
            launch: How many threads, with which arguments.

        Raises:
            UsageError: The launch does not fit the entry.
            LimitError: Blocks that have to run together need too much memory.
        """
        check_launch(program, launch)
        first = max(self._checked // launch.threads, min(self._checked, 1))
        if self._choice is Choice.INTERPRETER or not available():
            return run(program, launch)
        if launch.blocks <= first * (1 if self._choice is Choice.COMPILED else 4):
            return run(program, launch)
        rest = _Compiled(self._translations, program, launch, first)
        rest.forced = self._choice is Choice.COMPILED
        why = ""
        try:
            result = run(program, launch, rest=rest)
            if result.trap is None:
                return structs.replace(result, compiled_blocks=launch.blocks - first)
        except _LeftError as error:
            why = str(error)
        # Where a grid traps first depends on how many blocks run together.
        again = run(program, launch)
        if why and again.trap is None:
            self.reasons[program.name] = why
        return structs.replace(again, not_compiled="" if again.trap else why)


class _Compiled:
    """The blocks of a launch that run in compiled code."""

    forced = False

    def __init__(
        self, translations: Translations, program: Program, launch: Launch, first: int
    ) -> None:
        self.first = first
        self._translations, self._program, self._launch = translations, program, launch

    def _translation(self, counted: int) -> Translation:
        program, launch = self._program, self._launch
        bytes_ = shared_bytes(program, launch)
        known = self._translations.known(program, launch.block, bytes_)
        left = launch.blocks - self.first
        expected = counted * left // max(self.first, 1)
        ops = 0 if known else sum(len(each.ops) for each in program.blocks)
        if not self.forced and expected < _AFTER + _PER_OP * ops:
            raise _LeftError("")
        found = self._translations.get(program, launch.block, bytes_)
        if isinstance(found, str):
            raise _LeftError(found)
        return found

    def run(
        self, memory: GlobalMemory, param: Array, counted: int, ones: frozenset[int]
    ) -> Execution:
        """Runs them."""
        launch = self._launch
        execution = Execution(
            self._program,
            launch,
            memory,
            self._translation(counted),
            param=param,
            shared_bytes=shared_bytes(self._program, launch),
            ones=ones,
        )
        each = max(counted // max(self.first, 1), 1)
        step = max(_AT_ONCE // each, 1)
        for first in range(self.first, launch.blocks, step):
            if not execution.run(first, min(first + step, launch.blocks)):
                raise _LeftError("it met something that only the interpreter follows")
        return execution
