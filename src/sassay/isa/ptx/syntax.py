"""The syntax tree of a PTX module.

Names follow "Parallel Thread Execution ISA", chapters "Syntax", "State Spaces, Types, and
Variables" and "Directives". Records hold text as written, with blanks made canonical.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from sassay.isa.ptx.grammar import blank_comments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sassay.model.artifact import SourceLocation
    from sassay.model.kernel import Launch


class Loc(msgspec.Struct, frozen=True):
    """A `.loc` directive.

    Attributes:
        file: Index in the module's file table.
        line: Source line, from 1; 0 where the compiler knows none.
        column: Source column, from 1.
        function: `function_name` label with its offset, for inlined code.
        inlined_at: File index, line and column of the call, for inlined code.
    """

    file: int
    line: int
    column: int
    function: str | None = None
    inlined_at: tuple[int, int, int] | None = None


class Instruction(msgspec.Struct, frozen=True):
    """One instruction.

    Attributes:
        opcode: The whole dotted spelling.
        predicate: `%p1` or `!%p1`, None where it always runs.
        operands: Blanks canonical, no semicolon.
        line: Line in the module, from 1.
        loc: The `.loc` in force.
        labels: Labels that stand before it.
        scope: Innermost `{ }` scope that it stands in: 0 is the body, others count from 1 in the
            order of their opening.
    """

    opcode: str
    predicate: str | None
    operands: str
    line: int
    loc: Loc | None = None
    labels: tuple[str, ...] = ()
    scope: int = 0


class Label(msgspec.Struct, frozen=True):
    """A label; `scope` as in `Instruction`."""

    name: str
    line: int
    scope: int = 0


class Declaration(msgspec.Struct, frozen=True):
    """A directive in a body (`.reg`, `.shared`, `.pragma`, `.callprototype` ...), as text."""

    text: str
    line: int
    scope: int = 0


class Scope(msgspec.Struct, frozen=True):
    """An opening or closing brace; `scope` is the scope that it opens or closes."""

    brace: str
    line: int
    scope: int
    parent: int = 0

    @property
    def opens(self) -> bool:
        """Whether this is the opening brace."""
        return self.brace == "{"


class LocMark(msgspec.Struct, frozen=True):
    """A `.loc` where it stands."""

    loc: Loc
    line: int


Statement = Instruction | Label | Declaration | Scope | LocMark


class Parameter(msgspec.Struct, frozen=True):
    """A formal parameter.

    Attributes:
        name: As spelled.
        text: The whole declaration, blanks canonical.
        type: `u64`, `b8` ...; empty where the text names none.
        space: State space that a `.ptr` attribute names, such as `global`.
        align: Alignment in bytes, of the pointee for a pointer.
        size: Elements of an array parameter, None for a scalar.
    """

    name: str
    text: str
    type: str = ""
    space: str | None = None
    align: int | None = None
    size: int | None = None


class ModuleVariable(msgspec.Struct, frozen=True):
    """A variable of the module.

    Attributes:
        name: As spelled.
        linkage: `visible`, `extern`, `weak`, `common`, or empty.
        space: `global`, `const`, `shared` ...
        text: The declaration up to the initializer, blanks canonical.
        initializer: Text after `=`, blanks taken out; None without one.
        line: Line in the module, from 1.
    """

    name: str
    linkage: str
    space: str
    text: str
    initializer: str | None
    line: int


class FunctionDeclaration(msgspec.Struct, frozen=True):
    """A function declared without a body: its symbol, and the declaration as text."""

    name: str
    text: str
    line: int


class File(msgspec.Struct, frozen=True):
    """One row of the `.file` table; paths are as the compiler wrote them."""

    index: int
    path: str
    directory: str | None = None

    @property
    def full_path(self) -> str:
        """The path with its folder in front, as a cubin's line table names it."""
        return posixpath.join(self.directory or "", self.path)


class Section(msgspec.Struct, frozen=True):
    """A `.section` with debug information, skipped as a whole."""

    name: str
    line: int


@dataclass(frozen=True, kw_only=True)
class PtxFunction:
    """An entry or a device function with a body.

    Attributes:
        name: Symbol.
        kind: `entry` or `func`.
        linkage: `visible`, `extern`, `weak`, `common`, or empty.
        params: Formal parameters, in order.
        returns: Return parameters of a device function.
        directives: Performance directives with their arguments: `reqntid` to `(128,)`.
        launch: What they fix of the launch.
        location: Source line of the first `.loc`.
        opcodes: Census, sorted by opcode.
        line: Line of the directive that opens it, from 1.
        module: The module's shared parts.
        start: Offset of the body in the module's text, after its brace.
        end: Offset of the closing brace.
        body_line: Line of the opening brace, from 1.
        blanked: Comments stand inside statements: read the body with comments blanked.
    """

    name: str
    kind: str
    linkage: str
    params: tuple[Parameter, ...]
    returns: tuple[Parameter, ...]
    directives: Mapping[str, tuple[int, ...]]
    launch: Launch
    location: SourceLocation | None
    opcodes: Mapping[str, int]
    line: int
    module: ModuleText
    start: int
    end: int
    body_line: int
    blanked: bool = False

    @property
    def body(self) -> tuple[str, int, int]:
        """A text, and the two offsets between which it holds the body."""
        return self.module.blanked if self.blanked else self.module.text, self.start, self.end

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """Everything in the body, in order; read when first asked for."""
        from sassay.isa.ptx.body import read_statements  # noqa: PLC0415 - body builds these records

        return read_statements(self)

    @cached_property
    def instructions(self) -> tuple[Instruction, ...]:
        """The instructions, in order; read when first asked for."""
        return tuple(each for each in self.statements if isinstance(each, Instruction))


@dataclass(frozen=True, kw_only=True)
class ModuleText:
    """What the functions of one module share.

    Attributes:
        artifact: Name of the artifact in errors.
        text: The module; offsets and lines of every record refer to it.
        files: Path by file index.
        variables: Variables by name.
    """

    artifact: str
    text: str
    files: Mapping[int, str]
    variables: Mapping[str, ModuleVariable]

    @cached_property
    def blanked(self) -> str:
        """The text with comments overwritten by blanks."""
        return blank_comments(self.text)


@dataclass(frozen=True, kw_only=True)
class Module:
    """A PTX module.

    Attributes:
        version: Of the PTX ISA, such as `8.7`.
        targets: Architecture first, then options such as `debug`.
        address_size: 32 or 64; None where the module does not say.
        entries: Entry functions with a body, in order.
        functions: Device functions with a body, in order.
        declared: Functions declared without a body, in order.
        variables: Module variables, in order.
        aliases: `.alias` pairs: name and what it stands for.
        file_table: Rows of the `.file` table, in order.
        pragmas: Module-level pragmas and other directives, as text.
        sections: Debug sections, skipped.
    """

    version: str
    targets: tuple[str, ...]
    address_size: int | None
    entries: tuple[PtxFunction, ...]
    functions: tuple[PtxFunction, ...]
    declared: tuple[FunctionDeclaration, ...] = ()
    variables: tuple[ModuleVariable, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    file_table: tuple[File, ...] = ()
    pragmas: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()

    @property
    def target(self) -> str:
        """The architecture, such as `sm_90a`."""
        return self.targets[0]

    @property
    def files(self) -> Mapping[int, str]:
        """Path by file index."""
        return {row.index: row.full_path for row in self.file_table}

    def entry(self, name: str) -> PtxFunction | None:
        """The entry of that symbol, None if there is none."""
        return next((each for each in self.entries if each.name == name), None)
