"""HTML of parity contracts and of probes: one file without scripts, in the style of all reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from sassay.report import html
from sassay.report.numbers import count, plural
from sassay.report.parity_words import (
    bound_note,
    interval_text,
    labels_text,
    largest_text,
    race_lines,
    rate_text,
    states_text,
)

if TYPE_CHECKING:
    from sassay.model.parity import ContractResult, ParityReport, ProbeReport

MAX_CASES = 200
"""Cases of a contract that are listed."""

_ORDER = ("broken", "unknown", "holds")
_TAGS = {"broken": "fail", "unknown": "unknown", "holds": "pass"}
_TAGS |= {"exact": "pass", "modelled": "", "approximate": "review"}


def parity_page(report: ParityReport) -> str:
    """The report of a contract file as one HTML document.

    Args:
        report: What was found.
    """
    contracts = sorted(report.contracts, key=lambda each: _ORDER.index(each.outcome))
    numbers = {
        word: sum(each.outcome == word for each in contracts)
        for word in _ORDER
        if any(each.outcome == word for each in contracts)
    }
    return _page(
        "parity.html.j2",
        command="parity",
        heading=report.file,
        verdict=report.verdict.value,
        note=", ".join(
            f"{number} {'hold' if word == 'holds' and number > 1 else word}"
            for word, number in numbers.items()
        ),
        contracts=contracts,
        most=MAX_CASES,
        size=_size,
        labels_text=labels_text,
        race_lines=race_lines,
    )


def probe_page(report: ProbeReport) -> str:
    """The report of a probe as one HTML document.

    Args:
        report: What was found.
    """
    return _page(
        "probe.html.j2",
        command="probe",
        heading=report.name,
        verdict=report.verdict.value,
        note="; ".join(report.broken) or bound_note(report),
        report=report,
        rate=rate_text,
        interval=interval_text,
        largest=largest_text,
        states_text=states_text,
        race_lines=race_lines,
    )


def _size(contract: ContractResult) -> str:
    elements = sum(each.compared for each in contract.cases)
    return f"{plural(len(contract.cases), 'case')}, {plural(elements, 'element')}"


def _page(template: str, **values: object) -> str:
    style, _ = html.assets()
    page = (
        html.environment()
        .get_template(template)
        .render(
            style=Markup(style),  # noqa: S704 - a file of sassay's own; nothing of a report is in it
            policy=f"default-src 'none'; style-src {html.digest(style)}; base-uri 'none'; "
            "form-action 'none'",
            tags=_TAGS,
            count=count,
            **values,
        )
    )
    return page.rstrip("\n") + "\n"
