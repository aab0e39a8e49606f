"""Markdown of a probe: what moved, how often choices part, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.report.markdown.spelling import named, prose
from sassay.report.names import markdown_code
from sassay.report.numbers import count
from sassay.report.parity_words import (
    interval_text,
    labels_text,
    largest_text,
    race_lines,
    rate_text,
    states_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.model.parity import ProbeReport, StatesMoved

_VALUES = 12


def probe_markdown(report: ProbeReport) -> str:
    """The report of a probe.

    Args:
        report: What was found.
    """
    return "\n".join(_lines(report)) + "\n"


def _lines(report: ProbeReport) -> Iterator[str]:
    rows = report.kinds[-1].rows if report.kinds else 0
    yield f"### sassay probe: {prose(report.name)}, **{report.verdict.value}**"
    yield ""
    sides = f"left {markdown_code(report.left)}, right {markdown_code(report.right)}"
    yield f"{count(rows)} rows, seed {report.seed}; {sides}"
    for line in report.broken:
        yield f"- **{prose(line)}**"
    if report.states is not None:
        yield from _states(report.states)
    yield from (
        "",
        "| rows | count | other set | other order | experts flipped | weights differ | largest |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    )
    for kind in report.kinds:
        cells = (
            prose(kind.kind), count(kind.rows), rate_text(kind.set_disagreement),
            rate_text(kind.order_disagreement), rate_text(kind.expert_flips),
            rate_text(kind.weight_bits), largest_text(kind.largest_weight_difference),
        )  # fmt: skip
        yield f"| {' | '.join(cells)} |"
    if report.kinds:
        whole = report.kinds[-1]
        yield ""
        yield (
            f"Experts flipped: {interval_text(whole.expert_flips)}; other set: "
            f"{interval_text(whole.set_disagreement)} (95%, Clopper-Pearson)."
        )
    if report.numeric:
        yield from ("", "**Which bits can differ, and why**", "")
        for line in report.numeric:
            inner = line.startswith(("left: ", "right: "))
            yield f"  - {markdown_code(line)}" if inner else f"- {prose(line)}"
    if report.flip is not None:
        flip = report.flip
        values = [f"{name} = {value}" for name, value in list(flip.values.items())[:_VALUES]]
        yield from (
            "",
            f"**Smallest input that flips an expert** (row {flip.row}, {flip.kind})",
            "",
        )
        yield f"- {', '.join(map(named, values))}, all others {named(flip.filling)}"
        yield f"- {prose(flip.note)}"
    for race in report.races:
        yield from ("", *(f"- {prose(line)}" for line in race_lines(race)))
    words = labels_text(report)
    if words:
        yield from (
            "",
            f"Values: {prose(words)}. {prose(report.worth[:1].upper() + report.worth[1:])}.",
        )


def _states(states: StatesMoved) -> Iterator[str]:
    yield from ("", f"{named(states.before)} to {named(states.after)}: {states_text(states)}.", "")
    yield "| family | what | kernels | numeric path |"
    yield "| --- | --- | ---: | --- |"
    for family in states.families:
        words = "<br>".join(prose(line) for line in family.words)
        cells = (prose(family.family), prose(family.what), count(family.kernels), words)
        yield f"| {' | '.join(cells)} |"
