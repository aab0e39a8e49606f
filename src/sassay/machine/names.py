"""What names mean in a body: registers and variables, scope by scope."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sassay.machine.errors import MissingForm
from sassay.machine.operands import split
from sassay.machine.types import TYPES
from sassay.machine.variables import Area, ModuleVariables, read_declaration

_REGISTERS = re.compile(r"\.reg\s*(?:\.align\s+\d+\s*)?\.(\w+)\s+([^.].*?);?", re.ASCII)
_RANGE = re.compile(r"([\w$%]+)<(\d+)>", re.ASCII)
_NUMBERED = re.compile(r"([A-Za-z_$%][\w$%]*?)(\d+)", re.ASCII)

MAX_REGISTERS = 1 << 20


@dataclass
class Passed:
    """A parameter of a call: pieces of it are kept in registers.

    Attributes:
        name: As spelled.
        line: Of its declaration.
        by_bytes: Its pieces are bytes, since pieces of other sizes would overlap.
        pieces: Slot and bits by offset.
    """

    name: str
    line: int = 0
    by_bytes: bool = False
    pieces: dict[int, tuple[int, int]] = field(default_factory=dict)


Place = tuple[str, int] | Passed
"""A variable: space and address in it, or a parameter of a call."""


class Slots:
    """The register slots of a program; each slot has a width.

    Attributes:
        widths: In bits.
        specials: Slots of special registers by name.
        mixed: Lines of the parameters of calls whose pieces overlap.
    """

    def __init__(self, mixed: frozenset[int] = frozenset()) -> None:
        """Starts with nothing but what is known of parameters."""
        self.mixed = set(mixed)
        self.widths: list[int] = []
        self.specials: dict[str, int] = {}

    def new(self, bits: int) -> int:
        """A new slot."""
        if len(self.widths) >= MAX_REGISTERS:
            raise MissingForm(f"more than {MAX_REGISTERS} registers")
        self.widths.append(bits)
        return len(self.widths) - 1

    def special(self, name: str, bits: int = 32) -> int:
        """The slot of a special register."""
        if name not in self.specials:
            self.specials[name] = self.new(bits)
        return self.specials[name]


class Names:
    """The names of one body, each time it is expanded.

    Attributes:
        parents: Enclosing scope by scope.
    """

    def __init__(self, slots: Slots, module: ModuleVariables, shared: Area, local: Area) -> None:
        self.parents: dict[int, int | None] = {0: None}
        self.slots = slots
        self._module = module
        self._areas = {"shared": shared, "local": local}
        self._registers: dict[tuple[int, str], int] = {}
        self._ranges: dict[tuple[int, str], tuple[int, int]] = {}
        self._places: dict[tuple[int, str], Place] = {}

    def bind(self, name: str, place: Place) -> None:
        """Gives a formal parameter its place."""
        self._places[0, name] = place

    def bind_register(self, name: str, slot: int) -> None:
        """Gives a formal parameter a register."""
        self._registers[0, name] = slot

    def declare(self, scope: int, text: str, line: int = 0) -> None:
        """Takes a `.reg`, `.shared`, `.local` or `.param` declaration.

        Args:
            scope: That it stands in.
            text: Of it.
            line: Of it.

        Raises:
            MissingForm: It is of a kind that the machine does not know.
        """
        if text.startswith(".reg"):
            self._declare_registers(scope, text)
            return
        declared = read_declaration(text)
        if declared.space == "param":
            by_bytes = line in self.slots.mixed
            self._places[scope, declared.name] = Passed(declared.name, line, by_bytes)
        elif declared.space in self._areas and not declared.extern:
            area = self._areas[declared.space]
            place = area.place(declared.size, declared.align)
            self._places[scope, declared.name] = (declared.space, place)
        else:
            raise MissingForm(text)

    def _declare_registers(self, scope: int, text: str) -> None:
        match = _REGISTERS.fullmatch(text)
        if match is None or match[1] not in TYPES:
            raise MissingForm(text)
        bits = TYPES[match[1]].bits
        for each in split(match[2]):
            several = _RANGE.fullmatch(each)
            if several is None:
                self._registers[scope, each] = self.slots.new(bits)
            else:
                self._ranges[scope, several[1]] = (int(several[2]), bits)

    def register(self, scope: int, name: str) -> int | None:
        """The slot of a register, None if the name is no register."""
        special = self._special(name)
        if special is not None:
            return special
        numbered = _NUMBERED.fullmatch(name)
        here: int | None = scope
        while here is not None:
            if (here, name) in self._registers:
                return self._registers[here, name]
            if numbered and (here, numbered[1]) in self._ranges:
                count, bits = self._ranges[here, numbered[1]]
                if int(numbered[2]) < count:
                    slot = self.slots.new(bits)
                    self._registers[here, name] = slot
                    return slot
            here = self.parents[here]
        return None

    def _special(self, name: str) -> int | None:
        if name in SPECIALS:
            return self.slots.special(name, SPECIALS[name])
        return None

    def place(self, scope: int, name: str) -> Place | None:
        """Where a variable lies, None if the name is no variable."""
        here: int | None = scope
        while here is not None:
            if (here, name) in self._places:
                return self._places[here, name]
            here = self.parents[here]
        if name in self._module.dynamic:
            return ("dynamic", 0)
        return self._module.find(name)


def _specials() -> dict[str, int]:
    found: dict[str, int] = {}
    for name in ("tid", "ntid", "ctaid", "nctaid"):
        found |= {f"%{name}.{axis}": 32 for axis in "xyz"}
    for name in ("clusterid", "nclusterid", "cluster_ctaid", "cluster_nctaid"):
        found |= {f"%{name}.{axis}": 32 for axis in "xyz"}
    for name in [
        "laneid",
        "warpid",
        "nwarpid",
        "smid",
        "nsmid",
        "lanemask_eq",
        "lanemask_le",
        "lanemask_lt",
        "lanemask_ge",
        "lanemask_gt",
        "clock",
        "clock_hi",
        "globaltimer_lo",
        "globaltimer_hi",
        "dynamic_smem_size",
        "total_smem_size",
        "aggr_smem_size",
        "cluster_ctarank",
        "cluster_nctarank",
    ]:
        found[f"%{name}"] = 32
    found |= {"%clock64": 64, "%globaltimer": 64, "%gridid": 64, "%is_explicit_cluster": 1}
    return found


SPECIALS = _specials()
"""Bits of the special registers that the machine has, by name."""
