"""Which module-level names a function uses, and what its decorators make of it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sassay.build.evaluate import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sassay.build.scan import ScannedFile

# Python names that Triton's code generator or Python itself knows; not looked up in the file.
BUILTINS = frozenset(
    {
        "abs",
        "all",
        "any",
        "bool",
        "dict",
        "divmod",
        "enumerate",
        "float",
        "getattr",
        "hasattr",
        "int",
        "isinstance",
        "len",
        "list",
        "map",
        "max",
        "min",
        "pow",
        "print",
        "range",
        "repr",
        "reversed",
        "round",
        "set",
        "slice",
        "sorted",
        "str",
        "sum",
        "tuple",
        "type",
        "zip",
        "AssertionError",
        "Exception",
        "NotImplementedError",
        "RuntimeError",
        "TypeError",
        "ValueError",
        "NotImplemented",
        "Ellipsis",
    }
)

_CONSTEXPR_FUNCTION = "constexpr_function"

_OTHER_COMPILERS = frozenset(
    {"torch", "numba", "jax", "cutlass", "cute", "ti", "taichi", "tilelang", "flydsl", "warp"}
)


class Use:
    """A module-level name that a function reads.

    Attributes:
        name: The name.
        attributes: What follows it, `("math", "exp")` for `tl.math.exp`.
        line: Line in the file.
        weak: Only in a default, an annotation, or a name that is also local: no error if unknown.
    """

    def __init__(self, parts: tuple[str, ...], line: int, *, weak: bool) -> None:
        self.name = parts[0]
        self.attributes = parts[1:]
        self.line = line
        self.weak = weak


def uses(function: ast.FunctionDef) -> Iterator[Use]:
    """Names that the function reads and does not bind, in the order of its text."""
    arguments = function.args
    local = {item.arg for item in parameters(function)}
    stored = {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    }
    for statement in function.body:
        yield from _reads(statement, local, stored, weak=False)
    for default in (*arguments.defaults, *arguments.kw_defaults):
        if default is not None:
            yield from _reads(default, frozenset(), frozenset(), weak=True)
    for item in parameters(function):
        if item.annotation is not None:
            yield from _reads(item.annotation, frozenset(), frozenset(), weak=True)


def parameters(function: ast.FunctionDef) -> list[ast.arg]:
    """All parameters in Triton's order."""
    arguments = function.args
    middle = [arguments.vararg] if arguments.vararg else []
    return [*arguments.posonlyargs, *arguments.args, *middle, *arguments.kwonlyargs]


def defaults(function: ast.FunctionDef) -> dict[str, ast.expr]:
    """Default expression by parameter."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    found = {
        item.arg: default
        for item, default in zip(
            positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True
        )
    }
    for item, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            found[item.arg] = default
    return found


def _reads(
    root: ast.AST,
    local: frozenset[str] | set[str],
    stored: frozenset[str] | set[str],
    *,
    weak: bool,
) -> Iterator[Use]:
    stack: list[ast.AST] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name | ast.Attribute):
            parts = dotted(node)
            if parts is not None:
                if (
                    parts[0] not in local
                    and parts[0] not in BUILTINS
                    and isinstance(node.ctx, ast.Load)
                ):
                    yield Use(parts, node.lineno, weak=weak or parts[0] in stored)
                continue
        stack.extend(reversed(list(ast.iter_child_nodes(node))))


def is_jit(path: str) -> bool:
    """Whether a decorator is Triton's `jit` or a wrapper of it.

    A wrapper cannot be told from its import alone; what is called `jit` or `..._jit` and does not
    come from another compiler is taken for one.
    """
    head = path.split(".", maxsplit=1)[0]
    last = path.rsplit(".", 1)[-1].lower()
    return head not in _OTHER_COMPILERS and (last == "jit" or last.endswith("_jit"))


def decorator_kind(
    scanned: ScannedFile, decorators: Sequence[ast.expr]
) -> tuple[str | None, ast.Call | None]:
    """What decorators make of a function: `jit`, `gluon`, `constexpr_function`, or None.

    Returns:
        The kind, and the call of the decorator where it takes arguments.
    """
    for node in reversed(decorators):
        call = node if isinstance(node, ast.Call) else None
        path = scanned.path(call.func if call else node)
        if path is None:
            continue
        if path.rsplit(".", 1)[-1] == "partial" and call and call.args:
            path = scanned.path(call.args[0]) or path
        path = _alias(scanned, path)
        if path.rsplit(".", 1)[-1] == _CONSTEXPR_FUNCTION:
            return _CONSTEXPR_FUNCTION, None
        if is_jit(path):
            return ("gluon" if "gluon" in path else "jit"), call
    return None, None


def _alias(scanned: ScannedFile, path: str) -> str:
    """Follows `tl_jit = triton.jit` and `kernel = functools.partial(triton.jit, ...)`."""
    for binding in scanned.bindings.get(path, ()):
        if isinstance(binding, ast.Call):
            target = scanned.path(binding.func)
            if target and target.rsplit(".", 1)[-1] == "partial" and binding.args:
                return scanned.path(binding.args[0]) or path
        elif isinstance(binding, ast.expr):
            return scanned.path(binding) or path
    return path
