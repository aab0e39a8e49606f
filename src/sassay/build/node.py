"""One table of a manifest, with its key path, so that every refusal names its place."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, overload

from sassay.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_MISSING = object()


class Node:
    """A TOML table and where it stands.

    Attributes:
        value: The table.
        path: Dotted key path, empty at the top.
    """

    def __init__(self, value: dict[str, Any], path: str, file: Path, lines: Sequence[str]) -> None:
        self.value = value
        self.path = path
        self._file = file
        self._lines = lines

    def items(self) -> Iterable[tuple[str, Any]]:
        """Keys and raw values, in the order of the file."""
        return self.value.items()

    def child(self, value: dict[str, Any]) -> Node:
        """Another table said to stand at the same place."""
        return Node(value, self.path, self._file, self._lines)

    def error(self, key: str | None, message: str, hint: str | None = None) -> ManifestError:
        """An error at `key` of this table, or at the table itself."""
        path = ".".join(part for part in (self.path, key) if part)
        line = self._line(key)
        place = ", ".join(part for part in (f"line {line}" if line else "", path) if part)
        return ManifestError(message, artifact=str(self._file), place=place or None, hint=hint)

    def only(self, allowed: Sequence[str]) -> None:
        """Refuses keys that are not in `allowed`."""
        for key in self.value:
            if key not in allowed:
                close = difflib.get_close_matches(key, allowed, n=1)
                hint = (
                    f"did you mean {close[0]!r}?"
                    if close
                    else "expected one of " + ", ".join(allowed)
                )
                raise self.error(key, f"unknown key {key!r}", hint)

    @overload
    def text(self, key: str) -> str: ...
    @overload
    def text(self, key: str, *, default: str) -> str: ...
    @overload
    def text(self, key: str, *, default: None) -> str | None: ...
    def text(self, key: str, *, default: object = _MISSING) -> str | None:
        """The string under `key`."""
        value = self.value.get(key, default)
        if value is _MISSING:
            raise self.error(None, f"the key {key!r} is missing")
        if value is default and not isinstance(value, str):
            return None
        if not isinstance(value, str) or not value.isprintable():
            raise self.error(key, f"{key!r} is not a string of printable characters")
        return value

    @overload
    def texts(self, key: str, *, default: tuple[str, ...]) -> tuple[str, ...]: ...
    @overload
    def texts(self, key: str, *, default: None) -> tuple[str, ...] | None: ...
    def texts(self, key: str, *, default: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """The list of strings under `key`; one string stands for a list of one."""
        value = self.value.get(key, _MISSING)
        if value is _MISSING:
            return default
        if isinstance(value, str):
            return (value,)
        if (
            not isinstance(value, list)
            or not value
            or not all(isinstance(item, str) for item in value)
        ):
            raise self.error(key, f"{key!r} is not a list of strings")
        return tuple(value)

    def table(self, key: str) -> Node:
        """The table under `key`, empty where there is none."""
        value = self.value.get(key, {})
        if not isinstance(value, dict):
            raise self.error(key, f"{key!r} is not a table")
        return Node(
            value, ".".join(part for part in (self.path, key) if part), self._file, self._lines
        )

    def tables(self, key: str, *, required: bool = False) -> tuple[Node, ...]:
        """The array of tables under `key`."""
        value = self.value.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.error(key, f"{key!r} is not an array of tables", f"write [[{key}]]")
        if required and not value:
            raise self.error(None, f"the manifest has no [[{key}]]", "one table for each kernel")
        base = f"{self.path}.{key}" if self.path else key
        return tuple(
            Node(item, f"{base}[{number}]", self._file, self._lines)
            for number, item in enumerate(value)
        )

    def _line(self, key: str | None) -> int | None:
        """Line of the key, looked for inside its `[[kernel]]` block; None if it is not found."""
        start, stop = 0, len(self._lines)
        heads = [
            number
            for number, line in enumerate(self._lines)
            if re.match(r"\s*\[\[\s*kernel\s*\]\]", line)
        ]
        found = re.match(r"kernel\[(\d+)\]", self.path)
        if found and int(found.group(1)) < len(heads):
            start = heads[int(found.group(1))]
            stop = next((head for head in heads if head > start), stop)
        if key is None:
            return start + 1 if found else None
        wanted = re.compile(rf"""(?:^|[\s{{,.\["'])["']?{re.escape(key)}["']?\s*(?:[=.\]])""")
        for number in range(start, stop):
            if wanted.search(self._lines[number].split(" #")[0]):
                return number + 1
        return None
