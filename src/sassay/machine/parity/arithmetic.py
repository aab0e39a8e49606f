"""Whole-number expressions of contract files: `M * H`, `ceil(H / 128)`, `row + 1`."""

from __future__ import annotations

import ast
import contextlib
from typing import TYPE_CHECKING

from sassay.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_TEXT = 200
MAX_VALUE = 1 << 62


def names_in(text: str | int) -> frozenset[str]:
    """Names that an expression uses.

    Raises:
        UsageError: It is no such expression.
    """
    if isinstance(text, int):
        return frozenset()
    tree = _parse(text)
    nodes = list(ast.walk(tree))
    called = {id(each.func) for each in nodes if isinstance(each, ast.Call)}
    names = frozenset(
        each.id for each in nodes if isinstance(each, ast.Name) and id(each) not in called
    )
    # Whatever names stand for, the form is allowed or not.
    with contextlib.suppress(ZeroDivisionError):
        _value(tree.body, dict.fromkeys(names, 1))
    return names


def value_of(text: str | int, names: Mapping[str, int]) -> int:
    """The value of an expression.

    Args:
        text: The expression, or a number.
        names: What its names stand for.

    Raises:
        UsageError: It is no such expression, a name is unknown, or it divides by zero.
    """
    if isinstance(text, int):
        return text
    try:
        found = _value(_parse(text).body, names)
    except ZeroDivisionError:
        raise UsageError(f"{text!r} divides by zero") from None
    except RecursionError:
        raise UsageError(f"{text!r} nests too deeply") from None
    return found


def _parse(text: str) -> ast.Expression:
    if len(text) > MAX_TEXT:
        raise UsageError(f"an expression of {len(text)} characters", hint=f"at most {MAX_TEXT}")
    try:
        return ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError):
        raise UsageError(f"{text!r} is no expression", hint="such as ceil(H / 128)") from None


def _ceil(*values: int) -> int:
    above, below = values
    return -(-above // below)


_FUNCTIONS: dict[str, tuple[int, Callable[..., int]]] = {
    "cdiv": (2, _ceil),
    "min": (2, min),
    "max": (2, max),
}
_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
}


def _value(node: ast.expr, names: Mapping[str, int]) -> int:
    match node:
        case ast.Constant(value=int(number)) if not isinstance(number, bool):
            found = number
        case ast.Name(id=name) if name in names:
            found = names[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            found = -_value(operand, names)
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
            found = _OPERATORS[type(operator)](_value(left, names), _value(right, names))
        case ast.Call(func=ast.Name(id="ceil"), args=[ast.BinOp(op=ast.Div()) as ratio]):
            found = _ceil(_value(ratio.left, names), _value(ratio.right, names))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if (
            name in _FUNCTIONS and len(arguments) == _FUNCTIONS[name][0]
        ):
            found = _FUNCTIONS[name][1](*(_value(each, names) for each in arguments))
        case ast.Name(id=name):
            known = ", ".join(sorted(names)) or "none"
            raise UsageError(f"unknown name {name!r}", hint=f"known: {known}")
        case _:
            raise UsageError(
                f"{ast.unparse(node)!r} is not allowed here",
                hint="whole numbers, names, + - * // %, ceil(a / b), cdiv, min, max",
            )
    if abs(found) > MAX_VALUE:
        raise UsageError("a number beyond 62 bits")
    return found
