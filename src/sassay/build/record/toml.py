"""Writes the TOML of manifests: what `tomllib` reads, and nothing more."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from sassay.build.values import Dtype, Float, FunctionRef, Literal, TupleValue, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sassay.build.manifest import OptionValue, TypeTree

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_WIDTH = 96


def string(text: str) -> str:
    """A basic string."""
    return json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False).replace(
        "\x7f", "\\u007f"
    )


def key(name: str) -> str:
    """A key, quoted where it must be."""
    return name if _BARE.fullmatch(name) else string(name)


def option(value: OptionValue) -> str:
    """A boolean, number or string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    return str(value) if isinstance(value, int) else string(str(value))


def constant(value: Value) -> str:
    """A constant of a manifest; a function by its name alone."""
    match value:
        case Literal(value=None):
            return "{ none = true }"
        case Literal(value=str(text)):
            # A bare "tl.float16" would be read as the element type.
            is_dtype = text.startswith("tl.")
            return f"{{ text = {string(text)} }}" if is_dtype else string(text)
        case Literal(value=plain):
            return option(plain)
        case Float():
            return _float(float.fromhex(value.hex))
        case Dtype(name=name):
            return string(f"tl.{name}")
        case TupleValue(items=items):
            return f"[{', '.join(constant(item) for item in items)}]"
        case FunctionRef(name=name):
            return f"{{ function = {string(name)} }}"
        case _:
            raise TypeError(f"no constant of a manifest: {value!r}")


def type_tree(tree: TypeTree) -> str:
    """A parameter's type, with constants inside tuples."""
    if isinstance(tree, str):
        return string(tree)
    if isinstance(tree, tuple):
        return f"[{', '.join(type_tree(part) for part in tree)}]"
    return f"{{ constant = {constant(tree)} }}"


def table(name: str, entries: Mapping[str, str]) -> Iterator[str]:
    """The lines of one table: inline where it fits on a line, else a line an entry.

    Args:
        name: Its key.
        entries: Rendered value by key; nothing is written for an empty table.
    """
    if not entries:
        return
    inline = ", ".join(f"{key(each)} = {value}" for each, value in entries.items())
    if len(name) + len(inline) <= _WIDTH:
        yield f"{name} = {{ {inline} }}"
    else:
        yield from (f"{name}.{key(each)} = {value}" for each, value in entries.items())


def _float(number: float) -> str:
    if math.isnan(number):
        return "nan"
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    text = repr(number)
    return text if any(c in text for c in ".e") else f"{text}.0"
