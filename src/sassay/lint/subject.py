"""One kernel under analysis: its code, and what the rules ask of it, found once."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, cast

from sassay.isa import ptx
from sassay.lint.dependence import Dependence
from sassay.lint.divergence import Divergence
from sassay.lint.flow import Flow
from sassay.lint.lanes import Lanes
from sassay.lint.limits import TooLargeError
from sassay.lint.program import read_program
from sassay.lint.values import Values
from sassay.model.artifact import SourceLocation

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.isa.attribution import LayerLines
    from sassay.isa.ptx.syntax import PtxFunction
    from sassay.lint.program import Op, Program
    from sassay.lint.sass import SassView
    from sassay.model.kernel import Kernel

T = TypeVar("T")


class Subject:
    """A kernel and its analyses.

    Attributes:
        kernel: As the state has it.
        function: Its PTX, None without.
        sass: Its instructions, None without, or where nothing decodes them.
        before: The kernel that it is compared with, None without.
    """

    def __init__(
        self,
        kernel: Kernel,
        function: PtxFunction | None,
        sass: SassView | None = None,
        before: Subject | None = None,
    ) -> None:
        self.kernel = kernel
        self.function = function
        self.sass = sass
        self.before = before
        self._made: dict[type, object] = {}

    @cached_property
    def program(self) -> Program:
        """Its operations; only where there is PTX."""
        if self.function is None:
            raise LookupError(self.kernel.name)
        return read_program(self.function)

    @property
    def ops(self) -> list[Op]:
        """Its instructions."""
        return self.program.ops

    @property
    def flow(self) -> Flow:
        """Its control-flow graph."""
        return self._once(Flow, lambda: Flow(self.program))

    @property
    def values(self) -> Values:
        """Its values."""
        return self._once(Values, lambda: Values(self.program, self.flow))

    @property
    def dependence(self) -> Dependence:
        """What its values depend on."""
        return self._once(Dependence, lambda: Dependence(self.values, self.flow))

    @property
    def divergence(self) -> Divergence:
        """Which of its values differ from thread to thread."""
        return self._once(Divergence, lambda: Divergence(self.values, self.flow))

    @property
    def lanes(self) -> Lanes:
        """Its addresses, lane by lane."""
        return self._once(Lanes, lambda: Lanes(self.values, self.divergence, self.kernel.launch))

    def _once(self, kind: type[T], make: Callable[[], T]) -> T:
        """One analysis; one that a function is too large for fails at once the next time."""
        found = self._made.get(kind)
        if found is None:
            try:
                found = make()
            except TooLargeError as error:
                found = error
            self._made[kind] = found
        if isinstance(found, TooLargeError):
            raise found
        return cast("T", found)

    @cached_property
    def arch(self) -> int:
        """The number of the architecture, such as 90; 0 where it has none."""
        digits = "".join(c for c in self.kernel.arch.partition("_")[2] if c.isdigit())
        return int(digits or 0)

    def has(self, start: str) -> bool:
        """Whether an opcode of its PTX starts like this.

        Args:
            start: The first letters.
        """
        opcodes = self.function.opcodes if self.function is not None else ()
        return any(name.startswith(start) for name in opcodes)

    def runs(self, op: Op) -> bool:
        """Whether control ever comes to an instruction."""
        return self.values.read[op.index] is not None

    def named(self, globs: str) -> bool:
        """Whether one of the blank-separated globs matches the kernel, whatever its case.

        Args:
            globs: Over family, symbol and demangled name.
        """
        kernel = self.kernel
        names = [each.lower() for each in (kernel.family, kernel.symbol, kernel.name)]
        return any(fnmatchcase(name, glob.lower()) for glob in globs.split() for name in names)

    @cached_property
    def parameters(self) -> dict[str, str]:
        """What a person calls each parameter: the source's name where the front end tells it."""
        params = self.function.params if self.function is not None else ()
        shown = {row.name: row.name.removeprefix(f"{self.kernel.symbol}_") for row in params}
        signature = self.kernel.specialization.signature
        names = [name for name, kind in signature.items() if "constexpr" not in kind]
        # Triton appends pointers to scratch memory.
        if names and len(names) <= len(params):
            shown |= {row.name: name for row, name in zip(params, names, strict=False)}
        return shown

    def pointer(self, value: int) -> str:
        """The pointers that an address is made of, as a person calls them."""
        names = self.dependence.pointers(value) if value >= 0 else ()
        return " or ".join(self.parameters.get(name, name) for name in names) or "?"

    @cached_property
    def _lines(self) -> LayerLines | None:
        return ptx.source_lines(self.function) if self.function is not None else None

    def location(self, op: Op) -> SourceLocation | None:
        """The kernel's own line that an instruction comes from."""
        if self._lines is None:
            return None
        chain = self._lines.chain(op.index)
        frame = next((each for each in reversed(chain) if each.line and each.file), None)
        return SourceLocation(frame.file, frame.line) if frame else None
