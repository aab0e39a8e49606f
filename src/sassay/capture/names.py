"""Takes a demangled C++ function name apart: qualified name, template arguments, parameters."""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache

import msgspec
import numpy as np

MAX_ARGUMENTS = 512
_MARKS = re.compile(
    r"(?<!\w)operator(?:\(\)|\[\]|->\*?|<=>|<<=?|>>=?|<=?|>=?|[-+*/%^&|~!=,]{1,2}=?|\"\"\s*\w+"
    r"|\s+(?:new|delete)(?:\[\])?)|[][(){}<>, ]"
)
"""What has a part in the structure of a name; operators stand here so that theirs has none."""
_OPENER = {")": "(", ">": "<", "]": "[", "}": "{"}
_MANY = 128
"""Names of so many characters and more are searched for marks by numpy."""
_STEP = np.zeros(128, np.int16)
"""What a character adds to the depth of brackets behind it."""
_STEP[list(b"(<[{")] = 1
_STEP[list(b")>]}")] = -1
_KIND = np.zeros(128, np.uint8)
"""Which mark a character is: equal for the two brackets of a pair, 0 for none."""
for _kind, _characters in enumerate((b"()", b"<>", b"[]", b"{}", b", "), 1):
    _KIND[list(_characters)] = _kind
_BEHIND = re.compile(r"(?:const|volatile|&|&&|noexcept|\[clone [^\]]*\]|\s)+")
"""What may stand behind a parameter list."""
_BUILD_PARTS = re.compile(
    r"\b(?:(?:CUB|THRUST|_V)_\d+_(?:SM_\d+[a-z]?_?(?:\d+_?)*|[\w]*?_NS)::)|\b__\d+::|\b__detail_abi_\w+::"
)

_BUILD_HINTS = ("CUB_", "THRUST_", "_V_", "__")


class FunctionName(msgspec.Struct, frozen=True):
    """The parts of one demangled function name.

    Attributes:
        qualified: With namespaces and enclosing classes, without template arguments, return
            type and parameters.
        template_arguments: Of the last name part that has any.
        parameters: Parameter types.
    """

    qualified: str
    template_arguments: tuple[str, ...]
    parameters: tuple[str, ...]


def parse_name(demangled: str) -> FunctionName:
    """Take a demangled name apart; a name without structure is its own qualified name."""
    name = _Marked(demangled)
    end, parameters = _parameters(name)
    start = _behind_return_type(name, end)
    qualified, arguments = _strip_templates(name, start, end)
    return FunctionName(
        qualified=without_build_parts(qualified),
        template_arguments=tuple(without_build_parts(part) for part in arguments),
        parameters=tuple(without_build_parts(part) for part in parameters),
    )


def without_build_parts(name: str) -> str:
    """Drop inline namespaces that embed versions or architectures of the build."""
    if "_" not in name or not any(hint in name for hint in _BUILD_HINTS):
        return name  # the search takes a hundred times as long as these
    return _BUILD_PARTS.sub("", name)


def type_name(argument: str) -> str:
    """The qualified name of a type that is a template argument, without its own arguments."""
    return _type(argument)[0]


def template_arguments(argument: str) -> tuple[str, ...]:
    """The arguments of a type that is itself a template argument."""
    return _type(argument)[1]


@lru_cache(maxsize=1 << 10)
def _type(argument: str) -> tuple[str, tuple[str, ...]]:
    return _strip_templates(_Marked(argument), 0, len(argument))


class _Marked:
    """A name with the places of its brackets, commas and spaces.

    Attributes:
        text: The name.
        marks: Place, mark, and the depth of brackets around it, in order; deeper than 1 perhaps.
        top: Those of depth 0.
    """

    __slots__ = ("marks", "text", "top")

    def __init__(self, text: str) -> None:
        self.text = text
        self.marks = _marks(text)
        self.top = [item for item in self.marks if item[2] == 0]

    def split(self, start: int, end: int, depth: int) -> tuple[str, ...]:
        """The text from `start` to `end`, split at the commas of one depth."""
        text = self.text
        parts: list[str] = []
        first = bisect_left(self.marks, (start,))
        last = bisect_left(self.marks, (end,))
        for position, mark, around in self.marks[first:last]:
            if around == depth and mark == ",":
                parts.append(text[start:position].strip())
                start = position + 1
                if len(parts) >= MAX_ARGUMENTS:
                    break
        rest = text[start:end].strip()
        return (*parts, rest) if rest else tuple(parts)


def _marks(text: str) -> list[tuple[int, str, int]]:
    """The marks at depth 0 and 1: place, mark, and the depth of brackets around it."""
    if len(text) >= _MANY and text.isascii() and "operator" not in text and "->" not in text:
        nested = _nested_marks(text)
        if nested is not None:
            return nested
    return _any_marks(text)


def _nested_marks(text: str) -> list[tuple[int, str, int]] | None:
    """As `_any_marks` of a name in which every bracket is closed by its like, else None."""
    # Names are short: what counts is how often numpy is called, and by its shortest ways.
    characters = np.frombuffer(text.encode("ascii"), np.uint8)
    kinds = _KIND.take(characters)
    (places,) = kinds.nonzero()
    steps = _STEP.take(characters.take(places))
    depths = steps.cumsum(dtype=np.int16)
    # What is deeper than numbers of 16 bits reach shows as negative, too.
    if not len(depths) or depths[-1] or np.minimum.reduce(depths) < 0:
        return None
    depths -= steps > 0
    (brackets,) = steps.nonzero()
    # At one depth brackets open and close in turn.
    order = depths.take(brackets).argsort(kind="stable")
    paired = kinds.take(places.take(brackets.take(order)))
    if paired[::2].tobytes() != paired[1::2].tobytes():
        return None
    (shallow,) = (depths <= 1).nonzero()
    found, around = places.take(shallow).tolist(), depths.take(shallow).tolist()
    return list(zip(found, map(text.__getitem__, found), around, strict=True))


def _any_marks(text: str) -> list[tuple[int, str, int]]:
    """Brackets, commas and spaces with their place and the depth of brackets around them.

    Inside parentheses that hold an expression, `<` and `>` may be comparisons; a stack lets a
    closing parenthesis close them.
    """
    found: list[tuple[int, str, int]] = []
    stack: list[str] = []
    depth = 0
    for match in _MARKS.finditer(text):
        mark = match.group()
        position = match.start()
        if mark in ", ":
            found.append((position, mark, depth))
        elif mark in "(<[{":
            found.append((position, mark, depth))
            stack.append(mark)
            depth += 1
        elif len(mark) == 1:
            wanted = _OPENER[mark]
            # Behind an open parenthesis a `>` compares; it closes nothing. Nor does that of `->`.
            if mark == ">":
                if depth and stack[-1] == "<" and text[position - 1 : position] != "-":
                    stack.pop()
            elif wanted in stack:
                while stack.pop() != wanted:
                    pass
            depth = len(stack)
            found.append((position, mark, depth))
        # What is longer is an operator: part of a name.
    return found


def _parameters(name: _Marked) -> tuple[int, tuple[str, ...]]:
    """Where the trailing parameter list begins, and what is in it."""
    text = name.text
    groups: list[tuple[int, int]] = []
    start = 0
    for position, mark, _ in name.top:
        if mark == "(":
            start = position
        elif mark == ")":
            groups.append((start, position))
    for start, end in reversed(groups):
        tail = text[end + 1 :].strip()
        if text.startswith("(anonymous namespace)", start) or tail.startswith("::"):
            continue
        if tail and not _BEHIND.fullmatch(tail):
            continue
        if start == 0:
            continue
        return start, name.split(start + 1, end, 1)
    return len(text), ()


def _behind_return_type(name: _Marked, end: int) -> int:
    """The place behind the last space outside brackets: behind return type and qualifiers."""
    cut = 0
    for position, mark, _ in name.top:
        if position >= end:
            break
        if mark == " " and not name.text.startswith("operator", cut, end):
            cut = position + 1
    while cut < end and name.text[cut] in "*&":
        cut += 1
    return cut


def _strip_templates(name: _Marked, first: int, last: int) -> tuple[str, tuple[str, ...]]:
    """A part of a name without any template arguments, and those of its last part with some."""
    kept: list[str] = []
    inner: tuple[int, int] | None = None
    previous_end = first
    start = 0
    for position, mark, _ in name.top:
        if not first <= position < last:
            continue
        if mark == "<":
            kept.append(name.text[previous_end:position])
            start = position + 1
        elif mark == ">" and start:
            inner = (start, position)
            previous_end = position + 1
            start = 0
    if start:  # unbalanced: leave it alone
        return name.text[first:last], ()
    kept.append(name.text[previous_end:last])
    return "".join(kept).strip(), name.split(*inner, 1) if inner else ()
