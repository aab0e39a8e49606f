"""What a `@triton.constexpr_function` may hold: Triton runs its body in Python to compile."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sassay.errors import CompileError

if TYPE_CHECKING:
    from sassay.build.scan import ScannedFile

_REFUSED = (
    ast.Import,
    ast.ImportFrom,
    ast.Global,
    ast.Nonlocal,
    ast.ClassDef,
    ast.AsyncFunctionDef,
    ast.Await,
    ast.Lambda,
    ast.Yield,
    ast.YieldFrom,
    ast.With,
    ast.Try,
    ast.Delete,
    ast.While,
    ast.JoinedStr,
    ast.FormattedValue,
)
_REFUSED_NAMES = frozenset({"getattr", "setattr", "hasattr", "type", "map", "print", "repr", "pow"})
_ATTRIBUTES = frozenset(
    {
        "value",
        "append",
        "primitive_bitwidth",
        "bit_length",
        "name",
        "scalar",
        "shape",
        "dtype",
        "is_fp8",
        "is_floating",
        "is_int",
        "itemsize",
        "element_ty",
    }
)


def check_constexpr_body(scanned: ScannedFile, function: ast.FunctionDef) -> None:
    """Refuses a body that is more than arithmetic over its arguments.

    Raises:
        CompileError: It imports, loops without bound, reaches into objects, or calls methods.
    """
    for node in ast.walk(ast.Module(body=function.body, type_ignores=[])):
        problem: str | None = None
        if isinstance(node, _REFUSED):
            problem = f"holds `{type(node).__name__.lower()}`"
        elif isinstance(node, ast.Name) and (node.id in _REFUSED_NAMES or node.id.startswith("__")):
            problem = f"uses `{node.id}`"
        elif isinstance(node, ast.Attribute) and not _plain_attribute(scanned, node):
            problem = f"reads `.{node.attr}`"
        if problem:
            line = getattr(node, "lineno", function.lineno)
            raise CompileError(
                f"`{function.name}` {problem}",
                artifact=scanned.source.display,
                place=f"line {line}",
                hint="a constexpr function is run to compile; only arithmetic is allowed",
            )


def _plain_attribute(scanned: ScannedFile, node: ast.Attribute) -> bool:
    path = scanned.path(node) or ""
    if path.split(".")[0] in {"triton", "math"}:
        return not any(part.startswith("_") for part in path.split("."))
    return node.attr in _ATTRIBUTES
