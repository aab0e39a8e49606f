"""Takes a jit function, and all that it uses, out of files that are never imported."""

from __future__ import annotations

import ast
import difflib
from typing import TYPE_CHECKING

import msgspec

from sassay.build.evaluate import Evaluator, NotLiteralError
from sassay.build.guard import check_constexpr_body
from sassay.build.modules import AbsentError
from sassay.build.names import BUILTINS, Use, decorator_kind, defaults, is_jit, parameters, uses
from sassay.build.scan import Binding, Import, ScannedFile
from sassay.build.values import (
    DTYPES,
    Constexpr,
    Dtype,
    FunctionRef,
    Literal,
    ModuleRef,
    TritonRef,
    Value,
)
from sassay.build.wire import Extraction, FunctionKind, FunctionSource, Unit
from sassay.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sassay.build.modules import ModuleFinder, SourceFile

MAX_FUNCTIONS = 2_000
_ALLOWED_ROOTS = ("triton", "math")


class Parameter(msgspec.Struct, frozen=True):
    """One parameter of a kernel.

    Attributes:
        annotation: As written, empty where there is none.
        default: Its default where that is a literal; None where there is none or it is code.
    """

    name: str
    annotation: str
    default: Value | None

    @property
    def is_constexpr(self) -> bool:
        """Whether it is annotated as a compile-time constant."""
        return "constexpr" in self.annotation


class Extracted(msgspec.Struct, frozen=True):
    """What extraction yields for one kernel."""

    extraction: Extraction
    parameters: tuple[Parameter, ...]
    file: str
    line: int


class Extractor:
    """Extracts kernels; files are parsed once.

    Args:
        finder: Maps names to files.
    """

    def __init__(self, finder: ModuleFinder) -> None:
        self.finder = finder
        self._scanned: dict[str, ScannedFile | CompileError] = {}

    def scan(self, source: SourceFile) -> ScannedFile:
        """A parsed file. Raises `CompileError` each time for one that does not parse."""
        key = str(source.path)
        if key not in self._scanned:
            try:
                self._scanned[key] = ScannedFile(source)
            except CompileError as error:
                self._scanned[key] = error
        found = self._scanned[key]
        if isinstance(found, CompileError):
            raise found
        return found

    def extract(
        self,
        source: SourceFile,
        function: str,
        *,
        supplied: Mapping[str, Value],
        also: tuple[str, ...] = (),
    ) -> Extracted:
        """A kernel with everything that it uses.

        Args:
            source: The file that defines it.
            function: Its name.
            supplied: Values for module-level names, before what the files say.
            also: Other jit functions of the same file that a manifest passes as constants.

        Raises:
            AbsentError: The file has no such function.
            CompileError: A name cannot be resolved, or the function is no jit function.
        """
        scanned = self.scan(source)
        walk = _Walk(self, supplied)
        node = walk.kernel(scanned, function)
        for name in also:
            walk.kernel(scanned, name)
        return Extracted(
            extraction=Extraction(
                file=scanned.source.display, function=function, units=walk.units()
            ),
            parameters=walk.parameters(scanned, node),
            file=scanned.source.display,
            line=node.lineno,
        )


class _Walk:
    """One extraction: what was collected so far."""

    def __init__(self, extractor: Extractor, supplied: Mapping[str, Value]) -> None:
        self._extractor = extractor
        self._supplied = supplied
        self._files: dict[str, ScannedFile] = {}
        self._functions: dict[tuple[str, str], FunctionSource] = {}
        self._bound: dict[tuple[str, str], Value] = {}
        self._open: set[tuple[str, str]] = set()

    def units(self) -> tuple[Unit, ...]:
        return tuple(
            Unit(
                file=display,
                module=self._files[display].source.module,
                functions=tuple(
                    sorted(
                        (item for (file, _), item in self._functions.items() if file == display),
                        key=lambda item: (item.line, item.name),
                    )
                ),
                bindings={
                    name: self._bound[file, name]
                    for file, name in sorted(self._bound)
                    if file == display
                },
            )
            for display in sorted(self._files)
        )

    def kernel(self, scanned: ScannedFile, name: str) -> ast.FunctionDef:
        """Adds a function that the manifest names."""
        for binding in scanned.bindings.get(name, ()):
            node, kind, call = self._as_function(scanned, binding)
            if node is None:
                continue
            if kind == "gluon":
                raise _error(
                    scanned,
                    node.lineno,
                    f"`{name}` is a Gluon kernel",
                    "manifests compile @triton.jit functions",
                )
            if kind != "jit":
                raise _error(
                    scanned, node.lineno, f"`{name}` is not a @triton.jit function", "name a kernel"
                )
            self._add_function(scanned, name, node, FunctionKind.JIT, call)
            return node
        close = difflib.get_close_matches(name, _function_names(scanned), n=1)
        raise AbsentError(
            f"no function `{name}` at module level",
            artifact=scanned.source.display,
            hint=f"did you mean `{close[0]}`?" if close else None,
        )

    def parameters(self, scanned: ScannedFile, node: ast.FunctionDef) -> tuple[Parameter, ...]:
        given = defaults(node)
        found = []
        for item in parameters(node):
            default: Value | None = None
            if item.arg in given:
                try:
                    default = self._evaluator(scanned).value(given[item.arg])
                except (NotLiteralError, CompileError):
                    default = None  # a default that would have to be run counts as none
            annotation = ast.unparse(item.annotation) if item.annotation else ""
            found.append(Parameter(name=item.arg, annotation=annotation, default=default))
        return tuple(found)

    # Functions

    def _as_function(
        self, scanned: ScannedFile, binding: Binding
    ) -> tuple[ast.FunctionDef | None, str | None, ast.Call | None]:
        """The `def` behind a binding, and what decorates it; `x = triton.jit(f)` included."""
        if isinstance(binding, ast.FunctionDef):
            return binding, *decorator_kind(scanned, binding.decorator_list)
        if isinstance(binding, ast.Call) and binding.args:
            inner = binding.func.func if isinstance(binding.func, ast.Call) else binding.func
            path = scanned.path(inner) or ""
            wraps = path.rsplit(".", 1)[-1] in {"autotune", "heuristics"}
            if is_jit(path) or wraps:
                argument = binding.args[0]
                if isinstance(argument, ast.Name):
                    for one in scanned.bindings.get(argument.id, ()):
                        if isinstance(one, ast.FunctionDef):
                            call = binding if is_jit(path) else None
                            return one, ("gluon" if "gluon" in path else "jit"), call
                elif isinstance(argument, ast.Call):
                    return self._as_function(scanned, argument)
        return None, None, None

    def _add_function(
        self,
        scanned: ScannedFile,
        name: str,
        node: ast.FunctionDef,
        kind: FunctionKind,
        call: ast.Call | None,
    ) -> FunctionRef:
        display = scanned.source.display
        key = (display, name)
        if key not in self._functions:
            if len(self._functions) >= MAX_FUNCTIONS:
                raise _error(
                    scanned,
                    node.lineno,
                    "the kernel uses too many functions",
                    f"at most {MAX_FUNCTIONS}",
                )
            self._files[display] = scanned
            flags = {item.arg: item.value for item in call.keywords} if call else {}
            noinline = flags.get("noinline")
            self._functions[key] = FunctionSource(
                name=name,
                defined=node.name,
                kind=kind,
                line=node.lineno,
                text="".join(scanned.lines[node.lineno - 1 : node.end_lineno]),
                noinline=isinstance(noinline, ast.Constant) and noinline.value is True,
            )
            self._collect(scanned, node, kind)
        return FunctionRef(display, name)

    def _collect(self, scanned: ScannedFile, node: ast.FunctionDef, kind: FunctionKind) -> None:
        used = list(uses(node))
        if kind is FunctionKind.CONSTEXPR:
            check_constexpr_body(scanned, node)
        for use in used:
            try:
                self._use(scanned, use)
            except CompileError:
                if not use.weak:
                    raise

    def _use(self, scanned: ScannedFile, use: Use) -> None:
        value = self._bind(scanned, use.name, use.line)
        # `ops.helper(...)`: the name is a module of ours, the attribute is what is used.
        attributes = list(use.attributes)
        while isinstance(value, ModuleRef) and attributes:
            value = self._bind(self._files[value.unit], attributes.pop(0), use.line)

    # Names

    def _bind(self, scanned: ScannedFile, name: str, line: int) -> Value:
        """The value of a module-level name of a file, collected on the way."""
        key = (scanned.source.display, name)
        if key in self._bound:
            return self._bound[key]
        if key in self._functions:
            value: Value = FunctionRef(*key)
        elif key in self._open:
            raise _error(
                scanned, line, f"`{name}` is defined by itself", "a constant cannot be recursive"
            )
        else:
            self._open.add(key)
            try:
                value = self._resolve(scanned, name, line)
            except RecursionError as error:
                raise _error(scanned, line, f"`{name}` needs too long a chain of names") from error
            finally:
                self._open.discard(key)
        self._files[scanned.source.display] = scanned
        self._bound[key] = value
        return value

    def _resolve(self, scanned: ScannedFile, name: str, line: int) -> Value:
        if name in self._supplied:
            given = self._supplied[name]
            return given if isinstance(given, Dtype | Constexpr) else Constexpr(given)
        first: CompileError | None = None
        for binding in scanned.bindings.get(name, ()):
            try:
                return self._binding(scanned, name, binding)
            except CompileError as error:
                first = first or error
        if first is not None:
            raise first
        for star in scanned.stars:
            try:
                return self._imported(scanned, Import(star.module, name, star.level, star.line))
            except CompileError:
                continue
        hint = f"or supply it: globals = {{{name} = VALUE}}"
        raise _error(scanned, line, f"`{name}` is not defined at module level", hint)

    def _binding(self, scanned: ScannedFile, name: str, binding: Binding) -> Value:
        if isinstance(binding, Import):
            return self._imported(scanned, binding)
        supply = f"supply it in the manifest: globals = {{{name} = VALUE}}"
        if isinstance(binding, ast.ClassDef):
            raise _error(
                scanned, binding.lineno, f"`{name}` is a class, which is not extracted", supply
            )
        node, kind, call = self._as_function(scanned, binding)
        if node is not None:
            if kind == "jit":
                return self._add_function(scanned, name, node, FunctionKind.JIT, call)
            if kind == "constexpr_function":
                return self._add_function(scanned, name, node, FunctionKind.CONSTEXPR, None)
            what = "a Gluon function" if kind else "a plain Python function"
            raise _error(
                scanned,
                node.lineno,
                f"`{name}` is {what}",
                "kernels call @triton.jit or @triton.constexpr_function",
            )
        if isinstance(binding, ast.FunctionDef):
            raise _error(scanned, binding.lineno, f"`{name}` is a plain Python function")
        path = scanned.path(binding)
        if path and path.startswith("triton.language.") and path.rsplit(".", 1)[1] in DTYPES:
            return Dtype(path.rsplit(".", 1)[1])
        if path and path.split(".")[0] in _ALLOWED_ROOTS:
            return TritonRef(path)
        try:
            return self._evaluator(scanned).value(binding)
        except NotLiteralError as error:
            raise _error(scanned, error.line, f"`{name}` is computed: {error}", supply) from error

    def _evaluator(self, scanned: ScannedFile) -> Evaluator:
        def resolve(name: str, attributes: tuple[str, ...], line: int) -> Value:
            if name in BUILTINS:
                raise NotLiteralError(f"`{name}` is not a literal", line)
            value = self._bind(scanned, name, line)
            rest = list(attributes)
            while isinstance(value, ModuleRef) and rest:
                value = self._bind(self._files[value.unit], rest.pop(0), line)
            if rest == ["value"] and isinstance(value, Constexpr):
                return value.value
            if rest or isinstance(value, TritonRef | ModuleRef):
                dotted_name = ".".join((name, *attributes))
                raise NotLiteralError(f"`{dotted_name}` is not a literal", line)
            return value

        return Evaluator(resolve, scanned.qualify)

    def _imported(self, scanned: ScannedFile, item: Import) -> Value:
        if not item.level and item.module.split(".")[0] in _ALLOWED_ROOTS:
            return TritonRef(item.path)
        finder = self._extractor.finder
        source = finder.imported(scanned.source, item.module, item.level)
        if item.name is None:
            if source is None:
                raise self._unknown(scanned, item, item.module.split(".")[0])
            return self._module(source)
        if source is not None:
            other = self._extractor.scan(source)
            if item.name in other.bindings or item.name in self._supplied or other.stars:
                try:
                    return self._bind(other, item.name, item.line)
                except CompileError:
                    if item.name in other.bindings:
                        raise
        inner = f"{item.module}.{item.name}" if item.module else item.name
        submodule = finder.imported(scanned.source, inner, item.level)
        if submodule is None:
            raise self._unknown(scanned, item, item.name)
        return self._module(submodule)

    def _module(self, source: SourceFile) -> ModuleRef:
        scanned = self._extractor.scan(source)
        self._files[source.display] = scanned
        return ModuleRef(source.display)

    @staticmethod
    def _unknown(scanned: ScannedFile, item: Import, name: str) -> CompileError:
        where = "." * item.level + item.module
        return _error(
            scanned,
            item.line,
            f"`{name}` comes from `{where}`, which is not read",
            f"supply it in the manifest: globals = {{{name} = VALUE}}",
        )


def jit_functions(scanned: ScannedFile) -> list[tuple[str, ast.FunctionDef]]:
    """The jit functions that a file defines at module level, in the order of its text."""
    return [
        (name, binding)
        for name, bindings in scanned.bindings.items()
        for binding in bindings
        if isinstance(binding, ast.FunctionDef)
        and decorator_kind(scanned, binding.decorator_list)[0] == "jit"
    ]


def _function_names(scanned: ScannedFile) -> list[str]:
    return [
        name
        for name, items in scanned.bindings.items()
        if any(isinstance(item, ast.FunctionDef) for item in items)
    ]


def _error(scanned: ScannedFile, line: int, message: str, hint: str | None = None) -> CompileError:
    return CompileError(message, artifact=scanned.source.display, place=f"line {line}", hint=hint)


__all__ = ["Extracted", "Extractor", "Literal", "Parameter", "jit_functions"]
