"""Variables and where they lie: module variables, shared and local memory, parameters."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

from sassay.errors import FormatError
from sassay.machine.errors import MissingForm
from sassay.machine.memory import WINDOWS
from sassay.machine.operands import integer, number
from sassay.machine.program import Variable
from sassay.machine.types import TYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.isa.ptx import Module
    from sassay.isa.ptx.syntax import Parameter

_DECLARED = re.compile(
    r"(?:\.(?P<linkage>visible|extern|weak|common)\s+)?\.(?P<space>\w+)\s+(?P<words>[^;]*?)"
    r"(?P<name>[A-Za-z_$%][\w$]*)\s*(?P<sizes>(?:\[[^\]]*\]\s*)*);?",
    re.ASCII,
)
_ALIGN = re.compile(r"\.align\s+(\d+)", re.ASCII)
_TYPE = re.compile(r"\.((?:[bsuf]\d+|bf16|f16x2|pred)\b)", re.ASCII)
_SIZE = re.compile(r"\[\s*(\w*)\s*\]", re.ASCII)
_VECTOR = re.compile(r"\.v([248])\b", re.ASCII)
_REFERENCE = re.compile(r"(?:generic\()?([A-Za-z_$%][\w$]*)\)?(?:\+(\d+))?", re.ASCII)

VARIABLES_START = 0x6000_0000_0000
"""Where module variables in global memory start."""

FUNCTIONS_START = 0x5000_0000_0000
"""Where functions start: nothing can be loaded from there."""

_FUNCTION_BYTES = 16
_SPACING = 1 << 22
MAX_VARIABLE = 1 << 28


@dataclass(frozen=True)
class Declared:
    """A variable declaration, read: its space, name, size and alignment in bytes, element type."""

    space: str
    name: str
    size: int
    align: int
    element: str
    extern: bool


def read_declaration(text: str) -> Declared:
    """Reads a declaration such as `.shared .align 4 .b8 tile[1024]`.

    Raises:
        MissingForm: It is of a kind that the machine does not know.
    """
    match = _DECLARED.fullmatch(text.strip())
    kind = _TYPE.search(match["words"]) if match else None
    if match is None or kind is None or kind[1] not in TYPES:
        raise MissingForm(text)
    sizes = [integer(each) if each else 0 for each in _SIZE.findall(match["sizes"])]
    vector = _VECTOR.search(match["words"])
    width = max(TYPES[kind[1]].bits // 8, 1) * (int(vector[1]) if vector else 1)
    if any(each is None or each < 0 for each in sizes):
        raise MissingForm(text)
    align = _ALIGN.search(match["words"])
    size = width * prod(each or 0 for each in sizes)
    return Declared(
        match["space"],
        match["name"],
        size,
        int(align[1]) if align else width,
        kind[1],
        match["linkage"] == "extern",
    )


@dataclass
class Area:
    """A space that is filled from its start."""

    size: int = 0

    def place(self, size: int, align: int) -> int:
        """The offset of something new."""
        align = max(align, 1)
        start = -(-self.size // align) * align
        self.size = start + size
        return start


@dataclass
class ModuleVariables:
    """Where the variables of a module lie.

    Attributes:
        places: Space and address in it, by name.
        shared: Static shared memory.
        dynamic: Names of variables that stand for dynamic shared memory, with their alignment.
        const: Content of constant memory.
        globals: Variables in global memory.
        functions: Addresses of functions, those without a body among them.
    """

    places: dict[str, tuple[str, int]] = field(default_factory=dict)
    shared: Area = field(default_factory=Area)
    dynamic: dict[str, int] = field(default_factory=dict)
    const: bytearray = field(default_factory=bytearray)
    globals: list[Variable] = field(default_factory=list)
    functions: dict[str, int] = field(default_factory=dict)

    def find(self, name: str) -> tuple[str, int] | None:
        """Space and address of a variable or a function, None if there is none."""
        if name in self.places:
            return self.places[name]
        return ("code", self.functions[name]) if name in self.functions else None


def place_variables(module: Module, artifact: str) -> ModuleVariables:
    """Gives every variable of a module its place.

    Raises:
        FormatError: A declaration or an initializer does not parse.
    """
    found = ModuleVariables()
    names = [each.name for each in module.functions]
    names += [each.name for each in module.declared]
    names += [name for name, _ in module.aliases]
    for at, name in enumerate(dict.fromkeys(names)):
        found.functions[name] = FUNCTIONS_START + _FUNCTION_BYTES * at
    contents: list[tuple[Declared, str | None, int]] = []
    area = Area()
    for variable in module.variables:
        try:
            declared = read_declaration(variable.text)
        except MissingForm:
            if variable.space in {"texref", "samplerref", "surfref", "tex"}:
                continue
            raise FormatError(
                f"declaration {variable.text!r}", artifact=artifact, place=f"line {variable.line}"
            ) from None
        if declared.size > MAX_VARIABLE:
            raise FormatError(
                f"variable of {declared.size} bytes",
                artifact=artifact,
                place=f"line {variable.line}",
                hint=f"at most {MAX_VARIABLE}",
            )
        if declared.space == "shared":
            if variable.linkage == "extern" or declared.size == 0:
                found.dynamic[variable.name] = declared.align
            else:
                place = found.shared.place(declared.size, declared.align)
                found.places[variable.name] = ("shared", place)
        elif declared.space == "const":
            place = area.place(declared.size, declared.align)
            found.places[variable.name] = ("const", place)
            contents.append((declared, variable.initializer, variable.line))
        elif declared.space == "global":
            address = VARIABLES_START + _SPACING * len(found.globals)
            address = _after(found.globals, address)
            found.places[variable.name] = ("global", address)
            found.globals.append(Variable(variable.name, b"\0" * declared.size, address))
            contents.append((declared, variable.initializer, variable.line))
    found.const = bytearray(area.size)
    _fill(found, contents, artifact)
    return found


def _after(placed: list[Variable], address: int) -> int:
    if not placed:
        return address
    last = placed[-1]
    end = last.address + len(last.content)
    return max(address, -(-(end + _SPACING) // _SPACING) * _SPACING)


def _fill(
    found: ModuleVariables, contents: Sequence[tuple[Declared, str | None, int]], artifact: str
) -> None:
    filled: dict[str, bytes] = {}
    for declared, initializer, line in contents:
        content = b""
        if initializer:
            try:
                content = _initial(found, declared, initializer)
            except MissingForm as error:
                raise FormatError(
                    f"initializer {error.form!r}", artifact=artifact, place=f"line {line}"
                ) from None
        content = content[: declared.size].ljust(declared.size, b"\0")
        space, place = found.places[declared.name]
        if space == "const":
            found.const[place : place + declared.size] = content
        else:
            filled[declared.name] = content
    found.globals = [Variable(each.name, filled[each.name], each.address) for each in found.globals]


def _initial(found: ModuleVariables, declared: Declared, text: str) -> bytes:
    kind = TYPES[declared.element]
    values = [part for part in re.split(r"[{},]+", text) if part]
    return b"".join(_element(found, each, kind.bits // 8, kind.kind) for each in values)


def _element(found: ModuleVariables, text: str, width: int, kind: str) -> bytes:
    value = number(text)
    if value is None:
        match = _REFERENCE.fullmatch(text)
        if match is None:
            raise MissingForm(text)
        space, place = found.find(match[1]) or ("", -1)
        if place < 0:
            raise MissingForm(text)
        window = WINDOWS.get(space, 0) if text.startswith("generic") else 0
        value = window + place + int(match[2] or 0)
    if isinstance(value, float) or kind == "f":
        return struct.pack("<f" if width == 4 else "<d" if width == 8 else "<e", value)
    return (value & ((1 << 8 * width) - 1)).to_bytes(width, "little")


def place_parameters(params: Sequence[Parameter]) -> tuple[tuple[int, ...], int]:
    """Where each parameter of an entry lies in parameter space, and the size of that space."""
    area = Area()
    offsets = []
    for param in params:
        width = max(TYPES[param.type].bits // 8, 1) if param.type in TYPES else 8
        if param.size is None:
            offsets.append(area.place(width, width))
        else:
            # The alignment of a pointer's pointee is no alignment of the parameter.
            offsets.append(area.place(width * param.size, max(param.align or 1, width)))
    return tuple(offsets), area.size
