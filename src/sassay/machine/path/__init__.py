"""The numeric path of a kernel: rounding points, reduction trees, contractions, in words."""

from __future__ import annotations

from sassay.machine.path.analysis import NumericPaths, numeric_path
from sassay.machine.path.compare import compare_paths
from sassay.machine.path.words import describe_path

__all__ = ["NumericPaths", "compare_paths", "describe_path", "numeric_path"]
