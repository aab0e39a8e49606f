"""A PTX function as operations over named registers: operands told apart, scopes resolved.

Source: "Parallel Thread Execution ISA", chapters "Instruction Operands" and "State Spaces, Types,
and Variables". Operands that are not understood are kept as names of something unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sassay.isa.ptx.syntax import Declaration, Instruction, Label, Scope
from sassay.lint.opcode import Opcode, read_opcode, type_bits

if TYPE_CHECKING:
    from sassay.isa.ptx.syntax import PtxFunction

_PART = re.compile(r"\[[^\]]*\]|\{[^}]*\}|\([^)]*\)|[^,\s]+", re.ASCII)
_WORD = re.compile(r"[A-Za-z_$%][\w$]*(?:\.[a-z]\w*)?|[+-]*\d\w*(?:\.\d*)?", re.ASCII)
_REGISTERS = re.compile(r"\.reg\s+((?:\.\w+\s+)*)([^;]*)", re.ASCII)
_RANGE = re.compile(r"([\w$%]+?)\s*<\s*(\d+)\s*>", re.ASCII)
_NUMBERED = re.compile(r"(.*?)(\d+)", re.ASCII)
_NUMERIC = frozenset("0123456789+-")

SINK = "_"
"""The destination that drops what is written."""


@dataclass(slots=True)
class Address:
    """`[base+offset]`: a register or a symbol, and bytes; base is empty for a bare number."""

    base: str
    offset: int


@dataclass(slots=True)
class Op:
    """One instruction.

    Attributes:
        index: Its number in the function.
        instruction: As the syntax tree has it.
        opcode: Its spelling, taken apart.
        guard: Register of the predicate, empty where it always runs.
        negated: The guard is `!p`.
        results: Registers that it writes, in order.
        sources: Registers, symbols and numbers that it reads, those of addresses included.
        addresses: Its `[...]` operands, in order.
        data: Sources outside of addresses.
    """

    index: int
    instruction: Instruction
    opcode: Opcode
    guard: str
    negated: bool
    results: tuple[str, ...]
    sources: tuple[str, ...]
    addresses: tuple[Address, ...]
    data: tuple[str, ...]

    @property
    def line(self) -> int:
        """Line in the module, from 1."""
        return self.instruction.line

    @property
    def text(self) -> str:
        """The instruction as a person reads it."""
        each = self.instruction
        guard = f"@{each.predicate} " if each.predicate else ""
        return f"{guard}{each.opcode} {each.operands}".rstrip() + ";"


@dataclass
class Program:
    """The operations of a function.

    Attributes:
        function: What was read.
        ops: In order.
        widths: Bits by register.
        tables: Labels of each list that an indexed branch may name.
    """

    function: PtxFunction
    ops: list[Op] = field(default_factory=list)
    widths: dict[str, int] = field(default_factory=dict)
    tables: dict[str, tuple[str, ...]] = field(default_factory=dict)


def read_program(function: PtxFunction) -> Program:
    """The operations of a function.

    Raises:
        FormatError: The body does not parse.
    """
    return _Reader(function).read()


class _Reader:
    """Walks the statements; knows which registers a scope declares."""

    def __init__(self, function: PtxFunction) -> None:
        self._program = Program(function)
        self._parents: dict[int, int] = {}
        self._names: dict[tuple[int, str], int] = {}
        self._ranges: dict[tuple[int, str], tuple[int, int]] = {}
        self._keys: dict[tuple[int, str], str] = {}
        self._spelled: dict[tuple[int, str], tuple[str, ...]] = {}
        self._label = ""

    def read(self) -> Program:
        """The program."""
        for row in (*self._program.function.params, *self._program.function.returns):
            if row.text.startswith(".reg"):
                self._names[0, row.name] = type_bits(row.type)
        for each in self._program.function.statements:
            if isinstance(each, Instruction):
                self._take(each)
            elif isinstance(each, Label):
                self._label = each.name
            elif isinstance(each, Declaration):
                self._declare(each)
            elif isinstance(each, Scope) and each.opens:
                self._parents[each.scope] = each.parent
        return self._program

    def _declare(self, each: Declaration) -> None:
        if each.text.startswith(".branchtargets"):
            names = tuple(_WORD.findall(each.text.partition(" ")[2]))
            self._program.tables[self._label] = names
            return
        match = _REGISTERS.match(each.text)
        if match is None:
            return
        bits = max((type_bits(word) for word in match[1].replace(".", " ").split()), default=0)
        for name in match[2].split(","):
            several = _RANGE.fullmatch(name.strip())
            if several:
                self._ranges[each.scope, several[1]] = (int(several[2]), bits)
            else:
                self._names[each.scope, name.strip()] = bits
        self._keys.clear()
        self._spelled.clear()

    def _key(self, scope: int, name: str) -> str:
        """The register that a name means in a scope: itself in the body, else with its scope."""
        known = self._keys.get((scope, name))
        if known is None:
            known = self._keys[scope, name] = self._resolve(scope, name)
        return known

    def _resolve(self, scope: int, name: str) -> str:
        numbered = _NUMBERED.fullmatch(name)
        here = scope
        while True:
            bits = self._names.get((here, name))
            if bits is None and numbered:
                count, wide = self._ranges.get((here, numbered[1]), (0, 0))
                bits = wide if int(numbered[2]) < count else None
            if bits is not None:
                key = name if here == 0 else f"{name}@{here}"
                self._program.widths[key] = bits
                return key
            if here == 0:
                return name
            here = self._parents.get(here, 0)

    def _take(self, each: Instruction) -> None:
        opcode = read_opcode(each.opcode)
        scope = each.scope
        results: tuple[str, ...] = ()
        data: list[str] = []
        inside: list[str] = []
        addresses: list[Address] = []
        operands = each.operands
        # Most instructions have nothing but names and numbers between their commas.
        plain = "[" not in operands and "{" not in operands and "(" not in operands
        parts = operands.split(", ") if plain else _PART.findall(operands)
        wanted = opcode.writes
        if opcode.head == "call":
            wanted = bool(parts) and parts[0].startswith("(")
        for part in parts if operands else ():
            words = self._words(scope, part)
            if part[:1] == "[":
                addresses.append(_address(words))
                inside += [word for word in words if word[0] not in _NUMERIC]
            elif wanted and not addresses and not data and not results:
                results = tuple(w for w in words if w != SINK and w[0] not in _NUMERIC)
                wanted = False
                if opcode.head == "wgmma":
                    data += results  # the accumulator is read as well
            else:
                data += words
        guard = each.predicate
        self._program.ops.append(
            Op(
                len(self._program.ops),
                each,
                opcode,
                self._key(scope, guard.lstrip("!")) if guard else "",
                (guard or "").startswith("!"),
                results,
                (*data, *inside),
                tuple(addresses),
                tuple(data),
            )
        )

    def _words(self, scope: int, part: str) -> tuple[str, ...]:
        """Names and numbers of an operand."""
        known = self._spelled.get((scope, part))
        if known is None:
            known = self._spelled[scope, part] = tuple(
                word if word[0] in _NUMERIC else self._key(scope, word)
                for word in _WORD.findall(part)
            )
        return known


def _address(words: tuple[str, ...]) -> Address:
    base = words[0] if words and words[0][0] not in _NUMERIC else ""
    numbers = words[1:2] if base else words[:1]
    return Address(base, sum(integer(word) or 0 for word in numbers if word[0] in _NUMERIC))


def integer(text: str) -> int | None:
    """An integer constant, None if it is something else. Source: PTX ISA, "Integer Constants"."""
    sign = -1 if text.count("-") % 2 else 1
    digits = text.lstrip("+-").rstrip("U")
    try:
        if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
            return sign * int(digits, 8)
        return sign * int(digits, 0)
    except ValueError:
        return None
