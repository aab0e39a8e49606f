"""Takes a demangled C++ function name apart: qualified name, template arguments, parameters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ARGUMENTS = 512
_OPENING = "(<[{"
_CLOSING = ")>]}"
_OPERATOR = re.compile(
    r"operator(?:\(\)|\[\]|->\*?|<=>|<<=?|>>=?|<=?|>=?|[-+*/%^&|~!=,]{1,2}=?|\"\"\s*\w+"
    r"|\s+(?:new|delete)(?:\[\])?)"
)
_BUILD_PARTS = re.compile(
    r"\b(?:(?:CUB|THRUST|_V)_\d+_(?:SM_\d+[a-z]?_?(?:\d+_?)*|[\w]*?_NS)::)|\b__\d+::|\b__detail_abi_\w+::"
)


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
    head, parameters = _parameters(demangled)
    head = _without_return_type(head)
    qualified, arguments = _strip_templates(head)
    return FunctionName(
        qualified=without_build_parts(qualified),
        template_arguments=tuple(without_build_parts(part) for part in arguments),
        parameters=tuple(without_build_parts(part) for part in parameters),
    )


def without_build_parts(name: str) -> str:
    """Drop inline namespaces that embed versions or architectures of the build."""
    return _BUILD_PARTS.sub("", name)


def type_name(argument: str) -> str:
    """The qualified name of a type that is a template argument, without its own arguments."""
    return _strip_templates(argument)[0]


def template_arguments(argument: str) -> tuple[str, ...]:
    """The arguments of a type that is itself a template argument."""
    return _strip_templates(argument)[1]


def split_arguments(text: str) -> Iterator[str]:
    """Split at commas outside all brackets."""
    start = 0
    count = 0
    for position, char, depth in _scan(text):
        if char == "," and depth == 0:
            yield text[start:position].strip()
            start = position + 1
            count += 1
            if count >= MAX_ARGUMENTS:
                yield text[start:].strip()
                return
    if text[start:].strip():
        yield text[start:].strip()


def _scan(text: str) -> Iterator[tuple[int, str, int]]:
    """Each character with the depth of brackets around it; operator names count as letters.

    Inside parentheses that hold an expression, `<` and `>` may be comparisons; a stack lets a
    closing parenthesis close them.
    """
    stack: list[str] = []
    position = 0
    while position < len(text):
        char = text[position]
        if char == "o" and (operator := _OPERATOR.match(text, position)):
            boundary = position == 0 or not (
                text[position - 1].isalnum() or text[position - 1] == "_"
            )
            if boundary:
                yield position, "o", len(stack)
                position = operator.end()
                continue
        if char in _OPENING:
            yield position, char, len(stack)
            stack.append(char)
        elif char in _CLOSING and not (char == ">" and text[position - 1 : position] == "-"):
            wanted = _OPENING[_CLOSING.index(char)]
            # Behind an open parenthesis a `>` compares; it closes nothing.
            if char == ">":
                if stack and stack[-1] == wanted:
                    stack.pop()
            elif wanted in stack:
                while stack.pop() != wanted:
                    pass
            yield position, char, len(stack)
        else:
            yield position, char, len(stack)
        position += 1


def _parameters(name: str) -> tuple[str, tuple[str, ...]]:
    """Split off the trailing parameter list, and what follows it."""
    groups: list[tuple[int, int]] = []
    start = 0
    for position, char, depth in _scan(name):
        if depth == 0 and char == "(":
            start = position
        elif depth == 0 and char == ")":
            groups.append((start, position))
    for start, end in reversed(groups):
        tail = name[end + 1 :].strip()
        if name.startswith("(anonymous namespace)", start) or tail.startswith("::"):
            continue
        if tail and not re.fullmatch(
            r"(?:const|volatile|&|&&|noexcept|\[clone [^\]]*\]|\s)+", tail
        ):
            continue
        if start == 0:
            continue
        inner = name[start + 1 : end]
        return name[:start], tuple(split_arguments(inner))
    return name, ()


def _without_return_type(head: str) -> str:
    """Drop what stands before the last space outside brackets: return type and qualifiers."""
    cut = 0
    for position, char, depth in _scan(head):
        if char == " " and depth == 0 and not head.startswith("operator", cut):
            cut = position + 1
    return head[cut:].lstrip("*&")


def _strip_templates(name: str) -> tuple[str, tuple[str, ...]]:
    """The name without any template arguments, and those of its last part that has some."""
    kept: list[str] = []
    arguments = ""
    previous_end = 0
    start = 0
    for position, char, depth in _scan(name):
        if depth == 0 and char == "<":
            kept.append(name[previous_end:position])
            start = position + 1
        elif depth == 0 and char == ">" and start:
            arguments = name[start:position]
            previous_end = position + 1
            start = 0
    if start:  # unbalanced: leave it alone
        return name, ()
    kept.append(name[previous_end:])
    return "".join(kept).strip(), tuple(split_arguments(arguments))
