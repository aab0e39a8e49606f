"""Shortens the identifiers of a mangled name, so that a demangler with a bound on length takes it.

GNU's `__cxa_demangle` refuses symbols of more than 1,024 characters (2 components for each, at most
2,048), which names of CUTLASS kernels exceed by their identifiers. What is parsed here is the part
of the Itanium C++ ABI (section 5.1) that names of kernels are made of: nested names, substitutions,
template arguments, literals. Anything else is refused, never guessed.
"""

from __future__ import annotations

import re
from string import ascii_letters

_QUALIFIERS = "PROK"
_BUILTIN = frozenset("vwbcahstijlmxynofdegz")
_SUBSTITUTION = re.compile(r"S(?:[0-9A-Z]*_|[tabsiod])")
_PARAMETER = re.compile(r"T[0-9A-Z]*_")
_ARRAY = re.compile(r"A\d+_")
_VALUE = re.compile(r"n?\d+E")
_LENGTH = re.compile(r"[1-9]\d{0,4}")
_ANONYMOUS = "_GLOBAL__N"
"""Demanglers know this identifier, and do not print it."""
_PLACEHOLDER = re.compile(r"\b(?:[A-Za-z]|Q\d+Q)\b")


class Shortened:
    """A mangled name with placeholders for its identifiers.

    Args:
        symbol: A mangled name.

    Attributes:
        symbol: The same with shorter identifiers.

    Raises:
        ValueError: It holds what is not parsed here.
    """

    def __init__(self, symbol: str) -> None:
        if not symbol.startswith("_Z"):
            raise ValueError(symbol)
        self._text = symbol
        self._at = 2
        self._out = ["_Z"]
        self._names: dict[str, str] = {}
        try:
            while self._at < len(symbol):
                self._type()
        except (IndexError, RecursionError) as error:
            raise ValueError(symbol) from error
        self.symbol = "".join(self._out)

    def restored(self, demangled: str) -> str:
        """A demangled name with the identifiers in their places again."""
        names = {short: name for name, short in self._names.items()}
        return _PLACEHOLDER.sub(lambda found: names[found[0]], demangled)

    def _copy(self, count: int = 1) -> None:
        self._out.append(self._text[self._at : self._at + count])
        self._at += count

    def _match(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise ValueError(self._text[self._at :])
        self._copy(found.end() - self._at)

    def _type(self) -> None:
        """A type, or the name of a function: both are made of the same parts."""
        while self._text[self._at] in _QUALIFIERS:
            self._copy()
        first = self._text[self._at]
        if first == "N":
            self._copy()
            while self._text[self._at] != "E":
                self._part()
            self._copy()
        elif first in _BUILTIN:
            self._copy()
        elif first == "D":
            if self._text[self._at + 1] not in "pnhi":
                raise ValueError(self._text)
            self._copy(2)
            if self._text[self._at - 1] == "p":
                self._type()
        elif first == "A":
            self._match(_ARRAY)
            self._type()
        else:
            self._part()
            if self._text[self._at : self._at + 1] == "I":
                self._arguments()

    def _part(self) -> None:
        """A part of a nested name."""
        first = self._text[self._at]
        if first == "S":
            self._match(_SUBSTITUTION)
            if self._text[self._at - 1] == "t":  # std:: is followed by a name
                self._identifier()
        elif first == "T":
            self._match(_PARAMETER)
        elif first == "I":
            self._arguments()
        else:
            self._identifier()

    def _identifier(self) -> None:
        found = _LENGTH.match(self._text, self._at)
        if found is None:
            raise ValueError(self._text[self._at :])
        name = self._text[found.end() : found.end() + int(found[0])]
        if len(name) != int(found[0]) or not name.isidentifier():
            raise ValueError(name)
        self._at = found.end() + len(name)
        if not name.startswith(_ANONYMOUS):
            name = self._names.setdefault(name, _placeholder(len(self._names)))
        self._out.append(f"{len(name)}{name}")

    def _arguments(self) -> None:
        """Template arguments or a pack of them."""
        self._copy()
        while (first := self._text[self._at]) != "E":
            if first == "J":
                self._arguments()
            elif first == "L":
                self._copy()
                self._type()
                self._match(_VALUE)
            else:
                self._type()
        self._copy()


def _placeholder(number: int) -> str:
    """No demangler prints one of these of its own accord."""
    return ascii_letters[number] if number < len(ascii_letters) else f"Q{number}Q"
