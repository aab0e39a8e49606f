"""The formats: one line each. A renderer is imported when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from sassay.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.report.bundle import Report

FORMATS: dict[str, str] = {
    "terminal": "sassay.report.terminal",
    "json": "sassay.report.json",
    "markdown": "sassay.report.markdown",
    "html": "sassay.report.html",
    "sarif": "sassay.report.sarif",
    "junit": "sassay.report.junit",
}
"""Format name to the module whose `render(report)` makes it."""


def render(format: str, report: Report) -> str:  # noqa: A002 - the command line's own word
    """One report in one format.

    Args:
        format: A key of `FORMATS`.
        report: The records, and how much of them to show.

    Returns:
        The whole document, ending in a newline; equal records give equal text.

    Raises:
        UsageError: The format is unknown, or does not fit what the report holds.
    """
    module = FORMATS.get(format)
    if module is None:
        raise UsageError(
            f"unknown report format {format!r}", hint=f"one of {', '.join(sorted(FORMATS))}"
        )
    renderer: Callable[[Report], str] = import_module(module).render
    return renderer(report)
