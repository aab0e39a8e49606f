"""Chooses what runs a launch: the interpreter, or compiled code with the interpreter before it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from msgspec import structs

from sassay.errors import UsageError
from sassay.jit import available
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

_PER_OP, _PER_LAUNCH = 400_000, 2_000_000
"""Thread-instructions of the interpreter that pay for compiling an operation, and for a launch of
compiled code: both cost about a millisecond or two, and it runs some hundred millions a second."""


class Choice(StrEnum):
    """What runs launches."""

    AUTO = "auto"
    INTERPRETER = "interpreter"
    COMPILED = "compiled"


class HasProgram(Protocol):
    """A kernel."""

    @property
    def program(self) -> Program:
        """The entry, lowered."""


class _LeftError(Exception):
    """Compiled code gave up."""


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
            raise UsageError(
                "compiled code needs llvmlite 0.45 or later", hint="pip install 'sassay[fast]'"
            )
        self._choice = choice
        self._checked = checked_threads
        self._translations = Translations()
        self._known: dict[int, _Known] = {}
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
        if launch.blocks <= first or not self._pays(program, launch):
            return self._interpret(program, launch)
        bytes_ = shared_bytes(program, launch)
        translation = self._translations.get(program, launch.block, bytes_)
        if isinstance(translation, str):
            self.reasons[program.name] = translation
            return structs.replace(run(program, launch), not_compiled=translation)
        rest = _Compiled(translation, program, launch, first)
        try:
            result = run(program, launch, rest=rest)
            if result.trap is None:
                self._note(program, launch, result)
                return structs.replace(result, compiled_blocks=launch.blocks - first)
        except _LeftError:
            pass
        # Where a grid traps first depends on how many blocks run together.
        again = run(program, launch)
        why = "" if again.trap else "it met something that only the interpreter follows"
        if why:
            self.reasons[program.name] = why
        return structs.replace(again, not_compiled=why)

    def runs(self, kernel: HasProgram, launch: Launch) -> Result:
        """Runs a launch of a kernel; what `parity.Sides` is given."""
        return self.run(kernel.program, launch)

    def _pays(self, program: Program, launch: Launch) -> bool:
        """Whether compiled code is wanted, as far as what ran before tells."""
        if self._choice is Choice.COMPILED:
            return True
        if self._choice is Choice.INTERPRETER or not available():
            return False
        ops = sum(len(each.ops) for each in program.blocks)
        known = self._known.get(id(program))
        spent, each = (0, ops) if known is None else (known.spent, known.of_thread)
        expected = each * launch.blocks * launch.threads
        if expected < _PER_LAUNCH:
            return False
        made = self._translations.known(program, launch.block, shared_bytes(program, launch))
        return made or spent + expected >= _PER_OP * ops

    def _interpret(self, program: Program, launch: Launch) -> Result:
        result = run(program, launch)
        self._note(program, launch, result)
        return result

    def _note(self, program: Program, launch: Launch, result: Result) -> None:
        """Remembers how long a program runs."""
        threads = launch.blocks * launch.threads
        known = self._known.setdefault(id(program), _Known(program))
        if threads:
            known.of_thread = result.instructions / threads
        if not result.compiled_blocks:
            known.spent += result.instructions


@dataclass
class _Known:
    """What ran of a program.

    Attributes:
        program: Held, so that its identity stays its own.
        spent: Thread-instructions in the interpreter.
        of_thread: Instructions of one thread, in the last launch.
    """

    program: Program
    spent: int = 0
    of_thread: float = 0.0


class _Compiled:
    """The blocks of a launch that run in compiled code."""

    def __init__(
        self, translation: Translation, program: Program, launch: Launch, first: int
    ) -> None:
        self.first = first
        self._translation, self._program, self._launch = translation, program, launch

    def run(
        self, memory: GlobalMemory, param: Array, counted: int, ones: frozenset[int]
    ) -> Execution:
        """Runs them."""
        launch = self._launch
        execution = Execution(
            self._program,
            launch,
            memory,
            self._translation,
            param=param,
            shared_bytes=shared_bytes(self._program, launch),
            ones=ones,
        )
        each = max(counted // max(self.first, 1), 1)
        step = max(_AT_ONCE // each, 1)
        for first in range(self.first, launch.blocks, step):
            if not execution.run(first, min(first + step, launch.blocks)):
                raise _LeftError
        return execution
