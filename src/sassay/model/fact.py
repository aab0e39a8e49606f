"""A fact: what an analysis knows of a kernel beyond its census."""

from __future__ import annotations

import msgspec

UNKNOWN = "unknown"
"""Value of a fact whose analysis ran and could not tell: missing evidence, never an answer."""


class Fact(msgspec.Struct, frozen=True):
    """One named observation.

    Attributes:
        value: What was observed, in the words that a report prints and a policy matches.
        detail: Lines that a reader opens for more.
    """

    value: str | int | float | bool
    detail: tuple[str, ...] = ()
