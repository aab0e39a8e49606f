"""Reads a source file's module-level names with `ast`; nothing in it runs."""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING

from sassay.build.evaluate import dotted
from sassay.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sassay.build.modules import SourceFile


class Import:
    """A name bound by an import statement."""

    def __init__(self, module: str, name: str | None, level: int, line: int) -> None:
        self.module = module
        self.name = name
        self.level = level
        self.line = line

    @property
    def path(self) -> str:
        """Dotted path for an absolute import."""
        return f"{self.module}.{self.name}" if self.name else self.module


Binding = Import | ast.FunctionDef | ast.ClassDef | ast.expr
"""What a module-level name is bound to; an expression for an assignment."""


class ScannedFile:
    """A parsed source file.

    Attributes:
        source: The file.
        lines: Its lines, each with its line end.
        bindings: For each module-level name what may bind it, in the order to try: a plain
            statement replaces what stood before, one inside `if` or `except` stands behind.
        stars: `from x import *`, in order.
    """

    def __init__(self, source: SourceFile) -> None:
        self.source = source
        text = source.text()
        self.lines = text.splitlines(keepends=True)
        self.bindings: dict[str, list[Binding]] = {}
        self.stars: list[Import] = []
        self._walk(_parse(text, source.display).body, conditional=False)

    def qualify(self, name: str) -> str | None:
        """Dotted path that an absolute import binds `name` to."""
        for binding in self.bindings.get(name, ()):
            if isinstance(binding, Import) and not binding.level:
                return binding.path
            if isinstance(binding, ast.expr):
                return self.path(binding)
        return None

    def path(self, node: ast.expr) -> str | None:
        """`triton.language.float32` for `tl.float32`; None if it is no dotted name."""
        parts = dotted(node)
        if parts is None:
            return None
        # `x = x` would ask for itself for ever; a name stands for itself there.
        bound = self.bindings.get(parts[0], ())
        if any(binding is node for binding in bound):
            return None
        return ".".join((self._import_path(parts[0]) or parts[0], *parts[1:]))

    def _import_path(self, name: str) -> str | None:
        for binding in self.bindings.get(name, ()):
            if isinstance(binding, Import) and not binding.level:
                return binding.path
        return None

    def _add(self, name: str, binding: Binding, *, conditional: bool) -> None:
        if not conditional:
            self.bindings[name] = []
        self.bindings.setdefault(name, []).append(binding)

    def _walk(self, statements: Iterable[ast.stmt], *, conditional: bool) -> None:
        for statement in statements:
            match statement:
                case ast.FunctionDef() | ast.ClassDef():
                    self._add(statement.name, statement, conditional=conditional)
                case ast.Import(names=names):
                    for alias in names:
                        self._import(alias, conditional=conditional)
                case ast.ImportFrom():
                    self._import_from(statement, conditional=conditional)
                case ast.Assign(targets=targets, value=value):
                    self._assign(targets, value, conditional=conditional)
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    self._add(name, value, conditional=conditional)
                case ast.If():
                    self._if(statement)
                case ast.Try():
                    self._walk(statement.body, conditional=conditional)
                    for handler in statement.handlers:
                        self._walk(handler.body, conditional=True)
                    self._walk([*statement.orelse, *statement.finalbody], conditional=conditional)
                case ast.With():
                    self._walk(statement.body, conditional=conditional)
                case _:
                    pass

    def _if(self, statement: ast.If) -> None:
        if dotted(statement.test) not in {("TYPE_CHECKING",), ("typing", "TYPE_CHECKING")}:
            self._walk(statement.body, conditional=True)
        self._walk(statement.orelse, conditional=True)

    def _import(self, alias: ast.alias, *, conditional: bool) -> None:
        # `import a.b` binds `a`; `import a.b as c` binds `c` to `a.b`.
        module = alias.name if alias.asname else alias.name.split(".")[0]
        self._add(
            alias.asname or module, Import(module, None, 0, alias.lineno), conditional=conditional
        )

    def _import_from(self, statement: ast.ImportFrom, *, conditional: bool) -> None:
        for alias in statement.names:
            item = Import(statement.module or "", alias.name, statement.level, statement.lineno)
            if alias.name == "*":
                self.stars.append(item)
            else:
                self._add(alias.asname or alias.name, item, conditional=conditional)

    def _assign(self, targets: Sequence[ast.expr], value: ast.expr, *, conditional: bool) -> None:
        for target in targets:
            if isinstance(target, ast.Name):
                self._add(target.id, value, conditional=conditional)
            elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                for one, item in zip(target.elts, value.elts, strict=False):
                    self._assign([one], item, conditional=conditional)


def _parse(text: str, display: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in an engine's file are not our news
            return ast.parse(text, display)
    except SyntaxError as error:
        raise CompileError(
            f"not Python: {error.msg}", artifact=display, place=f"line {error.lineno}"
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise CompileError("not Python, or nested too deeply", artifact=display) from error
