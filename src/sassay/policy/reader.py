"""Typed access to YAML nodes: every complaint names line, path and the nearest good word."""

from __future__ import annotations

import datetime as dt
import difflib
import math
import re
from enum import StrEnum
from typing import TYPE_CHECKING, NoReturn, TypeVar

from sassay.errors import PolicyError
from sassay.policy import limits
from sassay.policy.yamltree import ListNode, MapNode, Node, ScalarNode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sassay.model.artifact import Scalar

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a person most likely meant, None where none is near."""
    near = difflib.get_close_matches(word[:80], sorted(known), n=1, cutoff=0.6)
    return near[0] if near else None


def join(path: str, key: str | int) -> str:
    """A path one step deeper: `rules`, 0, `match` gives `rules[0].match`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


class Reader:
    """Reads nodes of one file.

    Attributes:
        artifact: The file's name, for errors.
    """

    def __init__(self, artifact: str) -> None:
        self.artifact = artifact

    def refuse(self, message: str, line: int, path: str, hint: str | None = None) -> NoReturn:
        """Raise the error for a place."""
        place = f"line {line}, {path}" if path else f"line {line}"
        raise PolicyError(message, artifact=self.artifact, place=place, hint=hint)

    def mapping(
        self, node: Node, path: str, keys: Mapping[str, str], required: Sequence[str] = ()
    ) -> MapNode:
        """A mapping with known keys only, and all of the required ones."""
        if not isinstance(node, MapNode):
            self.refuse(f"must be a mapping, not {describe(node)}", node.line, path, _some(keys))
        for key in node.entries:
            if key not in keys:
                near = closest(key, keys)
                hint = f"did you mean {near}?" if near else _some(keys)
                self.refuse("unknown key", node.key_lines[key], join(path, key[:60]), hint)
        for key in required:
            if key not in node.entries:
                self.refuse(f"{key} is missing", node.line, path, keys[key])
        return node

    def free_mapping(self, node: Node, path: str) -> MapNode:
        """A mapping whose keys are names of the user's own."""
        if not isinstance(node, MapNode):
            self.refuse(f"must be a mapping, not {describe(node)}", node.line, path)
        return node

    def items(self, node: Node, path: str, *, least: int = 0) -> list[tuple[Node, str]]:
        """A list's items with their paths."""
        if not isinstance(node, ListNode):
            self.refuse(
                f"must be a list, not {describe(node)}",
                node.line,
                path,
                "lines that start with '- '",
            )
        if len(node.items) < least:
            self.refuse("must not be empty", node.line, path)
        return [(item, join(path, index)) for index, item in enumerate(node.items)]

    def one_or_more(self, node: Node, path: str, read: Callable[[Node, str], T]) -> tuple[T, ...]:
        """One value, or a list of them that is not empty."""
        if isinstance(node, ListNode):
            return tuple(read(item, place) for item, place in self.items(node, path, least=1))
        return (read(node, path),)

    def text(self, node: Node, path: str) -> str:
        """Text that is not empty."""
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
            hint = "quote it" if isinstance(node, ScalarNode) and node.value is not None else None
            self.refuse(f"must be text, not {describe(node)}", node.line, path, hint)
        if not node.value.strip():
            self.refuse("must not be empty", node.line, path)
        return node.value.strip()

    def pattern(self, node: Node, path: str) -> str:
        """A glob."""
        text = self.text(node, path)
        if len(text) > limits.MAX_PATTERN:
            self.refuse(f"a pattern longer than {limits.MAX_PATTERN} characters", node.line, path)
        return text

    def number(self, node: Node, path: str) -> int | float:
        """A finite number."""
        value = node.value if isinstance(node, ScalarNode) else None
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not math.isfinite(value)
        ):
            self.refuse(f"must be a number, not {describe(node)}", node.line, path)
        return value

    def natural(self, node: Node, path: str, most: int | None = None) -> int:
        """A whole number, zero or more."""
        value = self.number(node, path)
        if not isinstance(value, int) or value < 0:
            self.refuse("must be a whole number, zero or more", node.line, path)
        if most is not None and value > most:
            self.refuse(f"must be at most {most}", node.line, path)
        return value

    def boolean(self, node: Node, path: str) -> bool:
        """`true` or `false`."""
        value = node.value if isinstance(node, ScalarNode) else None
        if not isinstance(value, bool):
            self.refuse(f"must be true or false, not {describe(node)}", node.line, path)
        return value

    def scalar(self, node: Node, path: str) -> Scalar:
        """Any scalar."""
        if not isinstance(node, ScalarNode):
            self.refuse(f"must be a single value, not {describe(node)}", node.line, path)
        return node.value

    def word(self, node: Node, path: str, words: Sequence[str]) -> str:
        """One of a fixed set of words."""
        value = node.value if isinstance(node, ScalarNode) else None
        if not isinstance(value, str) or value not in words:
            near = closest(value, words) if isinstance(value, str) else None
            hint = f"did you mean {near}?" if near else "one of " + ", ".join(words)
            self.refuse(f"must be one of a few words, not {describe(node)}", node.line, path, hint)
        return value

    def enum(self, node: Node, path: str, kind: type[E]) -> E:
        """A member of an enumeration by its value."""
        return kind(self.word(node, path, [member.value for member in kind]))

    def date(self, node: Node, path: str) -> str:
        """A date as `YYYY-MM-DD`."""
        text = self.text(node, path)
        if not is_date(text):
            self.refuse(f"must be a date, not {text[:40]!r}", node.line, path, "such as 2026-12-31")
        return text


def is_date(text: str) -> bool:
    """Whether a text is a date of the calendar as `YYYY-MM-DD`."""
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return _DATE.fullmatch(text) is not None


def describe(node: Node) -> str:
    """What a node is, in a few words."""
    if isinstance(node, ScalarNode):
        if node.value is None:
            return "nothing"
        if isinstance(node.value, bool):
            return "true" if node.value else "false"
        if isinstance(node.value, str):
            return repr(node.value[:60])
        return f"the number {node.value}"
    return "a list" if isinstance(node, ListNode) else "a mapping"


def _some(keys: Mapping[str, str]) -> str:
    return "known keys: " + ", ".join(keys)
