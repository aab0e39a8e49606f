"""What the operands of a kernel's PTX arithmetic are, through everything that does no arithmetic.

A value is the instruction that writes it, by its place in the body. The *sources* of an operand are
all values that it may be: its writers, and what those only move, choose, negate or widen.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sassay.isa.contraction.reaching import ENTRY, Blocks, Reaching
from sassay.isa.contraction.roles import Role, ptx_role
from sassay.isa.ptx.labels import Labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sassay.isa.ptx.syntax import PtxFunction

CONSTANT = -2
"""The source that stands for every number that is written down, and for parameters."""

ARITHMETIC = int(Role.PRODUCT | Role.SUM | Role.FUSED | Role.PINNED)
_ADDITIONS = frozenset({"add", "sub", "fma", "mad"})

_NAME = re.compile(r"[%A-Za-z_$][\w$]*+(?!\.[xyzw]\b)", re.ASCII)
_NUMBER = re.compile(r"-?\d", re.ASCII)
WIDENS = re.compile(r"cvt(?:\.ftz)?(?:\.sat)?\.f(?:32|64)\.(?:bf16|f16|f32)", re.ASCII)
"""Conversions that round nothing; ptxas makes `.sat` part of the operation before."""
_RESIZES = re.compile(r"cvt\.[usb]\d+\.[usb]\d+", re.ASCII)
_MOVES = frozenset({"mov", "selp", "slct", "neg", "abs", "prmt"})
_BITS = frozenset({"shl.b32", "and.b32", "shf.l.wrap.b32"})
"""How front ends widen BF16: no arithmetic on a value either."""
_NO_RESULT = frozenset(
    {"bra", "brx", "bar", "barrier", "nanosleep", "setmaxnreg", "ret", "exit", "trap", "tcgen05"}
)
_ENDS = frozenset({"ret", "exit", "trap"})
_PURE = re.compile(
    r"(?:add|sub|mul|fma|mad|div|sqrt|rcp|rsqrt|ex2|lg2|sin|cos|tanh|min|max|neg|abs|cvt|mov|selp|"
    r"setp|set|and|or|xor|not|shl|shr|shf|prmt|bfe|bfi|lop3|ld\.(?:param|const|global))\b",
    re.ASCII,
)
"""Equal for equal operands: ptxas keeps one of several, of loads with nothing stored between."""
_CHANGING = ("%clock", "%globaltimer", "%smid", "%gridid", "%warpid")


class IndirectError(Exception):
    """Control goes where the text does not say."""


class PtxValues:
    """The values of one function.

    Args:
        function: Whose.

    Attributes:
        kinds: Kind of arithmetic of each instruction, as in `roles.ptx_role`.
        roles: Role of each instruction in a contraction, as a number.

    Raises:
        FormatError: The body does not parse.
        IndirectError: It branches through a table.
    """

    def __init__(self, function: PtxFunction) -> None:
        rows = function.instructions
        self._function = function
        self._rows = rows
        self.opcodes = [each.opcode for each in rows]
        pairs = [ptx_role(opcode) for opcode in self.opcodes]
        self.kinds = [kind for kind, _ in pairs]
        self.roles = [role for _, role in pairs]
        self._numbers: dict[str, int] = {}
        self._inputs: list[str] = []
        writes: dict[int, list[int]] = {}
        for place, row in enumerate(rows):
            results, inputs = _parts(row.opcode, row.operands)
            self._inputs.append(inputs)
            for name in results:
                writes.setdefault(self._number(name), []).append(place)
        guards = [self._guard(row.predicate) if row.predicate else 0 for row in rows]
        self._blocks = self._find_blocks(guards)
        self._reaching = Reaching(self._blocks, writes, guards, len(rows))
        self._sources: dict[int, frozenset[int]] = {}
        self._classes: list[int] | None = None
        self._same: dict[frozenset[int], frozenset[int]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def line(self, place: int) -> int:
        """The line of an instruction in the module."""
        return self._rows[place].line

    def adds(self, place: int) -> bool:
        """Whether an instruction is a floating-point sum, fused or not."""
        opcode = self.opcodes[place]
        return bool(self.kinds[place]) and opcode.partition(".")[0] in _ADDITIONS

    def operands(self, place: int) -> list[frozenset[int]]:
        """The sources of each operand of an arithmetic instruction, in order."""
        return [self._operand(place, text) for text in self._inputs[place].split(",")]

    def direct(self, place: int) -> list[tuple[int, ...]]:
        """The values that each operand of an instruction is itself."""
        return [self._direct(place, text) for text in self._inputs[place].split(",")]

    def unmoved(self, value: int) -> int:
        """The value that `mov` and `neg` give on as it is, or with its sign turned."""
        for _ in range(len(self)):
            if not self.opcodes[value].startswith(("mov.", "neg.")):
                break
            (before,) = self.direct(value)[:1]
            if len(before) != 1 or before[0] < 0:
                break
            value = before[0]
        return value

    def same(self, values: frozenset[int]) -> frozenset[int]:
        """One number for all values that are equal by construction, for each of some values."""
        if self._classes is None:
            self._classes = self._number_values()
        known = self._same.get(values)
        if known is None:
            known = frozenset(self._classes[each] if each >= 0 else each for each in values)
            self._same[values] = known
        return known

    def alike(self, value: int, values: frozenset[int]) -> bool:
        """Whether a value is equal by construction to one of several."""
        return not self.same(frozenset((value,))).isdisjoint(self.same(values))

    def _direct(self, place: int, text: str) -> tuple[int, ...]:
        found: list[int] = []
        for name in _NAME.findall(text):
            number = self._numbers.get(name)
            if number is not None:
                found += self._reaching.before(place, number)
        return tuple(found) or (CONSTANT,)

    def _operand(self, place: int, text: str) -> frozenset[int]:
        found: frozenset[int] = frozenset()
        for value in self._direct(place, text):
            found |= self.sources(value)
        return found

    def sources(self, value: int) -> frozenset[int]:
        """Everything that a value may be, itself among it."""
        if value < 0:
            return frozenset({value} if value == CONSTANT else ())
        known = self._sources.get(value)
        if known is not None:
            return known
        found = {value}
        todo = [value]
        while todo:
            each = todo.pop()
            for source in self._moved(each):
                if source == CONSTANT:
                    found.add(CONSTANT)
                elif source != ENTRY and source not in found:
                    found.add(source)
                    todo.append(source)
        result = self._sources[value] = frozenset(found)
        return result

    def _moved(self, place: int) -> Iterator[int]:
        """What an instruction only moves."""
        opcode = self.opcodes[place]
        head = opcode.partition(".")[0]
        if opcode.startswith(("ld.param", "ld.const")):
            yield CONSTANT
        elif (
            head in _MOVES
            or opcode in _BITS
            or WIDENS.fullmatch(opcode)
            or _RESIZES.fullmatch(opcode)
        ):
            text = self._inputs[place]
            if _NUMBER.search(_NAME.sub("", text)):
                yield CONSTANT
            for name in _NAME.findall(text):
                number = self._numbers.get(name)
                if number is not None:
                    yield from self._reaching.before(place, number)

    def _number_values(self) -> list[int]:
        """Equal numbers for instructions that compute the same of the same values."""
        known: dict[tuple[object, ...], int] = {}
        classes: list[int] = []
        for place, row in enumerate(self._rows):
            classes.append(place)
            text = self._inputs[place]
            if not _PURE.match(row.opcode) or row.predicate or text.startswith(_CHANGING):
                continue
            key: list[object] = [row.opcode, _NAME.sub("?", text)]
            for name in _NAME.findall(text):
                number = self._numbers.get(name)
                if number is None:
                    key.append(name)
                    continue
                before = self._reaching.before(place, number)
                if len(before) == 1 and 0 <= before[0] < place:
                    key.append(classes[before[0]])
                elif any(self._between(each, place) for each in before):
                    break
                else:
                    # What comes into a block, perhaps around a loop, is one value all through it.
                    key.append((number, self._blocks.of(place)))
            else:
                classes[place] = known.setdefault(tuple(key), place)
        return classes

    def _between(self, write: int, place: int) -> bool:
        """Whether a write stands before an instruction in its block."""
        return 0 <= write < place and self._blocks.of(write) == self._blocks.of(place)

    def _number(self, name: str) -> int:
        return self._numbers.setdefault(name, len(self._numbers) + 1)

    def _guard(self, text: str) -> int:
        name = text.lstrip("! ")
        return self._number(name) << 1 | text.startswith("!")

    def _find_blocks(self, guards: Sequence[int]) -> Blocks:
        rows = self._rows
        jumps: list[tuple[int, int]] = []
        if any(opcode.startswith("brx") for opcode in self.opcodes):
            raise IndirectError
        branches = [place for place, op in enumerate(self.opcodes) if op.startswith("bra")]
        if branches:
            labels = Labels(self._function.statements)
            for place in branches:
                target = labels.find(rows[place].scope, rows[place].operands.strip())
                if target is None:
                    raise IndirectError
                jumps.append((place, min(labels.targets[target], len(rows))))
        ends = [p for p, op in enumerate(self.opcodes) if op.partition(".")[0] in _ENDS]
        heads = {0, *(first for _, first in jumps)}
        heads.update(place + 1 for place in (*branches, *ends))
        ordered = sorted(each for each in heads if each < len(rows))
        stops = {p for p in (*branches, *ends) if not guards[p]}
        edges = [(last, first) for last, first in jumps if first < len(rows)]
        edges += [(head - 1, head) for head in ordered if head and head - 1 not in stops]
        return Blocks(ordered, edges)


def _parts(opcode: str, text: str) -> tuple[list[str], str]:
    """The registers that an instruction writes, and the text of its inputs."""
    start = text[:1]
    if start == "{":
        results, _, inputs = text.partition("}")
        return _NAME.findall(results), inputs.lstrip(", ")
    if start == "(":
        results, _, inputs = text.partition(")")
        return _NAME.findall(results), inputs.lstrip(", ")
    if start == "[" or opcode.partition(".")[0] in _NO_RESULT:
        return [], text
    results, _, inputs = text.partition(",")
    return (_NAME.findall(results) if "|" in results else [results.strip()]), inputs
