"""Where the branches of a code section lead.

A branch is relative to the instruction behind it. Up to sm_89 its distance in units of 4 bytes
lies in bits 34 to 81; from sm_90 on bits 16 to 23 hold 8 more, lower ones. A BSSY names its barrier
in bits 16 to 19 and its distance in bits 34 to 63 everywhere (compared with nvdisasm on sm_75 to
sm_120).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.isa.sass.words import WORD_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sassay.isa.sass.words import Words

_LONG_DISTANCE_ARCH = 90
_LOW_FIELD = 34
_HIGH_BITS = 18
_EXTRA_FIELD = 16
_OPCODE = np.uint64(0xFFF)
_BSSY = np.uint64(0x945)
_BSSY_BITS = 30


def branch_targets(words: Words, places: NDArray[np.intp], arch: str) -> NDArray[np.int64]:
    """The instruction that each branch leads to; may lie outside of the section.

    Args:
        words: A code section.
        places: Its BRA, BSSY and CALL.REL.
        arch: Its architecture, such as `sm_90a`.
    """
    chosen = words[places]
    low, high = chosen[:, 0], chosen[:, 1] & np.uint64((1 << _HIGH_BITS) - 1)
    distance = (low >> np.uint64(_LOW_FIELD)).astype(np.int64) | (
        high.astype(np.int64) << (64 - _LOW_FIELD)
    )
    distance -= (distance >> 47 & 1) << 48
    if _number(arch) >= _LONG_DISTANCE_ARCH:
        extra = (low >> np.uint64(_EXTRA_FIELD) & np.uint64(0xFF)).astype(np.int64)
        distance = distance << 8 | extra
    near = (low >> np.uint64(_LOW_FIELD)).astype(np.int64)
    near -= (near >> (_BSSY_BITS - 1) & 1) << _BSSY_BITS
    distance = np.where(low & _OPCODE == _BSSY, near, distance)
    targets: NDArray[np.int64] = places + 1 + distance * 4 // WORD_BYTES
    return targets


def _number(arch: str) -> int:
    digits = "".join(each for each in arch if each.isdigit())
    return int(digits or 0)
