"""The header of a Triton IR module: parameter names, types, divisibility, source line.

Only the signature of the public function and the location aliases are read, by a bounded scan:
the text comes from a cache that anybody may have written. Layout of the text: MLIR language
reference, "Function-like operations" and "Locations"; Triton's `tt.func`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from sassay.model.artifact import SourceLocation

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_TEXT = 32 << 20
"""Longer IR is not read; the kernel then has no signature."""
MAX_HEADER = 1 << 18
MAX_PARAMETERS = 4096
MAX_ALIAS_STEPS = 16

_FUNCTION = re.compile(r'tt\.func\s+public\s+@(?:"([^"\n]{1,4096})"|([\w.$-]{1,4096}))\s*\(')
_ALIAS = re.compile(r"#loc\d* = loc\(([^\n]{0,8192})\)$", re.MULTILINE)
_FILE = re.compile(r'"((?:[^"\\]|\\.){1,4096})":(\d{1,9}):\d{1,9}')
_REFERENCE = re.compile(r"#(loc\d*)")
_PARAMETER = re.compile(r"%([\w.$-]+)\s*:\s*")
_LOC_NAME = re.compile(r'loc\("([^"\n]{1,1024})"\(')
_DIVISIBILITY = re.compile(r"tt\.divisibility\s*=\s*(\d{1,9})\b")
_CLOSING = re.compile(r"^ {2}\} loc\(([^\n]{1,8192})\)$", re.MULTILINE)
_FLOATS = {
    "f16": "fp16", "f32": "fp32", "f64": "fp64", "f8E4M3FN": "fp8e4nv", "f8E4M3FNUZ": "fp8e4b8",
    "f8E5M2": "fp8e5", "f8E5M2FNUZ": "fp8e5b16", "f8E4M3B11FNUZ": "fp8e4b15",
}  # fmt: skip


class TtirHeader(msgspec.Struct, frozen=True):
    """What the header of a Triton module tells.

    Attributes:
        name: The public function's name.
        signature: Parameter name to type as Triton spells it (`*bf16`, `i32`, `fp32`).
        divisibility: Parameter name to known divisor.
        location: Where the function is defined, None where the text does not say.
    """

    name: str
    signature: dict[str, str]
    divisibility: dict[str, int]
    location: SourceLocation | None


def read_header(text: str) -> TtirHeader | None:
    """Read the public function's header.

    Args:
        text: A `.source`, `.ttir` or `.ttgir` module.

    Returns:
        None where the text holds no public Triton function that can be read.
    """
    if len(text) > MAX_TEXT:
        return None
    match = _FUNCTION.search(text)
    if match is None:
        return None
    end = _closing_parenthesis(text, match.end(), min(len(text), match.end() + MAX_HEADER))
    if end is None:
        return None
    signature: dict[str, str] = {}
    divisibility: dict[str, int] = {}
    for part in _split(text[match.end() : end]):
        if len(signature) >= MAX_PARAMETERS:
            return None
        parameter = _PARAMETER.match(part.strip())
        if parameter is None:
            continue
        rest = part.strip()[parameter.end() :]
        named = _LOC_NAME.search(rest)
        name = named.group(1) if named else parameter.group(1)
        signature[name] = _type(rest)
        if divisor := _DIVISIBILITY.search(rest):
            divisibility[name] = int(divisor.group(1))
    return TtirHeader(
        name=match.group(1) or match.group(2),
        signature=signature,
        divisibility=divisibility,
        location=_location(text, end),
    )


def _closing_parenthesis(text: str, start: int, limit: int) -> int | None:
    depth = 1
    quoted = False
    position = start
    while position < limit:
        char = text[position]
        if quoted:
            if char == "\\":
                position += 1
            quoted = char != '"'
        elif char == '"':
            quoted = True
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    return None


def _split(text: str) -> Iterator[str]:
    """Split at commas outside brackets and quotes."""
    depth = 0
    quoted = False
    start = 0
    for position, char in enumerate(text):
        if char == '"' and (position == 0 or text[position - 1] != "\\"):
            quoted = not quoted
        elif quoted:
            continue
        elif char in "(<[{":
            depth += 1
        elif char in ")]}" or (char == ">" and text[position - 1] != "-"):
            depth -= 1
        elif char == "," and depth == 0:
            yield text[start:position]
            start = position + 1
    if text[start:].strip():
        yield text[start:]


def _type(rest: str) -> str:
    """The type at the start of a parameter's text, before attributes and location."""
    depth = 0
    end = len(rest)
    for position, char in enumerate(rest):
        if char in "(<[":
            depth += 1
        elif char in ")]" or (char == ">" and rest[position - 1] != "-"):
            depth -= 1
        elif depth == 0 and (char == "{" or rest.startswith(" loc(", position)):
            end = position
            break
    spelled = rest[:end].strip()
    if spelled.startswith("!tt.ptr<") and spelled.endswith(">"):
        pointee = _split(spelled[len("!tt.ptr<") : -1])
        first = next(pointee, "").strip()
        return f"*{_FLOATS.get(first, first)}"
    return _FLOATS.get(spelled, spelled.removeprefix("!tt."))


def _location(text: str, header_end: int) -> SourceLocation | None:
    closing = _CLOSING.search(text, header_end)
    if closing is None:
        return None
    spelled = closing.group(1)
    for _ in range(MAX_ALIAS_STEPS):
        if found := _FILE.search(spelled):
            return SourceLocation(file=found.group(1), line=int(found.group(2)))
        reference = _REFERENCE.search(spelled)
        if reference is None:
            return None
        spelled = _alias(text, reference.group(1))
    return None


def _alias(text: str, name: str) -> str:
    """What a location alias stands for, empty where it is not defined."""
    # Found as MLIR prints it: matching every alias of a module took most of reading its header.
    spelled = f"#{name} = loc("
    start = 0 if text.startswith(spelled) else text.find(f"\n{spelled}") + 1
    found = _ALIAS.match(text, start)
    return found.group(1) if found and text.startswith(spelled, start) else ""


_MODULE_NUMBER = re.compile(r'"?ttg?[a-z_]*\.(num-warps|num-ctas|shared)"?\s*=\s*(\d{1,9})')


def module_options(text: str) -> dict[str, int]:
    """Options that the attributes of a `.ttgir` module name: `num_warps`, `num_ctas`, `shared`."""
    start = text.find("module attributes")
    if start < 0 or len(text) > MAX_TEXT:
        return {}
    line = text[start : text.find("\n", start)][:MAX_HEADER]
    return {key.replace("-", "_"): int(value) for key, value in _MODULE_NUMBER.findall(line)}
