"""Instruction words as numpy reads them: two 64-bit halves, control bits, hashing, uniqueness.

Since sm_70 an instruction is 128 bits, little endian. Bits 105 to 121 hold what the scheduler
needs (stall 105-108, yield 109, write and read barrier 110-115, wait mask 116-121) and bits 122
to 125 the `.reuse` flags of the operands. The scheduling part never changes what nvdisasm prints,
so words are decoded with one canonical value there: one library of 230,000 instructions then holds
some 35,000 different words. The reuse flags stay, because they print.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

Words: TypeAlias = "NDArray[np.uint64]"
"""Shape (n, 2): low and high half of each instruction."""

WORD_BYTES = 16

BODY_MASK = np.uint64((1 << 41) - 1)
"""Bits 64 to 104 of a word: what is left of the high half without control bits."""
REUSE_MASK = np.uint64(0xF << 58)
NO_BARRIERS = np.uint64(0x3F << 46)
"""Both barrier fields hold 7, `none`; zeros there make some words invalid."""
REUSE_STALL = np.uint64(17 << 41)
"""Stall 1 and yield: reuse flags beside a zero stall field are no valid combination, these are on
every architecture from sm_75 to sm_120."""

_MIX_LOW = np.uint64(0x9E3779B97F4A7C15)
_MIX_HIGH = np.uint64(0xC2B2AE3D27D4EB4F)


class UniqueWords(msgspec.Struct, frozen=True):
    """The different words of a sequence.

    Attributes:
        words: Each word once, in the order of `hashes`.
        hashes: `hash_words(words)`, ascending.
        inverse: For each word of the sequence, its row in `words`.
    """

    words: Words
    hashes: NDArray[np.uint64]
    inverse: NDArray[np.int32]


def section_words(code: bytes | memoryview) -> Words:
    """A code section as words, without copying; bytes behind the last whole word are left out."""
    usable = len(code) - len(code) % WORD_BYTES
    return np.frombuffer(code, dtype="<u8", count=usable // 8).reshape(-1, 2)


def canonical(words: Words) -> Words:
    """A copy with canonical scheduling bits; everything that nvdisasm prints is kept."""
    high = words[:, 1]
    reuse = high & REUSE_MASK
    result = np.empty_like(words)
    result[:, 0] = words[:, 0]
    result[:, 1] = (high & BODY_MASK) | reuse | NO_BARRIERS
    result[:, 1] |= np.where(reuse != 0, REUSE_STALL, np.uint64(0))
    return result


def without_control(words: Words) -> Words:
    """A copy with bits 105 to 127 cleared, reuse flags among them: what an instruction does."""
    result = words.copy()
    result[:, 1] &= BODY_MASK
    return result


def hash_words(words: Words) -> NDArray[np.uint64]:
    """A 64-bit mix of each word, for sorting and searching; equality is always checked on words."""
    high = words[:, 1]
    low_part: NDArray[np.uint64] = words[:, 0] * _MIX_LOW
    high_part: NDArray[np.uint64] = (high ^ (high >> np.uint64(29))) * _MIX_HIGH
    mixed = low_part + high_part
    return mixed ^ (mixed >> np.uint64(32))


def unique(words: Words) -> UniqueWords:
    """The different words of a sequence.

    Words whose hashes collide may be listed more than once, which costs time and no correctness.
    """
    count = len(words)
    hashes = hash_words(words)
    order = np.argsort(hashes)
    ordered = words[order]
    first = np.empty(count, dtype=bool)
    first[:1] = True
    first[1:] = (ordered[1:, 0] != ordered[:-1, 0]) | (ordered[1:, 1] != ordered[:-1, 1])
    inverse = np.empty(count, dtype=np.int32)
    inverse[order] = np.cumsum(first, dtype=np.int32) - 1
    return UniqueWords(ordered[first], hashes[order[first]], inverse)
