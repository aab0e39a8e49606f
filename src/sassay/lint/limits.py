"""Bounds on what one analysis may cost; a function past one of them is said to be too large."""

from __future__ import annotations

MAX_OPS = 1_000_000
"""Instructions of one function."""
MAX_PHIS = 1_000_000
"""Places where definitions of one register meet, over all registers of one function."""
MAX_REGION_WORK = 1_000_000
"""Blocks visited while the reach of divergent branches is followed, over all of them."""
MAX_PASSES = 64
"""Rounds until the sets of what values depend on are stable; what is left then depends on all."""
MAX_PLACES = 200
"""Instructions that one finding names; `count` holds all."""


class TooLargeError(Exception):
    """A function needs more than these bounds allow; the message says of what."""
