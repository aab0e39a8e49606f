"""Demangles C++ symbols, in one spelling whatever demangler the machine has.

`__cxa_demangle` of the C++ runtime is fast (280,000 names a second) but missing on some machines
and refuses long names, unless their identifiers are shortened for it. `itanium_demangler` reads
names in Python (2 to 8 ms each) but knows no local names (lambdas). Each covers for the other; both
are brought to one spelling.
"""

from __future__ import annotations

import contextlib
import ctypes
import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING

from sassay.capture.shorten import Shortened

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_SYMBOL = 1 << 16
"""Longer symbols stay as they are."""
MAX_NAME = 1 << 17
"""Longer demangled names are not used: substitutions can make them grow without bound."""
_MAX_SLOW = 1 << 13
"""Longest symbol given to the demangler written in Python."""

_INTERNAL_NAMESPACE = re.compile(r"_GLOBAL__N__\w+|_INTERNAL_[0-9a-f]{8}_\w+")
_TYPED_INTEGER = re.compile(
    r"\((bool|int|unsigned int|long|unsigned long|long long|unsigned long long)\)(n?)(\d+)"
)
_SUFFIXES = {
    "int": "", "unsigned int": "u", "long": "l", "unsigned long": "ul", "long long": "ll",
    "unsigned long long": "ull",
}  # fmt: skip
_NEGATIVE = re.compile(r"(\([\w: ]+\))n(\d+)")
_SPACES = re.compile(r"(?<=\w) (?=\[\d)")


@lru_cache(maxsize=1 << 16)
def demangle(symbol: str) -> str:
    """The demangled name of a symbol, or the symbol itself where it is no C++ name.

    Args:
        symbol: A linker symbol.
    """
    if not symbol.startswith("_Z") or len(symbol) > MAX_SYMBOL or not symbol.isascii():
        return symbol
    native = _native()
    name = native(symbol) if native is not None else None
    if name is None and native is not None:
        name = _shortened(native, symbol)
    if name is None:
        name = _python(symbol)
    return canonical(name) if name is not None and len(name) <= MAX_NAME else symbol


def canonical(name: str) -> str:
    """One spelling for what demanglers spell differently.

    Also hides the parts of a name that change from build to build: internal namespaces.
    """
    # Searches for what is seldom there cost far more than a look whether it can be.
    if "_GLOBAL__N__" in name or "_INTERNAL_" in name:
        name = _INTERNAL_NAMESPACE.sub("(anonymous namespace)", name)
    name = _TYPED_INTEGER.sub(_integer, name)
    if ")n" in name:
        name = _NEGATIVE.sub(r"\1-\2", name)
    while "> >" in name:
        name = name.replace("> >", ">>")
    return _SPACES.sub("", name) if " [" in name else name


def _integer(match: re.Match[str]) -> str:
    kind, negative, digits = match.groups()
    if kind == "bool":
        return {"0": "false", "1": "true"}.get(digits, match.group())
    return f"{'-' if negative else ''}{digits}{_SUFFIXES[kind]}"


@lru_cache(maxsize=1)
def _native() -> Callable[[str], str | None] | None:
    """`__cxa_demangle` of the C++ runtime, None where there is none."""
    if sys.platform == "win32":
        return None
    for name in ("libstdc++.so.6", "libc++abi.so.1", "/usr/lib/libc++abi.dylib"):
        with contextlib.suppress(OSError, AttributeError):
            return _bind(ctypes.CDLL(name), ctypes.CDLL(None))
    return None


def _bind(library: ctypes.CDLL, runtime: ctypes.CDLL) -> Callable[[str], str | None]:
    """A Python function around the runtime's demangler (Itanium C++ ABI, section 3.4)."""
    function = library["__cxa_demangle"]
    free = runtime["free"]
    function.restype = ctypes.c_void_p
    function.argtypes = [
        ctypes.c_char_p,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.POINTER(ctypes.c_int),
    ]
    free.restype = None
    free.argtypes = [ctypes.c_void_p]

    def call(symbol: str) -> str | None:
        status = ctypes.c_int()
        pointer = function(symbol.encode("ascii"), None, None, ctypes.byref(status))
        if not pointer:
            return None
        try:
            return ctypes.string_at(pointer).decode("utf-8", "replace")
        finally:
            free(pointer)

    return call


def _shortened(native: Callable[[str], str | None], symbol: str) -> str | None:
    """What the runtime says of a symbol that is too long for it; None where it says nothing."""
    try:
        short = Shortened(symbol)
    except ValueError:
        return None
    name = native(short.symbol)
    return None if name is None else short.restored(name)


def _python(symbol: str) -> str | None:
    if len(symbol) > _MAX_SLOW:
        return None
    import itanium_demangler  # noqa: PLC0415 - needed for few names only

    try:
        parsed = itanium_demangler.parse(symbol)
        return None if parsed is None else str(parsed)
    except (NotImplementedError, RecursionError, ValueError, AssertionError, LookupError,
            AttributeError, TypeError):  # fmt: skip
        # The library signals names that it does not know in all of these ways.
        return None
