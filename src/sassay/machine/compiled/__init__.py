"""Compiled code for programs of the machine: the same bits, many times as fast.

Needs llvmlite (`pip install 'sassay[fast]'`); without it everything runs in the interpreter.
"""

from __future__ import annotations

from sassay.machine.compiled.backend import Backend, Choice

__all__ = ["Backend", "Choice"]
