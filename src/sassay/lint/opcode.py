"""What an opcode's spelling says: its head, the state space, how wide an access is.

Source: "Parallel Thread Execution ISA", chapter "Instruction Set". A modifier that is not known
changes nothing, so that PTX of a future version reads as far as it is like today's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from sassay.isa.categories import category
from sassay.model.layers import Layer

_TYPE = re.compile(r"([busf])(\d{1,3})|(bf16|tf32|pred|[fb]16x2|bf16x2)", re.ASCII)
_BITS = {"bf16": 16, "tf32": 32, "pred": 1, "f16x2": 32, "b16x2": 32, "bf16x2": 32}
_VECTOR = {"v2": 2, "v4": 4, "v8": 8}
_SPACES = ("global", "shared", "local", "param", "const")
_ACCESSES = frozenset({"ld", "st", "ldu", "atom", "red"})
_WITHOUT_RESULT = frozenset({
    "st", "bra", "brx", "ret", "exit", "trap", "brkpt", "bar", "barrier", "red", "membar", "fence",
    "prefetch", "prefetchu", "cp", "nanosleep", "setmaxnreg", "griddepcontrol", "stmatrix",
    "tensormap", "discard", "applypriority", "pmevent",
})  # fmt: skip
_FLOATS = frozenset({"f16", "bf16", "f32", "f64", "tf32", "f16x2", "bf16x2", "f32x2"})


@dataclass(frozen=True, slots=True)
class Opcode:
    """One opcode, taken apart.

    Attributes:
        text: The whole dotted spelling.
        head: The first word.
        words: The modifiers.
        types: The modifiers that are types, in order.
        space: `global`, `shared`, `local`, `param`, `const`, or `generic` for an access that
            names none; None for what is no access.
        vector: Elements of the access.
        bits: Bits of one element, 0 where the spelling names no type.
        category: As the census has it.
        writes: Whether the first operand is a result, unless it is an address.
    """

    text: str
    head: str
    words: tuple[str, ...]
    types: tuple[str, ...]
    space: str | None
    vector: int
    bits: int
    category: str
    writes: bool

    @property
    def width(self) -> int:
        """Bytes that one thread moves."""
        return self.vector * self.bits // 8

    @property
    def is_load(self) -> bool:
        """Whether it reads memory into registers, alone."""
        return self.head in {"ld", "ldu"}

    @property
    def is_store(self) -> bool:
        """Whether it writes registers to memory, alone."""
        return self.head == "st"

    @property
    def is_float(self) -> bool:
        """Whether its last type is a floating-point type."""
        return bool(self.types) and self.types[-1] in _FLOATS


@lru_cache(maxsize=16_384)
def read_opcode(text: str) -> Opcode:
    """Takes an opcode apart.

    Args:
        text: The whole dotted spelling.
    """
    head, *words = text.split(".")
    types = tuple(word for word in words if _TYPE.fullmatch(word))
    space = next((word.split("::")[0] for word in words if word.split("::")[0] in _SPACES), None)
    if space is None and head in _ACCESSES:
        space = "generic"
    return Opcode(
        text=text,
        head=head,
        words=tuple(words),
        types=types,
        space=space,
        vector=next((_VECTOR[word] for word in words if word in _VECTOR), 1),
        bits=type_bits(types[-1]) if types else 0,
        category=category(Layer.PTX, text),
        writes=_writes(head, words),
    )


def _writes(head: str, words: list[str]) -> bool:
    if head in {"bar", "barrier"}:
        return "red" in words
    return head not in _WITHOUT_RESULT


@lru_cache(maxsize=256)
def type_bits(name: str) -> int:
    """Bits of a type such as `f32`; 0 where it is none."""
    match = _TYPE.fullmatch(name)
    if match is None:
        return 0
    return _BITS[match[3]] if match[3] else int(match[2])
