"""Evaluates the literal expressions of a source file without running any of it."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from sassay.build.platform import is_platform_fact, probe, reads_environment
from sassay.build.values import (
    DTYPES,
    Constexpr,
    Dtype,
    Float,
    Literal,
    TupleValue,
    Value,
    from_python,
)

MAX_DEPTH = 100
MAX_TEXT = 100_000
MAX_ITEMS = 10_000
MAX_BITS = 64

Resolve = Callable[[str, tuple[str, ...], int], Value]
"""Value of a name with the attributes that follow it, at a line."""

_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
    ast.Invert: operator.invert,
}
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda item, group: item in group,
    ast.NotIn: lambda item, group: item not in group,
}
_CALLS: Mapping[str, Callable[..., Any]] = {
    "int": int,
    "float": float,
    "bool": bool,
    "abs": abs,
    "min": min,
    "max": max,
    "round": round,
    "math.log2": math.log2,
    "math.log": math.log,
    "math.sqrt": math.sqrt,
    "math.exp": math.exp,
    "math.ceil": math.ceil,
    "math.floor": math.floor,
    "triton.cdiv": lambda x, y: -(-x // y),
    "triton.next_power_of_2": lambda n: 1 << (n - 1).bit_length() if n > 0 else 0,
}
_METHODS: Mapping[str, Callable[[Any], Any]] = {
    "bit_length": int.bit_length,
    "lower": str.lower,
    "upper": str.upper,
    "strip": str.strip,
}
_ATTRIBUTES: Mapping[str, float] = {
    "math.pi": math.pi,
    "math.e": math.e,
    "math.inf": math.inf,
    "math.nan": math.nan,
}


class NotLiteralError(Exception):
    """An expression needs more than literals; the message says what, `line` says where."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def dotted(node: ast.expr) -> tuple[str, ...] | None:
    """`("a", "b", "c")` for the expression `a.b.c`; None for any other."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return (node.id, *reversed(parts))


class Evaluator:
    """Evaluates literals, arithmetic of them, and a short list of pure calls.

    Args:
        resolve: Value of a name; raises `NotLiteralError` for what it does not know.
        qualify: Dotted path of what a name was imported from (`tl` to `triton.language`), or None.
    """

    def __init__(self, resolve: Resolve, qualify: Callable[[str], str | None]) -> None:
        self._resolve = resolve
        self._qualify = qualify

    def value(self, node: ast.expr) -> Value:
        """The value of an expression.

        Raises:
            NotLiteralError: It holds something that is not on the list.
        """
        try:
            return from_python(self._eval(node, 0))
        except (ArithmeticError, TypeError, ValueError) as error:
            raise NotLiteralError(str(error), node.lineno) from error

    def _eval(self, node: ast.expr, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise NotLiteralError("the expression is nested too deeply", node.lineno)
        deeper = depth + 1
        match node:
            case ast.Constant(value=bool() | int() | float() | str() | None as value):
                return value
            case ast.Tuple(elts=items) | ast.List(elts=items) if len(items) <= MAX_ITEMS:
                return tuple(self._eval(item, deeper) for item in items)
            case ast.Name() | ast.Attribute():
                return self._name(node)
            case ast.UnaryOp():
                return _UNARY[type(node.op)](self._eval(node.operand, deeper))
            case ast.BinOp(op=op) if type(op) in _BINARY:
                return self._binary(
                    op, self._eval(node.left, deeper), self._eval(node.right, deeper)
                )
            case ast.BoolOp():
                return self._bool(node, deeper)
            case ast.Compare(ops=[op], comparators=[right]) if type(op) in _COMPARE:
                return _COMPARE[type(op)](self._eval(node.left, deeper), self._eval(right, deeper))
            case ast.IfExp():
                return self._eval(
                    node.body if self._eval(node.test, deeper) else node.orelse, deeper
                )
            case ast.Call():
                return self._call(node, deeper)
            case _:
                raise NotLiteralError(f"`{_excerpt(node)}` is not a literal", node.lineno)

    def _name(self, node: ast.Name | ast.Attribute) -> Any:
        parts = dotted(node)
        if parts is None:
            raise NotLiteralError(f"`{_excerpt(node)}` is not a literal", node.lineno)
        path = self._path(parts)
        if path in _ATTRIBUTES:
            return _ATTRIBUTES[path]
        if is_platform_fact(path):
            return None
        if path.startswith("triton.language.") and path.rsplit(".", 1)[1] in DTYPES:
            return Dtype(path.rsplit(".", 1)[1])
        return _unwrap(self._resolve(parts[0], parts[1:], node.lineno))

    def _path(self, parts: tuple[str, ...]) -> str:
        return ".".join((self._qualify(parts[0]) or parts[0], *parts[1:]))

    @staticmethod
    def _binary(op: ast.operator, left: Any, right: Any) -> Any:
        left, right = _plain(left), _plain(right)
        whole = isinstance(left, int) and isinstance(right, int)
        if isinstance(op, ast.Pow | ast.LShift) and whole and not -MAX_BITS <= right <= MAX_BITS:
            raise ValueError("an integer of more than 64 bits")
        if isinstance(op, ast.Mult | ast.Mod) and not (_number(left) and _number(right)):
            raise TypeError("arithmetic of something that is not a number")
        result = _BINARY[type(op)](left, right)
        if isinstance(result, str | tuple) and len(result) > MAX_TEXT:
            raise ValueError("a value that is too long")
        return result

    def _bool(self, node: ast.BoolOp, depth: int) -> Any:
        result: Any = None
        for item in node.values:
            result = _plain(self._eval(item, depth))
            if bool(result) is isinstance(node.op, ast.Or):
                break
        return result

    def _call(self, node: ast.Call, depth: int) -> Any:
        parts = dotted(node.func)
        path = self._path(parts) if parts else ""
        if node.keywords or any(isinstance(item, ast.Starred) for item in node.args):
            path = ""
        if path and not node.args:
            answer = probe(path)
            if answer is not None:
                return answer
        if reads_environment(path) and 1 <= len(node.args) <= 2:
            return self._eval(node.args[1], depth) if len(node.args) == 2 else None
        if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS and not node.args:
            owner = _plain(self._eval(node.func.value, depth))
            return _METHODS[node.func.attr](owner)
        if path.endswith(".constexpr") and path.startswith("triton.") and len(node.args) == 1:
            return Constexpr(from_python(self._eval(node.args[0], depth)))
        if path not in _CALLS:
            raise NotLiteralError(f"`{_excerpt(node)}` would have to be run", node.lineno)
        return _CALLS[path](*(_plain(self._eval(item, depth)) for item in node.args))


def _number(value: object) -> bool:
    return isinstance(value, bool | int | float)


def _unwrap(value: Value) -> Any:
    match value:
        case Literal():
            return value.value
        case Float():
            return float.fromhex(value.hex)
        case TupleValue():
            return tuple(_unwrap(item) for item in value.items)
        case _:
            return value


def _plain(value: Any) -> Any:
    """What arithmetic sees of a value: a constexpr behaves as what it wraps."""
    return _unwrap(value.value) if isinstance(value, Constexpr) else value


def _excerpt(node: ast.expr) -> str:
    source = ast.unparse(node)
    return source if len(source) <= 60 else source[:57] + "..."
