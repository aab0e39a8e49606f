"""The two layers of compiled code, and the tiers of change between two kernels."""

from __future__ import annotations

from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Layer(StrEnum):
    """PTX is what the front end emitted, SASS what ptxas made of it."""

    PTX = "ptx"
    SASS = "sass"


class Layered(msgspec.Struct, Generic[T], frozen=True):
    """One value for each layer; None where the input does not hold that layer."""

    ptx: T | None = None
    sass: T | None = None

    def of(self, layer: Layer) -> T | None:
        """The value of one layer."""
        return self.ptx if layer is Layer.PTX else self.sass


class Tier(StrEnum):
    """How deep a change goes: the first that holds, shallowest first.

    The PTX layer uses `IDENTICAL`, `RENAMED`, `REORDERED` and `RECOMPOSED` only.
    """

    IDENTICAL = "identical"
    RELOCATED = "relocated"
    RESCHEDULED = "rescheduled"
    RENAMED = "renamed"
    REORDERED = "reordered"
    RECOMPOSED = "recomposed"


TIER_ORDER: tuple[Tier, ...] = tuple(Tier)
UNCHANGED_TIERS: frozenset[Tier] = frozenset({Tier.IDENTICAL, Tier.RELOCATED, Tier.RESCHEDULED})
