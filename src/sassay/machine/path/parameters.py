"""What the parameters of a kernel are: by its signature, or by what its code does with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sassay.machine.access import split_access
from sassay.machine.errors import MissingForm
from sassay.machine.types import TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.machine.program import Op, Program, Source
    from sassay.model.kernel import Kernel

Kind = Literal["array", "integer", "flag", "float", "scratch", "null"]


class UnknownParameterError(Exception):
    """What a parameter is cannot be told; the text says why."""


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Attributes:
        name: As the source or the module spells it.
        kind: What it is; `scratch` and `null` are those that a compiler adds.
        dtype: Of an array: numpy's name. Words that are no integers are `u1`, `u2`, `f4` or `f8`.
        floats: An array of floats, or a float.
    """

    name: str
    kind: Kind
    dtype: str = ""
    floats: bool = False


_DTYPES = {
    "bf16": "u2", "fp16": "u2", "fp32": "u4", "fp64": "u8", "i1": "i1", "u1": "u1",
    "i8": "i1", "u8": "u1", "i16": "i2", "u16": "u2", "i32": "i4", "u32": "u4",
    "i64": "i8", "u64": "u8",
}  # fmt: skip
_FLOATS = ("bf", "fp")


def parameters_of(kernel: Kernel, program: Program) -> tuple[Parameter, ...]:
    """The parameters of a kernel.

    Args:
        kernel: As captured.
        program: Its entry.

    Raises:
        UnknownParameterError: What one of them is cannot be told.
    """
    if kernel.specialization.signature:
        return _by_signature(kernel, program)
    return _by_code(program)


def _by_signature(kernel: Kernel, program: Program) -> tuple[Parameter, ...]:
    signature = kernel.specialization.signature
    given = [(name, kind) for name, kind in signature.items() if kind not in {"constexpr", "none"}]
    if len(given) > len(program.params):
        raise UnknownParameterError(
            f"the signature has {len(given)} parameters and the code {len(program.params)}"
        )
    found: list[Parameter] = []
    for (name, kind), param in zip(given, program.params, strict=False):
        pointer = ".ptr" in param.text or (param.type == "u64" and kind.startswith("*"))
        if kind.startswith("*") != pointer:
            raise UnknownParameterError(
                "the capture has lost the order of the parameters: capture the kernels again"
            )
        found.append(_typed(name, kind))
    # Triton passes two pointers more: to memory that the kernel may use, and to a profile.
    for number, param in enumerate(program.params[len(given) :]):
        found.append(Parameter(param.name, "null" if number else "scratch"))
    return tuple(found)


def _typed(name: str, kind: str) -> Parameter:
    if kind.startswith("*"):
        plain = kind.removeprefix("*").removeprefix("k")
        dtype = "u1" if plain.startswith("fp8") else _DTYPES.get(plain)
        if dtype is not None:
            return Parameter(name, "array", dtype, plain.startswith(_FLOATS))
    elif kind in {"fp16", "bf16", "fp32", "fp64"}:
        return Parameter(name, "float", floats=True)
    elif kind in {"i1", "u1"}:
        return Parameter(name, "flag")
    elif kind.startswith(("i", "u")):
        return Parameter(name, "integer")
    raise UnknownParameterError(f"arguments of type {kind} are not known")


# By code.

_CARRIES = frozenset({"mov", "moves", "cvta", "add", "sub", "mad", "selp", "ld", "prefetch"})
"""Operations whose result may point where a source points."""


def _by_code(program: Program) -> tuple[Parameter, ...]:
    flow = _Flow(program)
    found: list[Parameter] = []
    for number, param in enumerate(program.params):
        if param.size is not None:
            raise UnknownParameterError(
                f"parameter {param.name} is a structure of {param.size} bytes, and nothing says "
                "what is in it"
            )
        # A compiler of C++ has no names of its own to give.
        name = f"p{number}" if param.name == f"{program.name}_param_{number}" else param.name
        if number in flow.pointers or ".ptr" in param.text:
            kinds = flow.kinds.get(number, {"b8"})
            found.append(Parameter(name, "array", *_element(kinds)))
        elif param.type in TYPES and TYPES[param.type].kind == "f":
            found.append(Parameter(name, "float", floats=True))
        else:
            found.append(Parameter(name, "integer"))
    return tuple(found)


def _element(kinds: set[str]) -> tuple[str, bool]:
    """The type of an array's elements by how they are accessed, and whether they are floats."""
    width = min(TYPES[kind].bits for kind in kinds) // 8
    floats = any(TYPES[kind].kind == "f" for kind in kinds)
    whole = any(kind[0] in "us" for kind in kinds)
    if width < 4:
        # Halves and bytes are moved as integers whatever they are.
        return f"u{width}", True
    return (f"f{width}", True) if floats or not whole else (f"i{width}", False)


class _Flow:
    """Which parameters point where: by `cvta`, and by the addresses of accesses.

    Attributes:
        pointers: Numbers of parameters that are pointers.
        kinds: Types of what is accessed through each.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._numbers = {
            offset: number
            for number, (offset, param) in enumerate(
                zip(program.offsets, program.params, strict=True)
            )
            if param.size is None and TYPES[param.type].bits == 64
        }
        self._roots: dict[int, frozenset[int]] = {}
        ops = [op for block in program.blocks for op in block.ops]
        changed = True
        while changed:
            changed = False
            for op in ops:
                changed |= self._follow(op)
        self.pointers: set[int] = set()
        for op in ops:
            if op.base == "cvta":
                for root in self._of(op.sources[0]):
                    self.pointers.add(root)
        self.kinds: dict[int, set[str]] = {}
        for op in ops:
            for source, kind in _accesses(op):
                roots = self._of(source)
                known = roots & self.pointers
                self.pointers |= known or roots
                for root in known or roots:
                    self.kinds.setdefault(root, set()).add(kind)

    def _of(self, source: Source) -> frozenset[int]:
        return self._roots.get(source.slot, frozenset()) if source.slot is not None else frozenset()

    def _follow(self, op: Op) -> bool:
        """Hands roots on from sources to targets; whether that is new."""
        if op.base not in _CARRIES or (op.base == "ld" and ".param" not in op.form):
            return False
        if op.base == "ld":
            source = op.sources[0]
            if source.slot is not None or source.value is None:
                return False
            start = int(source.value.flat[0]) + source.offset
            each = TYPES[op.form.rsplit(".", 1)[-1]].bits // 8
            given = [
                (slot, frozenset([self._numbers[start + at * each]]))
                for at, slot in enumerate(op.targets)
                if start + at * each in self._numbers
            ]
        else:
            # Of a product and a sum only what is added may be a pointer.
            sources = op.sources[2:] if op.base == "mad" else op.sources
            roots = frozenset[int]().union(*(self._of(each) for each in sources))
            given = [(slot, roots) for slot in op.targets]
        changed = False
        for slot, roots in given:
            known = self._roots.get(slot, frozenset())
            if not roots <= known:
                self._roots[slot] = known | roots
                changed = True
        return changed


def _accesses(op: Op) -> Iterator[tuple[Source, str]]:
    """The address of an access to global memory, and the type of what it accesses."""
    if op.base in {"ld", "ldu", "st", "atom", "red"}:
        try:
            space, _, kind = split_access(op.form)
        except MissingForm:
            return
        if space in {"", "global"} and op.sources:
            yield op.sources[0], kind
    elif op.base == "cp" and ".bulk" not in op.form and len(op.sources) > 1:
        yield op.sources[1], "b16"
