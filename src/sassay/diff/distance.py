"""Distances between many kernels at once: censuses as matrices, L1 over opcodes."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sassay.diff.specialization import specialization_parts
from sassay.model.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sassay.model.kernel import Census, Kernel

Matrix = NDArray[np.int64]

MAX_COLUMNS = 4096
"""Opcodes beyond this share columns, so that a hostile census cannot ask for gigabytes."""

UNKNOWN_DISTANCE = np.int64(2**40)
"""Farther than any two censuses that can be compared."""


def _vectors(censuses: Sequence[Census], columns: dict[str, int], width: int) -> Matrix:
    """One row a census; `columns` maps every key that occurs."""
    lengths = np.fromiter(map(len, censuses), dtype=np.int64, count=len(censuses))
    total = int(lengths.sum())
    keys = chain.from_iterable(censuses)
    ids = np.fromiter(map(columns.__getitem__, keys), dtype=np.int64, count=total)
    values = chain.from_iterable(census.values() for census in censuses)
    counts = np.fromiter(values, dtype=np.int64, count=total)
    rows = np.repeat(np.arange(len(censuses)), lengths)
    matrix = np.zeros((len(censuses), width), dtype=np.int64)
    np.add.at(matrix, (rows, ids), counts)
    return matrix


def _matrices(before: Sequence[Census], after: Sequence[Census]) -> tuple[Matrix, Matrix]:
    names = sorted(set(chain.from_iterable(before)) | set(chain.from_iterable(after)))
    width = min(len(names), MAX_COLUMNS)
    columns = {name: index % MAX_COLUMNS for index, name in enumerate(names)}
    return _vectors(before, columns, width), _vectors(after, columns, width)


def _l1(before: Matrix, after: Matrix) -> Matrix:
    out = np.empty((len(before), len(after)), dtype=np.int64)
    for row, vector in enumerate(before):
        np.abs(after - vector).sum(axis=1, out=out[row])
    return out


def _known(censuses: Iterable[Census | None]) -> NDArray[np.bool_]:
    return np.array([census is not None for census in censuses], dtype=bool)


def census_distance(before: Sequence[Kernel], after: Sequence[Kernel]) -> Matrix:
    """L1 distance of every kernel before to every kernel after.

    SASS counts where both hold it, else PTX; a pair with no common layer is farthest.
    """
    out = np.full((len(before), len(after)), UNKNOWN_DISTANCE, dtype=np.int64)
    for layer in (Layer.PTX, Layer.SASS):
        left = [kernel.instructions.of(layer) for kernel in before]
        right = [kernel.instructions.of(layer) for kernel in after]
        known = np.outer(_known(left), _known(right))
        if not known.any():
            continue
        distances = _l1(*_matrices([c or {} for c in left], [c or {} for c in right]))
        np.copyto(out, distances, where=known)
    return out


def specialization_distance(before: Sequence[Kernel], after: Sequence[Kernel]) -> Matrix:
    """In how many parts two specializations differ, for every pair."""

    def flags(kernels: Sequence[Kernel]) -> list[Census]:
        return [
            {f"{name}={value}": 1 for name, value in specialization_parts(k.specialization)}
            for k in kernels
        ]

    return _l1(*_matrices(flags(before), flags(after)))
