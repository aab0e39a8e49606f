"""Reports: one file per format. Renderers read records; they never compute."""

from __future__ import annotations

from sassay.report.bundle import CodeLine, Listing, Report, ReportOptions
from sassay.report.registry import FORMATS, render
from sassay.report.schema import SCHEMAS, schema

__all__ = [
    "FORMATS",
    "SCHEMAS",
    "CodeLine",
    "Listing",
    "Report",
    "ReportOptions",
    "render",
    "schema",
]
