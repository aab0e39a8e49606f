"""One table of a TOML file and where it stands: a refusal names line, path and likely word."""

from __future__ import annotations

import difflib
import re
import tomllib
from typing import TYPE_CHECKING, Any, NoReturn

from sassay.errors import ContractError, InputError, LimitError
from sassay.machine.parity import arithmetic, limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_HEAD = re.compile(r"\s*\[\[?\s*([\w.\"-]+)\s*\]\]?")


def read_toml(path: Path, what: str) -> Node:
    """The top table of a file.

    Args:
        path: The file.
        what: What it is, for errors, such as `a contract file`.

    Raises:
        InputError: It cannot be read.
        LimitError: It is too large.
        ContractError: It is not TOML.
    """
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise InputError(f"is not {what}", artifact=str(path), hint="a TOML file")
        if size > limits.MAX_FILE_BYTES:
            raise LimitError(
                f"{what} of {size} bytes",
                artifact=str(path),
                hint=f"at most {limits.MAX_FILE_BYTES}",
            )
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", artifact=str(path)) from error
    except UnicodeDecodeError as error:
        raise ContractError(
            "not UTF-8 text", artifact=str(path), place=f"offset {error.start}"
        ) from error
    return parse_toml(text, str(path))


def parse_toml(text: str, artifact: str) -> Node:
    """The top table of a text.

    Raises:
        ContractError: It is not TOML.
    """
    try:
        return Node(tomllib.loads(text), "", artifact, text.splitlines())
    except tomllib.TOMLDecodeError as error:
        raise ContractError(f"not TOML: {error}", artifact=artifact) from error
    except RecursionError as error:
        raise ContractError("nested too deeply", artifact=artifact) from error


class Node:
    """A table.

    Attributes:
        value: The table.
        path: Dotted key path, empty at the top; arrays by number from 0.
    """

    def __init__(
        self, value: Mapping[str, Any], path: str, artifact: str, lines: Sequence[str]
    ) -> None:
        self.value = value
        self.path = path
        self._artifact = artifact
        self._lines = lines

    def __contains__(self, key: str) -> bool:
        return key in self.value

    def refuse(self, key: str | None, message: str, hint: str | None = None) -> NoReturn:
        """Raises the error that a key of this table, or the table, is.

        Raises:
            ContractError: Always.
        """
        path = ".".join(part for part in (self.path, key) if part)
        line = self._line(path)
        place = ", ".join(part for part in (f"line {line}" if line else "", path) if part)
        raise ContractError(message, artifact=self._artifact, place=place or None, hint=hint)

    def only(self, allowed: Sequence[str]) -> None:
        """Refuses keys that are not in `allowed`."""
        for key in self.value:
            if key not in allowed:
                self.refuse(key, f"unknown key {key!r}", suggestion(key, allowed))

    def text(self, key: str, default: str | None = None) -> str:
        """The string under `key`; missing without a default is refused."""
        found = self.value.get(key, default)
        if found is None:
            self.refuse(None, f"the key {key!r} is missing")
        if not isinstance(found, str) or not found.isprintable() or not found:
            self.refuse(key, f"{key!r} has to be a text")
        return found

    def optional(self, key: str) -> str | None:
        """The string under `key`, None where there is none."""
        return self.text(key) if key in self.value else None

    def word(self, key: str, words: Sequence[str], default: str | None = None) -> str:
        """One of a few words."""
        found = self.text(key, default)
        if found not in words:
            self.refuse(key, f"unknown {key} {found!r}", suggestion(found, words))
        return found

    def flag(self, key: str, *, default: bool) -> bool:
        """A boolean."""
        found = self.value.get(key, default)
        if not isinstance(found, bool):
            self.refuse(key, f"{key!r} has to be true or false")
        return found

    def number(self, key: str) -> float | None:
        """A number that is not negative, None where there is none."""
        found = self.value.get(key)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, int | float) or not found >= 0:
            self.refuse(key, f"{key!r} has to be a number from 0")
        return float(found)

    def count(self, key: str, default: int, most: int) -> int:
        """A whole number from 1."""
        found = self.value.get(key, default)
        if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found <= most:
            self.refuse(key, f"{key!r} has to be a whole number", f"1 to {most}")
        return found

    def many(self, key: str) -> tuple[Any, ...]:
        """A list; a single value stands for a list of one."""
        found = self.value.get(key, ())
        if not isinstance(found, list | tuple):
            return (found,)
        if key in self.value and not found:
            self.refuse(key, f"{key!r} must not be empty")
        return tuple(found)

    def expressions(self, key: str) -> tuple[int | str, ...]:
        """A list of whole-number expressions."""
        return tuple(self.expression(key, each) for each in self.many(key))

    def expression(self, key: str, value: object) -> int | str:
        """One whole-number expression."""
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if not isinstance(value, str):
            self.refuse(key, f"{value!r} is no whole-number expression", "such as ceil(H / 128)")
        try:
            arithmetic.names_in(value)
        except Exception as error:  # noqa: BLE001 - said again with its place
            self.refuse(key, str(error))
        return value

    def table(self, key: str) -> Node:
        """The table under `key`, empty where there is none."""
        found = self.value.get(key, {})
        if not isinstance(found, dict):
            self.refuse(key, f"{key!r} has to be a table")
        return self._below(found, key)

    def tables(self, key: str) -> tuple[Node, ...]:
        """The array of tables under `key`."""
        found = self.value.get(key, [])
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            self.refuse(key, f"{key!r} has to be an array of tables", f"write [[{key}]]")
        return tuple(self._below(each, f"{key}[{at}]") for at, each in enumerate(found))

    def items(self) -> Iterator[tuple[str, Any]]:
        """Keys and raw values, in the order of the file."""
        yield from self.value.items()

    def _below(self, value: Mapping[str, Any], key: str) -> Node:
        path = f"{self.path}.{key}" if self.path else key
        return Node(value, path, self._artifact, self._lines)

    def _line(self, path: str) -> int | None:
        """Line of a key: inside its array element, then the deepest part that is found."""
        start, stop = 0, len(self._lines)
        parts: list[str] = []
        for part in path.split("."):
            name, _, number = part.partition("[")
            parts.append(name)
            if number:
                start, stop = self._element(".".join(parts), int(number[:-1]), start, stop)
        found = start + 1 if start else None
        for name in parts:
            wanted = re.compile(rf"""(?:^|[\s{{,.\["'])["']?{re.escape(name)}["']?\s*(?:[=.\]])""")
            for at in range(start, stop):
                if wanted.search(self._lines[at].split(" #")[0]):
                    start, found = at, at + 1
                    break
        return found

    def _element(self, name: str, number: int, start: int, stop: int) -> tuple[int, int]:
        heads = [
            at
            for at in range(start, stop)
            if (match := _HEAD.match(self._lines[at])) is not None
            and self._lines[at].lstrip().startswith("[[")
            and match[1] == name
        ]
        if number >= len(heads):
            return start, stop
        return heads[number], heads[number + 1] if number + 1 < len(heads) else stop


def suggestion(word: str, known: Sequence[str]) -> str:
    """The likely spelling, or all that there are."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"one of {', '.join(known)}"
