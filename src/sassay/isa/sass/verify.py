"""The decoder against nvdisasm's own census, function by function, on real cubins."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sassay.errors import ToolError
from sassay.isa.sass.cubin_code import CodeSection, code_sections
from sassay.isa.sass.decoded import census
from sassay.isa.sass.witness import Answers, ask_censuses, section_key
from sassay.isa.sass.words import WORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sassay.isa.sass.disassembler import Disassembler
    from sassay.isa.sass.tools import Tool

SAMPLE = 6_000
"""Instructions of one cubin that a sample checks, in whole functions; at least one function."""
ARCH_SAMPLE = 60_000
"""Instructions of one architecture after which a sample takes one function a cubin."""


@dataclass
class Checked:
    """What was checked of one architecture.

    Attributes:
        cubins: Cubins that were read.
        functions: Code sections in them, kernels and device functions.
        instructions: All that they hold.
        checked: Of those, instructions of functions that nvdisasm counted too, an equal code
            section counted each time that it stands somewhere.
        checked_functions: Those functions.
        asked: Instructions that nvdisasm disassembled: equal code sections once.
        by_tables: Instructions among the checked that a table answered.
        by_nvdisasm: Those that no table knows, which were left to nvdisasm's raw mode.
        unreadable: Functions that no nvdisasm at hand reads.
        trailing: Functions with bytes behind their last whole instruction.
        mismatches: Functions that were counted otherwise.
    """

    cubins: int = 0
    functions: int = 0
    instructions: int = 0
    checked: int = 0
    checked_functions: int = 0
    asked: int = 0
    by_tables: int = 0
    by_nvdisasm: int = 0
    unreadable: int = 0
    trailing: int = 0
    mismatches: int = 0


@dataclass(frozen=True)
class Mismatch:
    """One function of which the two disagree.

    Attributes:
        place: The cubin.
        symbol: The function.
        arch: Its architecture.
        counts: For each opcode that is counted otherwise: sassay's count and nvdisasm's.
    """

    place: str
    symbol: str
    arch: str
    counts: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class _Function(CodeSection):
    """One code section, and what it has in common with equal ones."""

    key: str


@dataclass
class Verifier:
    """Checks cubins one after the other.

    Attributes:
        disassembler: Decodes; it should keep no words of earlier runs, which came from nvdisasm.
        answers: What nvdisasm said of sections.
        full: Check everything; else a sample.
        by_arch: What was checked so far.
        mismatches: The first ones.
    """

    disassembler: Disassembler
    answers: Answers
    full: bool = False
    by_arch: dict[str, Checked] = field(default_factory=dict)
    mismatches: list[Mismatch] = field(default_factory=list)

    @property
    def checked(self) -> int:
        """Instructions checked so far."""
        return sum(each.checked for each in self.by_arch.values())

    def check(self, data: bytes | memoryview, place: str, archs: Sequence[str] = ()) -> None:
        """Check one cubin.

        Args:
            data: The whole file.
            place: The name that errors and mismatches carry.
            archs: Globs; a cubin of another architecture is left out. Empty takes all.

        Raises:
            SassayError: if it cannot be read, or nvdisasm fails on it.
        """
        arch, sections = code_sections(data, place, archs)
        if arch is None:
            return
        total = self.by_arch.setdefault(arch, Checked())
        functions = [
            _Function(each.symbol, each.number, each.code, section_key(arch, each.code))
            for each in sections
        ]
        total.cubins += 1
        total.functions += len(functions)
        total.instructions += sum(len(each.code) // WORD_BYTES for each in functions)
        tool = self._witness(arch)
        if tool is None or not self.disassembler.knows(arch):
            total.unreadable += len(functions)
            return
        chosen = functions if self.full else self._sample(functions, total.checked)
        try:
            self._ask(tool, data, chosen, functions, total)
        except ToolError as error:
            raise error.within(place) from error
        known = [(each, self.answers.get(tool, each.key)) for each in chosen]
        self._compare(arch, place, [(e, theirs) for e, theirs in known if theirs is not None])

    def _witness(self, arch: str) -> Tool | None:
        return next((tool for tool in self.disassembler.tools if arch in tool.archs), None)

    def _sample(self, functions: Sequence[_Function], checked: int) -> list[_Function]:
        """Functions in the order of their digests: the same ones each time, of any size."""
        limit = SAMPLE if checked < ARCH_SAMPLE else 1
        chosen: list[_Function] = []
        size = 0
        for each in sorted(functions, key=lambda item: (item.key, item.symbol)):
            if size >= limit:
                break
            chosen.append(each)
            size += len(each.code) // WORD_BYTES
        return chosen

    def _ask(
        self,
        tool: Tool,
        data: bytes | memoryview,
        chosen: Sequence[_Function],
        functions: Sequence[_Function],
        total: Checked,
    ) -> None:
        """Ask nvdisasm for the functions that nobody asked for yet."""
        fresh = {
            each.key: each
            for each in reversed(chosen)
            if each.number is not None and self.answers.get(tool, each.key) is None
        }
        if not fresh:
            return
        numbers = [each.number for each in fresh.values() if each.number is not None]
        everything = len(fresh) == len(functions)
        found = ask_censuses(tool, data, None if everything else sorted(numbers))
        said = {key: found[each.symbol] for key, each in fresh.items() if each.symbol in found}
        total.asked += sum(counts.total() for counts in said.values())
        self.answers.add(tool, said)

    def _compare(
        self, arch: str, place: str, known: Sequence[tuple[_Function, Mapping[str, int]]]
    ) -> None:
        total = self.by_arch[arch]
        before = self._by_others(arch)
        decoded = self.disassembler.opcodes([(arch, each.code) for each, _ in known])
        size = sum(len(each.code) // WORD_BYTES for each, _ in known)
        left = self._by_others(arch) - before
        total.checked += size
        total.checked_functions += len(known)
        total.by_nvdisasm += left
        total.by_tables += size - left
        for (each, theirs), section in zip(known, decoded, strict=True):
            ours = census(section) if section is not None else {}
            total.trailing += len(each.code) % WORD_BYTES != 0
            if ours != theirs:
                total.mismatches += 1
                counts = {
                    name: (ours.get(name, 0), theirs.get(name, 0))
                    for name in sorted({*ours, *theirs})
                    if ours.get(name, 0) != theirs.get(name, 0)
                }
                self.mismatches.append(Mismatch(place, each.symbol, arch, counts))

    def _by_others(self, arch: str) -> int:
        counts = self.disassembler.counts.get(arch)
        return counts.others if counts is not None else 0


def total_of(checked: Mapping[str, Checked]) -> Checked:
    """All architectures together."""
    total: Counter[str] = Counter()
    for each in checked.values():
        total.update(vars(each))
    return Checked(**total)
