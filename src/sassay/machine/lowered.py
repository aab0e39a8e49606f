"""What an instruction becomes that concerns more than the registers of one thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sassay.machine.types import WORDS, constant

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.machine.lanes import Lanes
    from sassay.machine.memory import Memory
    from sassay.machine.numeric import Label
    from sassay.machine.program import Fetch, Run
    from sassay.machine.types import Array

    Ready = Callable[[Lanes, Memory], Array]


@dataclass(frozen=True)
class Lowered:
    """An operation, lowered.

    Attributes:
        run: See `Op`.
        label: See `Op`.
        members: See `Op`.
        ready: See `Op`.
    """

    run: Run
    label: Label = "exact"
    members: Fetch | None = None
    ready: Ready | None = None


def whole_warp() -> Fetch:
    """The mask of an instruction that all lanes of a warp run together."""
    everyone = constant(0xFFFFFFFF, WORDS[32])
    return lambda _lanes: everyone
