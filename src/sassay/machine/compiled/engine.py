"""Compiled entries of programs."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from sassay import jit

Entry = Callable[[int, int, int], int]
"""Compiled code: takes the table, the first block, and the one after the last; 0 if all ran."""


def compile_entry(text: str, name: str) -> Entry:
    """Compiles a module and gives its one function that is seen from outside.

    Args:
        text: The module.
        name: Of the function; no other module has one of that name.
    """
    compiler = jit.compiler()
    compiler.compile(text)
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    return kind(compiler.address(name))
