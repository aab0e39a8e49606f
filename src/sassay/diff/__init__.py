"""diff: match, tiers, deltas, comparability, suspects, aligned code."""

from sassay.diff.code_diff import code_diff
from sassay.diff.compare import compare, selected
from sassay.diff.coverage import coverage
from sassay.diff.options import DiffOptions

__all__ = ["DiffOptions", "code_diff", "compare", "coverage", "selected"]
