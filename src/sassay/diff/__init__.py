"""diff: match, tiers, deltas, comparability, suspects, aligned code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lazy import export

if TYPE_CHECKING:
    from sassay.diff.code_diff import code_diff as code_diff
    from sassay.diff.compare import compare as compare
    from sassay.diff.compare import select_and_compare as select_and_compare
    from sassay.diff.compare import selected as selected
    from sassay.diff.coverage import coverage as coverage
    from sassay.diff.options import DiffOptions as DiffOptions

export(
    __name__,
    {
        ".code_diff": "code_diff",
        ".compare": "compare select_and_compare selected",
        ".coverage": "coverage",
        ".options": "DiffOptions",
    },
)
