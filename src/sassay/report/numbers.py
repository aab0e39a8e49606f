"""Figures as people read them: thousands apart, signs shown, unknown as `?`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sassay.model.artifact import Scalar
    from sassay.model.state import Evidence

ARROW = " \u2192 "
UNKNOWN = "?"
ABSENT = "-"


def arrows(text: str) -> str:
    """A record's line with the arrows of reports: records spell them ` -> `."""
    return text.replace(" -> ", ARROW)


def count(value: float | None) -> str:
    """`1,204`; an average keeps one decimal if it has any; `?` where it is unknown."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return UNKNOWN
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.1f}"
    return f"{int(value):,}"


def signed(value: float) -> str:
    """`+672` or `-133`; `0` for nothing."""
    return f"+{count(value)}" if value > 0 else count(value)


def size(value: float | None) -> str:
    """Bytes as `912 B`, `48.2 KiB`, `1.3 MiB`."""
    if value is None:
        return UNKNOWN
    if abs(value) < 1024:
        return f"{int(value)} B"
    amount = value / 1024
    for unit in ("KiB", "MiB"):
        if abs(amount) < 1024:
            return f"{amount:,.1f} {unit}"
        amount /= 1024
    return f"{amount:,.1f} GiB"


def series(
    values: Sequence[float | None],
    show: Callable[[float | None], str] = count,
    *,
    kernels: Sequence[int] | None = None,
    most: int | None = None,
) -> str:
    """One value a state: `2 \u2192 2 \u2192 4`, or one figure where all agree.

    Args:
        values: One a state.
        show: How a value is written.
        kernels: Kernels a state; a state that has none shows `-` instead of an unknown value.
        most: Where there are more states than this, only the ends are shown.
    """
    shown = [
        ABSENT if value is None and kernels is not None and not kernels[index] else show(value)
        for index, value in enumerate(values)
    ]
    if shown and all(text == shown[0] for text in shown):
        return shown[0]
    if most is not None and len(shown) > most:
        shown = [shown[0], "\u2026", shown[-1]]
    return ARROW.join(shown)


def delta(values: Sequence[float | None]) -> float | None:
    """Last minus first, None where a side is unknown."""
    if len(values) < 2 or values[0] is None or values[-1] is None:
        return None
    return values[-1] - values[0]


def delta_text(values: Sequence[float | None]) -> str:
    """The signed delta from first to last; empty for none, `?` where a side is unknown."""
    moved = delta(values)
    if moved is None:
        return UNKNOWN if len(values) > 1 and values[0] != values[-1] else ""
    return signed(moved) if moved else ""


def scalar(value: Scalar) -> str:
    """A value of an environment or of evidence."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}" if math.isfinite(value) else UNKNOWN
    return str(value)


def evidence(entry: Evidence | None) -> str:
    """The figure of one piece of evidence; `-` where a state has none."""
    if entry is None:
        return "-"
    if entry.value is None:
        return "attached"
    if isinstance(entry.value, float):
        return f"{entry.value:.6g}" if math.isfinite(entry.value) else UNKNOWN
    return scalar(entry.value)


def plural(number: int, noun: str, many: str | None = None) -> str:
    """`1 kernel`, `2 kernels`, `3 families`."""
    return f"{count(number)} {noun if number == 1 else many or noun + 's'}"
