"""Small inline SVG bars for the HTML report: no script, no network, printable."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH = 64
_HEIGHT = 9


def bars(values: Sequence[float | None]) -> list[Markup]:
    """One bar a value, all on the row's own scale.

    Args:
        values: One a state; None and values that are no finite number have an empty bar.

    Returns:
        As many SVG elements. They are hidden from screen readers, which read the figures.
    """
    known = [abs(value) if value is not None and math.isfinite(value) else 0 for value in values]
    top = max(known, default=0) or 1
    return [_bar(value / top) for value in known]


def _bar(share: float) -> Markup:
    width = round(share * _WIDTH, 1)
    # Only numbers computed here are formatted in.
    return Markup(  # noqa: S704
        f'<svg class="bar" width="{_WIDTH}" height="{_HEIGHT}" aria-hidden="true">'
        f'<rect class="rail" width="{_WIDTH}" height="{_HEIGHT}" rx="2"/>'
        f'<rect class="fill" width="{width:g}" height="{_HEIGHT}" rx="2"/></svg>'
    )
