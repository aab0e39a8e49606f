"""Whether a symbol may be the kernel that a person names."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from sassay.capture.demangle import demangle
from sassay.capture.families import GENERIC_WRAPPERS, cxx_family

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_ID = re.compile(r"[0-9a-f]{4,12}")
_WORD = re.compile(r"[A-Za-z_]\w{5,}", re.ASCII)
_UNSPELLED = (
    "(anonymous namespace) unsigned __int128 _Float16 __float128 decimal32 decimal64 decimal128 "
    "nullptr_t char16_t char32_t volatile restrict decltype operator allocator basic_string "
    "basic_istream basic_ostream basic_iostream char_traits std::string std::ostream std::istream "
    "std::iostream {lambda()#1} {unnamed type#1} {default arg#1} noexcept requires typename sizeof "
    "[clone .part] transaction_safe [abi:cxx11] nontype template_param"
)
"""What demanglers print of what a symbol says by a letter or two (Itanium C++ ABI, section 5.1)."""


def kernel_names(wanted: str, wrappers: Iterable[str] = ()) -> Callable[[str], bool] | None:
    """A test of symbols for a kernel as a person writes it.

    Args:
        wanted: Symbol, demangled name, family, or a glob over these.
        wrappers: Further generic wrappers (`families.unwrap_families`).

    Returns:
        None where it may be an id, which no symbol tells.
    """
    if _ID.fullmatch(wanted):
        return None
    known = frozenset(GENERIC_WRAPPERS) | frozenset(wrappers)
    words = _spelled(wanted)

    def matches(text: str) -> bool:
        return text == wanted or fnmatchcase(text, wanted)

    def test(symbol: str) -> bool:
        if not all(word in symbol for word in words):
            return False
        return matches(symbol) or matches(demangle(symbol)) or matches(cxx_family(symbol, known))

    return test


def _spelled(wanted: str) -> list[str]:
    """Words that a symbol spells if it, its name or its family is wanted.

    To look for a word takes a hundredth of the time that demangling takes.
    """
    if "[" in wanted:
        return []
    return [word for word in _WORD.findall(wanted) if word not in _UNSPELLED]
