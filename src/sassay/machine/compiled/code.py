"""Text of LLVM IR: a register of a warp is a vector of 32 lanes or, if all agree, a scalar."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LANES = 32
FLOATS = {16: "half", 32: "float", 64: "double"}
BITS = {"half": 16, "float": 32, "double": 64}
_LETTERS = {"half": "f16", "float": "f32", "double": "f64"}


@dataclass(frozen=True)
class Value:
    """A value of IR.

    Attributes:
        text: As an operand.
        type: Of one lane, such as `i32`.
        wide: It is a vector of all lanes.
    """

    text: str
    type: str
    wide: bool = False

    @property
    def spelled(self) -> str:
        """The type in IR."""
        return f"<{LANES} x {self.type}>" if self.wide else self.type

    @property
    def bits(self) -> int:
        """Width of one lane."""
        return BITS.get(self.type) or int(self.type[1:])

    @property
    def constant(self) -> bool:
        """Known when the code is made."""
        return not self.text.startswith("%")


def number(value: int, bits: int) -> Value:
    """An integer constant; wraps."""
    return Value(str(value & ((1 << bits) - 1)), f"i{bits}")


class Unit:
    """A module of IR: functions and what they declare."""

    def __init__(self) -> None:
        self.declared: set[str] = set()
        self.functions: dict[str, str] = {}

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join([*self.functions.values(), *sorted(self.declared)])

    def helper(self, name: str, build: Callable[[Unit], str]) -> None:
        """Adds a function once.

        Args:
            name: Of it.
            build: Gives its text.
        """
        if name not in self.functions:
            self.functions[name] = ""
            self.functions[name] = build(self)


class Code:
    """The body of one function, written line by line."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.lines: list[str] = []
        self.heads: list[str] = []
        self._count = 0
        self._scratch: dict[str, int] = {}

    def emit(self, line: str) -> None:
        """Adds a line."""
        self.lines.append(line)

    def label(self, name: str) -> None:
        """Starts a basic block."""
        self.lines.append(f"{name}:")

    def fresh(self, prefix: str = "v") -> str:
        """A name that nothing has."""
        self._count += 1
        return f"{prefix}{self._count}"

    def scratch(self, name: str, size: int) -> str:
        """A place on the stack that many instructions use, one after the other."""
        self._scratch[name] = max(self._scratch.get(name, 0), size)
        return f"%{name}"

    def let(self, right: str, kind: str, *, wide: bool) -> Value:
        """Names the result of an instruction."""
        name = f"%{self.fresh()}"
        self.lines.append(f"{name} = {right}")
        return Value(name, kind, wide)

    def splat(self, value: Value) -> Value:
        """The same in all lanes."""
        if value.wide:
            return value
        if value.constant:
            return Value(f"splat ({value.type} {value.text})", value.type, wide=True)
        wide = f"<{LANES} x {value.type}>"
        first = self.let(
            f"insertelement {wide} poison, {value.type} {value.text}, i32 0", value.type, wide=True
        )
        return self.let(
            f"shufflevector {wide} {first.text}, {wide} poison, <{LANES} x i32> zeroinitializer",
            value.type,
            wide=True,
        )

    def alike(self, values: Sequence[Value]) -> list[Value]:
        """All wide if one is."""
        if any(each.wide for each in values):
            return [self.splat(each) for each in values]
        return list(values)

    def op(self, name: str, first: Value, second: Value) -> Value:
        """An instruction of two operands of one type."""
        a, b = self.alike([first, second])
        return self.let(f"{name} {a.spelled} {a.text}, {b.text}", a.type, wide=a.wide)

    def test(self, condition: str, first: Value, second: Value) -> Value:
        """`icmp` or `fcmp`, by the type."""
        a, b = self.alike([first, second])
        name = "fcmp" if a.type in BITS else "icmp"
        return self.let(f"{name} {condition} {a.spelled} {a.text}, {b.text}", "i1", wide=a.wide)

    def choose(self, where: Value, first: Value, second: Value) -> Value:
        """`select`."""
        if where.wide:
            a, b = self.splat(first), self.splat(second)
        else:
            a, b = self.alike([first, second])
        return self.let(
            f"select {where.spelled} {where.text}, {a.spelled} {a.text}, {b.spelled} {b.text}",
            a.type,
            wide=a.wide,
        )

    def cast(self, name: str, value: Value, kind: str) -> Value:
        """A conversion of each lane."""
        if value.type == kind:
            return value
        if value.constant and name in {"zext", "trunc"} and not value.wide:
            bits = int(kind[1:])
            return number(int(value.text), bits)
        target = replace(value, type=kind)
        return self.let(
            f"{name} {value.spelled} {value.text} to {target.spelled}", kind, wide=value.wide
        )

    def resize(self, value: Value, bits: int, *, signed: bool = False) -> Value:
        """An integer of another width: cut, or extended."""
        if value.bits == bits:
            return value
        name = "trunc" if bits < value.bits else "sext" if signed else "zext"
        return self.cast(name, value, f"i{bits}")

    def as_float(self, value: Value) -> Value:
        """The same bits as a float."""
        return value if value.type in BITS else self.cast("bitcast", value, FLOATS[value.bits])

    def as_bits(self, value: Value) -> Value:
        """The same bits as an integer."""
        return self.cast("bitcast", value, f"i{value.bits}") if value.type in BITS else value

    def intrinsic(self, name: str, values: Sequence[Value], *, extra: str = "") -> Value:
        """A call of `llvm.NAME` that gives the type of its first operand."""
        given = self.alike(values)
        first = given[0]
        letter = _LETTERS.get(first.type, first.type)
        suffix = f"v{LANES}{letter}" if first.wide else letter
        kinds = ", ".join(each.spelled for each in given)
        more = f", {extra.split(' ', maxsplit=1)[0]}" if extra else ""
        self.unit.declared.add(f"declare {first.spelled} @llvm.{name}.{suffix}({kinds}{more})")
        operands = ", ".join(f"{each.spelled} {each.text}" for each in given)
        operands += f", {extra}" if extra else ""
        return self.let(
            f"call {first.spelled} @llvm.{name}.{suffix}({operands})", first.type, wide=first.wide
        )

    def mask(self, where: Value) -> Value:
        """A predicate of the lanes as a word of bits."""
        if where.wide:
            return self.let(f"bitcast {where.spelled} {where.text} to i32", "i32", wide=False)
        return self.choose(where, number(-1, 32), number(0, 32))

    def rarely(self, where: Value, value: Value, build: Callable[[], Value]) -> Value:
        """A value, or another one that is only computed if something is so in some lane."""
        do, after, place = self.fresh("do"), self.fresh("on"), f"%{self.fresh('rare')}"
        self.heads.append(f"{place} = alloca {value.spelled}, align 32")
        self.emit(f"store {value.spelled} {value.text}, ptr {place}, align 32")
        some = self.test("ne", self.mask(where), number(0, 32))
        self.emit(f"br i1 {some.text}, label %{do}, label %{after}")
        self.label(do)
        other = build()
        self.emit(f"store {other.spelled} {other.text}, ptr {place}, align 32")
        self.emit(f"br label %{after}")
        self.label(after)
        return self.load(value.spelled, place, value.type, wide=value.wide, align=32)

    def unmask(self, bits: Value) -> Value:
        """A word of bits as a predicate of the lanes."""
        return self.let(f"bitcast i32 {bits.text} to <{LANES} x i1>", "i1", wide=True)

    def load(self, spelled: str, place: str, kind: str, *, wide: bool, align: int) -> Value:
        """Reads memory."""
        return self.let(f"load {spelled}, ptr {place}, align {align}", kind, wide=wide)

    def at(self, base: str, offset: int | Value) -> str:
        """A pointer so many bytes further."""
        given = number(offset, 64) if isinstance(offset, int) else offset
        name = f"%{self.fresh('p')}"
        self.emit(f"{name} = getelementptr i8, ptr {base}, i64 {given.text}")
        return name

    def function(self, head: str) -> str:
        """The whole function."""
        places = [
            f"%{name} = alloca [{size} x i8], align 32" for name, size in self._scratch.items()
        ]
        body = "\n  ".join([*places, *self.heads, *self.lines])
        return f"define {head} {{\nstart:\n  {body}\n}}\n"
