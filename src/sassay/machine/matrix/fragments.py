"""Fragments: which element of a matrix lies where in the registers of a warp.

Every fragment of `mma.sync` and of `wgmma` is made of tiles of 8 rows, a row for every four lanes,
of 4 registers' worth of elements: lane `l` holds row `l / 4` and the elements that fill register
`l mod 4` of it. A fragment of A has two tiles of rows (one in `m8n8k4`), one tile of columns after
the other; one of B has a tile of columns for each register; one of C has tiles of eight columns, of
which a lane holds two neighbours. Source: PTX ISA, "Matrix Fragments for mma.m16n8k16" and its
siblings, "Register Fragments and Shared Memory Matrix Layouts" of `wgmma`.

Warps come last in every array here, so that numpy runs along them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.machine.types import Array

_ROWS, _QUADS = 8, 4


def _stack(registers: Sequence[Array], bits: int) -> Array:
    """Registers, each (warps, 32), as (registers, warps, rows, quads, elements)."""
    joined = np.stack(registers)
    words = joined.view(f"u{bits // 8}") if joined.dtype.itemsize * 8 != bits else joined
    return words.reshape(len(registers), joined.shape[1], _ROWS, _QUADS, -1)


def first_factor(registers: Sequence[Array], bits: int, rows: int) -> Array:
    """A of `mma`: words as (k, rows, warps).

    Args:
        registers: Of all lanes, each (warps, 32).
        bits: Of an element.
        rows: 16 or 8.
    """
    words = _stack(registers, bits)
    high = rows // _ROWS
    split = words.reshape(len(registers) // high, high, *words.shape[1:])
    # (columns, row tiles, warps, rows, quads, elements)
    moved = split.transpose(0, 4, 5, 1, 3, 2)
    return np.ascontiguousarray(moved).reshape(-1, rows, words.shape[1])


def second_factor(registers: Sequence[Array], bits: int) -> Array:
    """B of `mma`: words as (k, columns, warps)."""
    words = _stack(registers, bits)
    moved = words.transpose(0, 3, 4, 2, 1)
    return np.ascontiguousarray(moved).reshape(-1, _ROWS, words.shape[1])


def addend(registers: Sequence[Array], bits: int, rows: int) -> Array:
    """C or D: words as (rows, columns, warps)."""
    words = _elements(registers, bits, rows)
    # (column tiles, row tiles, warps, rows, quads, pair)
    moved = words.transpose(1, 3, 0, 4, 5, 2)
    return np.ascontiguousarray(moved).reshape(rows, -1, words.shape[2])


def _elements(registers: Sequence[Array], bits: int, rows: int) -> Array:
    joined = np.stack(registers)
    warps = joined.shape[1]
    if joined.dtype.itemsize * 8 == bits:
        # A register holds one element: the pair lies in two.
        return joined.reshape(-1, rows // _ROWS, 2, warps, _ROWS, _QUADS).transpose(
            0, 1, 3, 4, 5, 2
        )
    words = joined.view(f"u{bits // 8}")
    return words.reshape(-1, rows // _ROWS, warps, _ROWS, _QUADS, 2)


def addend_registers(matrix: Array, bits: int) -> list[Array]:
    """The reverse of `addend`.

    Args:
        matrix: Words as (rows, columns, warps).
        bits: Of an element; two of 16 bits share a register.

    Returns:
        Registers, each (warps, 32).
    """
    rows, columns, warps = matrix.shape
    split = matrix.reshape(rows // _ROWS, _ROWS, columns // _ROWS, _QUADS, 2, warps)
    if bits >= 32:
        moved = split.transpose(2, 0, 4, 5, 1, 3)
        return list(np.ascontiguousarray(moved).reshape(-1, warps, _ROWS * _QUADS))
    moved = split.transpose(2, 0, 5, 1, 3, 4)
    words = np.ascontiguousarray(moved).view(np.uint32)
    return list(words.reshape(-1, warps, _ROWS * _QUADS))
