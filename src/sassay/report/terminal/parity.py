"""Parity contracts and probes on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.report.names import location_text
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
from sassay.report.terminal.page import STYLES, Column, Page

if TYPE_CHECKING:
    from sassay.model.artifact import SourceLocation
    from sassay.model.parity import (
        CaseResult,
        ContractResult,
        Flip,
        Mismatch,
        ParityReport,
        ProbeKind,
        ProbeReport,
        StatesMoved,
    )

_CASES = 3
_VALUES = 12
_STYLE = {"holds": STYLES["PASS"], "broken": STYLES["FAIL"], "unknown": STYLES["UNKNOWN"]}


def parity_text(report: ParityReport, *, width: int, color: bool, everything: bool = False) -> str:
    """The report of a contract file.

    Args:
        report: What was found.
        width: Columns.
        color: Whether to use colours.
        everything: Every case, also those that hold.
    """
    page = Page(width, color=color)
    cases = sum(len(each.cases) for each in report.contracts)
    contracts = plural(len(report.contracts), "contract")
    page.line((report.file, "bold"), "  ", (f"{contracts}, {plural(cases, 'case')}", "dim"))
    for outcome in ("broken", "unknown", "holds"):
        for contract in report.contracts:
            if contract.outcome == outcome:
                _contract(page, contract, everything=everything)
    page.blank()
    numbers = {
        outcome: sum(each.outcome == outcome for each in report.contracts)
        for outcome in ("broken", "unknown", "holds")
    }
    words = [
        f"{number} {'hold' if outcome == 'holds' and number > 1 else outcome}"
        for outcome, number in numbers.items()
        if number
    ]
    page.line((report.verdict.value, STYLES[report.verdict.value]), "  ", ", ".join(words))
    return page.text()


def _contract(page: Page, contract: ContractResult, *, everything: bool) -> None:
    bad = [each for each in contract.cases if each.outcome != "holds"]
    total = len(contract.cases)
    page.blank()
    page.line(
        (contract.outcome, _STYLE[contract.outcome]), "  ", (contract.contract, "bold"),
        f"  {contract.claim}  ",
        (f"{len(bad)} of {plural(total, 'case')}" if bad else _size(contract), "dim"),
    )  # fmt: skip
    arch = f" ({contract.arch})" if contract.arch else ""
    page.line((f"{contract.left} against {contract.right}{arch}", "dim"), indent=2)
    shown = contract.cases if everything else bad[:_CASES]
    for case in shown:
        _case(page, case)
    if not everything and len(bad) > _CASES:
        page.line((f"{plural(len(bad) - _CASES, 'more case')}: see --all", "dim"), indent=2)
    notes = dict.fromkeys(line for case in contract.cases for line in case.caveats)
    for note in notes:
        page.paragraph(note, indent=4, style="dim", lead="note: ")
    words = labels_text(contract)
    if words:
        page.paragraph(words, indent=4, style="dim", lead="values: ")
    if contract.outcome == "holds" and set(contract.labels.values()) - {"exact"}:
        page.paragraph(contract.worth, indent=4, style="dim", lead="worth: ")


def _size(contract: ContractResult) -> str:
    elements = sum(each.compared for each in contract.cases)
    empty = sum(not each.compared for each in contract.cases)
    words = plural(len(contract.cases), "case")
    words += f" ({empty} without an element)" if empty else ""
    return f"{words}, {plural(elements, 'element')}"


def _case(page: Page, case: CaseResult) -> None:
    if case.outcome == "holds":
        worst = f", worst {case.worst}" if case.worst else ""
        words = f"{plural(case.compared, 'element')}{worst}"
        page.line((case.case, ""), "  ", (f"holds: {words}", "dim"), indent=2)
        return
    page.paragraph(f"{case.case}: {case.why}", indent=2)
    for race in case.races:
        first, *rest = race_lines(race)
        page.paragraph(first, indent=4)
        for line in rest:
            page.paragraph(line, indent=6, hang=8)
    if case.mismatch is not None:
        _mismatch(page, case.mismatch)


def _mismatch(page: Page, found: Mismatch) -> None:
    at = ", ".join(map(str, found.index))
    share = f"{count(found.count)} of {plural(found.compared, 'element')}"
    page.paragraph(f"{share} differ, the first is {found.buffer}[{at}]", indent=4)
    if found.left:
        page.line(f"left   {found.left}", indent=6)
        page.line(f"right  {found.right}", indent=6)
    part = found.parting
    if part is None:
        if found.why_not:
            page.paragraph(f"not followed further: {found.why_not}", indent=4, style="dim")
        return
    page.line("its computations part here", indent=4)
    for side, words, place, location in (
        ("left ", part.left, part.left_place, part.left_location),
        ("right", part.right, part.right_place, part.right_location),
    ):
        where = f"  at {_place(location, place)}" if place or location else ""
        page.paragraph(f"{words}{where}", indent=6, lead=f"{side}  ", hang=13)
    if part.path:
        page.paragraph(f"both go on with {', then '.join(part.path)}", indent=6, style="dim")


def _place(location: SourceLocation | None, place: str) -> str:
    return location_text(location) if location is not None else place


def probe_text(report: ProbeReport, *, width: int, color: bool) -> str:
    """The report of a probe.

    Args:
        report: What was found.
        width: Columns.
        color: Whether to use colours.
    """
    page = Page(width, color=color)
    rows = report.kinds[-1].rows if report.kinds else 0
    page.line((report.name, "bold"), "  ", (f"{plural(rows, 'row')}, seed {report.seed}", "dim"))
    for side, words in (("left", report.left), ("right", report.right)):
        page.paragraph(words, indent=2, lead=f"{side:<7}", hang=9)
    if report.states is not None:
        _states(page, report.states)
    page.heading("How often", "share of rows, 95% interval (Clopper-Pearson)")
    columns = [
        Column("rows"), Column("count", right=True), Column("other set", right=True),
        Column("other order", right=True), Column("experts flipped", right=True),
        Column("weights differ", right=True), Column("largest", right=True),
    ]  # fmt: skip
    page.table(
        columns,
        [
            [
                kind.kind, count(kind.rows), rate_text(kind.set_disagreement),
                rate_text(kind.order_disagreement), rate_text(kind.expert_flips),
                rate_text(kind.weight_bits),
                largest_text(kind.largest_weight_difference),
            ]
            for kind in report.kinds
        ],
    )  # fmt: skip
    if report.kinds:
        _rates(page, report.kinds[-1])
    if report.flip is not None:
        _flip(page, report.flip)
    if report.numeric:
        page.heading("Which bits can differ, and why")
        for line in report.numeric:
            inner = line.startswith(("left: ", "right: "))
            page.paragraph(line, indent=4 if inner else 2, hang=11 if inner else 4)
    page.blank()
    words = labels_text(report)
    if words:
        page.paragraph(words, style="dim", lead="values: ")
    if set(report.labels.values()) - {"exact"}:
        page.paragraph(report.worth, style="dim", lead="worth: ")
    for race in report.races:
        for line in race_lines(race):
            page.paragraph(line, indent=2, hang=4)
    for line in report.broken:
        page.paragraph(line, indent=2)
    note = () if report.broken else ("  ", bound_note(report))
    page.line((report.verdict.value, STYLES[report.verdict.value]), *note)
    return page.text()


def _states(page: Page, states: StatesMoved) -> None:
    page.heading("What moved between the states", f"{states.before}, {states.after}")
    page.line(states_text(states), indent=2)
    for family in states.families:
        words = f"{family.what}, {plural(family.kernels, 'kernel')}"
        page.line((family.family, "bold"), "  ", (words, "dim"), indent=2)
        for line in family.words:
            page.paragraph(line, indent=4, hang=6)


def _rates(page: Page, kind: ProbeKind) -> None:
    for words, rate in (
        ("other set", kind.set_disagreement),
        ("other order", kind.order_disagreement),
        ("experts flipped", kind.expert_flips),
        ("weights differ", kind.weight_bits),
    ):
        page.line((f"{words}: {interval_text(rate)}", "dim"), indent=2)
    if kind.largest_at is not None:
        row, expert = kind.largest_at
        page.line((f"largest difference of a weight: row {row}, expert {expert}", "dim"), indent=2)


def _flip(page: Page, flip: Flip) -> None:
    page.heading("Smallest input that flips an expert", f"from row {flip.row}, {flip.kind}")
    for place, value in list(flip.values.items())[:_VALUES]:
        page.line(f"{place} = {value}", indent=4)
    if len(flip.values) > _VALUES:
        more = f"{len(flip.values) - _VALUES:,} more: --format json holds them"
        page.line((more, "dim"), indent=4)
    page.line(f"all others = {flip.filling}", indent=4)
    page.line(f"left chooses {', '.join(map(str, flip.left))}", indent=2)
    page.line(f"right chooses {', '.join(map(str, flip.right))}", indent=2)
    if flip.note:
        page.paragraph(flip.note, indent=2)
