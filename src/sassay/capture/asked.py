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

    def test(symbol: str) -> bool:
        texts = (symbol, demangle(symbol), cxx_family(symbol, known))
        return wanted in texts or any(fnmatchcase(text, wanted) for text in texts)

    return test
