"""Asks nvdisasm for the mnemonics of words that were made up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sassay.isa.sass.raw import RawDisassembler
from sassay.isa.sass.store import mnemonic
from sassay.isa.sass.tools import binary_option

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sassay.isa.sass.tools import Tool
    from sassay.isa.sass.words import Words

BODY_BITS = 105
BODY = (1 << BODY_BITS) - 1
"""What decides and is decided: everything below the control bits."""
CONTROL = 0x000FC000_00000000 << 64
"""No barriers, no stall, no reuse flag: control bits that every valid word accepts."""
_REUSE_STALL = 17 << 105
"""Stall and yield beside reuse flags, as `words.canonical` sets them."""
_REUSE_START = 122
_HALF = (1 << 64) - 1
AMBIGUOUS: dict[str, tuple[int, ...]] = dict.fromkeys(("sm_70", "sm_72", "sm_75"), (0x321, 0x322))
"""Opcodes at whose words nvdisasm may stop for good (`More than one pattern matched during
instruction decoding`) without saying where. They load and store attributes of graphics shaders."""
BATCH_WORDS = 1 << 17
"""Words of one call, more than elsewhere: a program takes 0.3 s to start, and each batch is run
twice, because made-up words are refused."""
BASE_SECONDS = 600.0
UNNAMED = ("INVALID", "???")
"""What stands for a modifier without a name (`INVALID3`, `???2`)."""


@dataclass
class Oracle:
    """One architecture as one nvdisasm reads it.

    Attributes:
        arch: `sm_90a`.
        tool: The nvdisasm.
        asked: Words asked for so far.
    """

    arch: str
    tool: Tool
    asked: int = 0
    _raw: RawDisassembler | None = None

    def ask(self, words: Iterable[int]) -> list[str | None]:
        """The mnemonic of each word (128 bits as one number; control bits are replaced).

        None: refused, or a modifier has no name (`INVALID3`, `???2`), so nothing can be learned.

        Raises:
            ToolError: if nvdisasm fails.
        """
        return self.ask_raw(pack([(word & BODY) | CONTROL for word in words]))

    def ask_raw(self, words: Words) -> list[str | None]:
        """The same for words as they stand.

        Raises:
            ToolError: if nvdisasm fails.
        """
        return [_named(name) for name in self.mnemonics(words)]

    def ask_printed(self, words: Iterable[int]) -> list[str | None]:
        """As `ask`, but with the names of words that have a modifier without one; None: refused.

        Raises:
            ToolError: if nvdisasm fails.
        """
        return self.mnemonics(pack([(word & BODY) | CONTROL for word in words]))

    def mnemonics(self, words: Words) -> list[str | None]:
        """What is printed for words as they stand, operands left out; None: refused.

        Raises:
            ToolError: if nvdisasm fails.
        """
        if not len(words):
            return []
        self.asked += len(words)
        answers: list[str | None] = [None] * len(words)
        keys = words[:, 0] & np.uint64(0xFFF)
        places = np.flatnonzero(~np.isin(keys, AMBIGUOUS.get(self.arch, ())))
        if self._raw is None:
            self._raw = raw_for(self.arch, self.tool)
        texts = self._raw.texts(words[places])
        for place, text in zip(places.tolist(), texts, strict=True):
            answers[place] = mnemonic(text) or None if text else None
        return answers


def raw_for(arch: str, tool: Tool) -> RawDisassembler:
    """Reads made-up words, in one process at a time: families run side by side."""
    option = binary_option(arch) or arch
    return RawDisassembler(
        tool, option, workers=1, base_seconds=BASE_SECONDS, made_up=True, batch_words=BATCH_WORDS
    )


def with_reuse(word: int, flags: int) -> int:
    """The word with canonical control bits and `.reuse` flags."""
    control = CONTROL | (flags << _REUSE_START | _REUSE_STALL if flags else 0)
    return (word & BODY) | control


def pack(words: Sequence[int]) -> Words:
    """Numbers of 128 bits as numpy holds words: low half, high half."""
    return np.array([(word & _HALF, word >> 64) for word in words], dtype=np.uint64).reshape(-1, 2)


def unpack(words: Words) -> list[int]:
    """The other way round, control bits removed."""
    low, high = words[:, 0].tolist(), words[:, 1].tolist()
    return [(a | b << 64) & BODY for a, b in zip(low, high, strict=True)]


def _named(name: str | None) -> str | None:
    return None if name is None or any(mark in name for mark in UNNAMED) else name
