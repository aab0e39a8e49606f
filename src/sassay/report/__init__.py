"""Reports: one file per format. Renderers read records; they never compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lazy import export

if TYPE_CHECKING:
    from sassay.report.bundle import CodeLine as CodeLine
    from sassay.report.bundle import Listing as Listing
    from sassay.report.bundle import Report as Report
    from sassay.report.bundle import ReportOptions as ReportOptions
    from sassay.report.registry import FORMATS as FORMATS
    from sassay.report.registry import render as render
    from sassay.report.schema import SCHEMAS as SCHEMAS
    from sassay.report.schema import schema as schema

export(
    __name__,
    {
        ".bundle": "CodeLine Listing Report ReportOptions",
        ".registry": "FORMATS render",
        ".schema": "SCHEMAS schema",
    },
)
