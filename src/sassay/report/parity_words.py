"""What every format says of parity contracts in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.report.names import location_text
from sassay.report.numbers import count

if TYPE_CHECKING:
    from sassay.model.parity import (
        ContractResult,
        Mismatch,
        ProbeReport,
        RaceFound,
        Rate,
        StatesMoved,
    )

_FORMS = 4
_RACES = {
    "race": "threads race for",
    "same-value": "threads race, with the same value, for",
    "unused": "threads race, and nobody uses what is read, for",
}


def labels_text(found: ContractResult | ProbeReport) -> str:
    """How far each output can be trusted, and by which instructions not further.

    Args:
        found: With the labels; without any nothing is said.
    """
    if not found.labels:
        return ""
    groups: dict[str, list[str]] = {}
    for name, label in found.labels.items():
        groups.setdefault(label, []).append(name)
    parts = []
    for word, names in groups.items():
        forms = [form for form, kind in found.forms.items() if kind == word]
        shown = ", ".join(forms[:_FORMS]) + (", ..." if len(forms) > _FORMS else "")
        parts.append(f"{', '.join(names)} {word}" + (f" ({shown})" if shown else ""))
    return "; ".join(parts)


def bound_note(report: ProbeReport) -> str:
    """What a probe that passed was held against.

    Args:
        report: Of it.
    """
    return "no bound was passed" if report.bounded else "the probe sets no bound"


def race_lines(race: RaceFound) -> list[str]:
    """A race in a few lines.

    Args:
        race: The race.
    """
    at = ", ".join(map(str, race.index))
    lines = [f"{_RACES[race.kind]} {race.buffer}[{at}] in {race.kernel} ({race.side})"]
    for each in (race.first, race.second):
        where = f"{location_text(each.location)}, " if each.location else ""
        lines.append(
            f"block {each.block}, thread {each.thread} {each.does} it: "
            f"{where}line {each.line}: {each.instruction}"
        )
    return lines


def mismatch_lines(found: Mismatch) -> list[str]:
    """The first difference in a few lines.

    Args:
        found: The difference.
    """
    at = ", ".join(map(str, found.index))
    lines = [f"{found.count} of {found.compared} elements differ, first {found.buffer}[{at}]"]
    if found.left:
        lines.append(f"left {found.left}, right {found.right}")
    if found.parting is not None:
        part = found.parting
        lines.append(f"left computes {part.left} at {part.left_place}".removesuffix(" at "))
        lines.append(f"right computes {part.right} at {part.right_place}".removesuffix(" at "))
    elif found.why_not:
        lines.append(f"not followed further: {found.why_not}")
    return lines


def rate_text(rate: Rate) -> str:
    """A share in percent; `-` of no trials."""
    if not rate.trials:
        return "-"
    return f"{100 * rate.count / rate.trials:.3g}%" if rate.count else "0"


def interval_text(rate: Rate) -> str:
    """A share with its interval, in percent."""
    share = 100 * rate.count / rate.trials if rate.trials else 0.0
    return (
        f"{count(rate.count)} of {count(rate.trials)}, {share:.4g}% "
        f"({100 * rate.low:.3g}% to {100 * rate.high:.3g}%)"
    )


def largest_text(difference: float | None) -> str:
    """The largest difference of a weight."""
    return "infinite" if difference is None else f"{difference:.3g}"


def states_text(states: StatesMoved) -> str:
    """How many kernels of two states are alike."""
    before, after = states.kernels
    return (
        f"{count(before)} and {count(after)} kernels: {count(states.compared)} in both, "
        f"{count(states.unchanged)} of them unchanged"
    )
