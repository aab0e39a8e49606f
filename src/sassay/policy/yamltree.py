"""YAML as a tree of nodes with line numbers: bounded, without tags, nothing constructed.

Only the event stream of the YAML library is used. Values follow the core schema of YAML 1.2.2
(chapter 10.3), so that `no` stays text and dates stay text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from sassay.errors import PolicyError
from sassay.policy import limits

if TYPE_CHECKING:
    from collections.abc import Iterator

_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_STANDARD_TAG = "tag:yaml.org,2002:"


@dataclass
class Node:
    """Any node; `line` counts from 1, `size` is the number of nodes in it, aliases spelled out."""

    line: int
    size: int = 1


@dataclass
class ScalarNode(Node):
    """A scalar."""

    value: str | int | float | bool | None = None


@dataclass
class ListNode(Node):
    """A sequence."""

    items: list[Node] = field(default_factory=list)


@dataclass
class MapNode(Node):
    """A mapping with text keys; `key_lines` has the line of each key."""

    entries: dict[str, Node] = field(default_factory=dict)
    key_lines: dict[str, int] = field(default_factory=dict)
    pending: tuple[str, int] | None = None


def read_tree(text: str, *, artifact: str) -> Node:
    """The one document of a YAML text.

    Args:
        text: YAML.
        artifact: Name of the file, for errors.

    Raises:
        PolicyError: Not YAML, more than one document, duplicate keys, keys that are no text,
            tags, or more nodes or depth than `limits` allows.
    """
    builder = _Builder(artifact)
    try:
        for event in _events(text):
            builder.take(event)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = " ".join(str(error.problem or error.context or error).split())
        raise PolicyError(
            f"not valid YAML: {_readable(problem)}", artifact=artifact, place=f"line {line}"
        ) from None
    except (YAMLError, ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())[:200] or "cannot be parsed"
        raise PolicyError(f"not valid YAML: {problem}", artifact=artifact) from None
    if builder.root is None:
        raise PolicyError(
            "the file is empty", artifact=artifact, hint="a policy has version and rules"
        )
    return builder.root


def _events(text: str) -> Iterator[Event]:
    parser = YAML(typ="safe", pure=True)
    yield from parser.parse(text)


def _readable(problem: str) -> str:
    if r"'\t'" in problem or "tab" in problem.lower():
        return "a tab where YAML wants spaces"
    return problem


class _Builder:
    """Puts nodes together from events, with a stack instead of recursion."""

    def __init__(self, artifact: str) -> None:
        self.artifact = artifact
        self.root: Node | None = None
        self.stack: list[tuple[ListNode | MapNode, str | None]] = []
        self.anchors: dict[str, Node] = {}
        self.documents = 0
        self.nodes = 0

    def take(self, event: Event) -> None:
        """Consume one event."""
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self._refuse("a second document", line, "a policy file holds one document")
        elif isinstance(event, AliasEvent):
            self._alias(event.anchor, line)
        elif isinstance(event, ScalarEvent):
            self._check_tag(event.tag, line, ("str", "int", "float", "bool", "null"))
            self._place(ScalarNode(line, value=self._scalar(event, line)), event.anchor)
        elif isinstance(event, (MappingStartEvent, SequenceStartEvent)):
            is_map = isinstance(event, MappingStartEvent)
            self._check_tag(event.tag, line, ("map",) if is_map else ("seq",))
            if len(self.stack) >= limits.MAX_DEPTH:
                self._refuse(f"nested deeper than {limits.MAX_DEPTH} levels", line)
            self.stack.append((MapNode(line) if is_map else ListNode(line), event.anchor))
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            node, anchor = self.stack.pop()
            self._place(node, anchor)

    def _check_tag(self, tag: str | None, line: int, allowed: tuple[str, ...]) -> None:
        if tag is None or tag == "!":
            return
        name = str(tag).removeprefix(_STANDARD_TAG)
        if name not in allowed:
            self._refuse(
                f"the tag {str(tag)[:60]!r} is not allowed", line, "policies hold plain data"
            )

    def _scalar(self, event: ScalarEvent, line: int) -> str | int | float | bool | None:
        text = str(event.value)
        if not event.implicit[0] or (event.tag or "").endswith(":str"):
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INT.fullmatch(text):
            if len(text) > 18:
                self._refuse(f"the number {text[:20]}... is too large", line)
            return int(text)
        return float(text) if _FLOAT.fullmatch(text) else text

    def _alias(self, anchor: str, line: int) -> None:
        node = self.anchors.get(anchor)
        if node is None:
            self._refuse(f"the alias *{anchor} has no anchor before it", line)
            return
        # An alias inside its own anchor finds no finished node above, so there are no cycles.
        self._place(node, None, again=True)

    def _place(self, node: Node, anchor: str | None, *, again: bool = False) -> None:
        self.nodes += node.size if again else 1
        if self.nodes > limits.MAX_NODES:
            self._refuse(
                f"more than {limits.MAX_NODES} nodes", node.line, "aliases count once for each use"
            )
        if anchor:
            self.anchors[anchor] = node
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1][0]
        parent.size += node.size
        if isinstance(parent, ListNode):
            parent.items.append(node)
        elif parent.pending is None:
            if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
                self._refuse("a key must be text", node.line, "quote it")
                return
            if node.value in parent.entries:
                first = parent.key_lines[node.value]
                self._refuse(
                    f"the key {node.value!r} stands twice", node.line, f"first on line {first}"
                )
            parent.pending = (node.value, node.line)
        else:
            key, key_line = parent.pending
            parent.entries[key], parent.key_lines[key] = node, key_line
            parent.pending = None

    def _refuse(self, message: str, line: int, hint: str | None = None) -> None:
        raise PolicyError(message, artifact=self.artifact, place=f"line {line}", hint=hint)
