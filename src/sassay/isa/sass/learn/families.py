"""Learns one architecture, and finds out which others its table holds for."""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sassay.isa.sass.learn.corpus import seeds
from sassay.isa.sass.learn.explore import Explorer
from sassay.isa.sass.learn.fuzz import disputes, fuzz
from sassay.isa.sass.learn.opcode import MAX_DECIDING
from sassay.isa.sass.learn.oracle import Oracle

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.isa.sass.learn.programs import Programs
    from sassay.isa.sass.tools import Tool

MAX_ROUNDS = 5
CHECKED = 40
"""Combinations of one opcode that another architecture must answer alike."""
FIRST_CHECKED = 1_500
"""So many of them first: most architectures that differ do so there."""


@dataclass
class Family:
    """Architectures that read the same words as the same mnemonics.

    Attributes:
        archs: The one that was learned first.
        tool: Who answered.
        explorer: What was learned.
    """

    archs: list[str]
    tool: Tool
    explorer: Explorer

    def departs(self, arch: str) -> str | None:
        """What another architecture answers differently, first found; None: the table holds.

        Asked are words of every opcode, in every mnemonic up to a bound and with other operands.
        What the other architecture knows beyond them is no reason to part: nvdisasm answers it.
        """
        chosen = random.Random(7)  # noqa: S311 - a sample, no secret
        expected: list[tuple[int, str]] = []
        for opcode in self.explorer.opcodes.values():
            words = opcode.representatives()
            sample = chosen.sample(words, min(CHECKED, len(words)))
            expected += [(word, opcode.accepted[word]) for word in sample]
        chosen.shuffle(expected)
        oracle = Oracle(arch, self.tool)
        for part in (expected[:FIRST_CHECKED], expected[FIRST_CHECKED:]):
            answers = oracle.ask(word for word, _ in part)
            for (word, name), answer in zip(part, answers, strict=True):
                if answer != name:
                    return f"{word:#x} is {name} and not {answer}"
        return None


def learn(arch: str, programs: Programs, tool: Tool, say: Callable[[str], None]) -> Family:
    """Learn an architecture from scratch.

    Args:
        arch: `sm_90a`.
        programs: ptxas for the seeds.
        tool: The nvdisasm to ask.
        say: Takes a line of progress.

    Raises:
        ToolError: if nvdisasm or ptxas fails.
    """
    oracle = Oracle(arch, tool)
    explorer = Explorer(oracle, say)
    with tempfile.TemporaryDirectory(prefix="sassay-") as folder:
        explorer.discover(seeds(programs.compilers, arch, Path(folder)))
    explorer.study()
    explorer.search()
    explorer.study()
    say(f"{oracle.asked} words asked before the first round of doubt")
    for number in range(MAX_ROUNDS):
        asked, surprises = fuzz(explorer, number)
        say(f"round {number + 1}: {asked} words with random operands, {surprises} surprises")
        if not surprises:
            break
        explorer.enumerate()
    explorer.reuse()
    left = sum(bool(disputes(opcode)) for opcode in explorer.opcodes.values())
    large = sum(opcode.size > MAX_DECIDING for opcode in explorer.opcodes.values())
    say(
        f"{len(explorer.opcodes)} opcodes, {large} too large, {left} with combinations in dispute, "
        f"{oracle.asked} words asked"
    )
    return Family([arch], tool, explorer)
