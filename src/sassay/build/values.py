"""Compile-time values as they travel from a manifest or a source file to a compile worker."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

PlainScalar = bool | int | float | str | None

DTYPES: Mapping[str, str] = {
    "int1": "i1",
    "int8": "i8",
    "int16": "i16",
    "int32": "i32",
    "int64": "i64",
    "uint8": "u8",
    "uint16": "u16",
    "uint32": "u32",
    "uint64": "u64",
    "float8e4nv": "fp8e4nv",
    "float8e4b8": "fp8e4b8",
    "float8e4b15": "fp8e4b15",
    "float8e5": "fp8e5",
    "float8e5b16": "fp8e5b16",
    "float16": "fp16",
    "bfloat16": "bf16",
    "float32": "fp32",
    "float64": "fp64",
}
"""`triton.language` attribute to the short name that signatures use."""

MAX_INTEGER = 2**64 - 1
MIN_INTEGER = -(2**63)


class Literal(msgspec.Struct, frozen=True, tag="literal"):
    """A boolean, an integer of at most 64 bits, a string, or None."""

    value: bool | int | str | None


class Float(msgspec.Struct, frozen=True, tag="float"):
    """A float, as `float.hex` text: JSON has no infinity and no NaN."""

    hex: str


class Dtype(msgspec.Struct, frozen=True, tag="dtype"):
    """A Triton element type, by its `triton.language` name (`float16`)."""

    name: str


class TupleValue(msgspec.Struct, frozen=True, tag="tuple"):
    """A tuple of values."""

    items: tuple[Value, ...]


class Constexpr(msgspec.Struct, frozen=True, tag="constexpr"):
    """A value wrapped as `tl.constexpr(value)`."""

    value: Value


class FunctionRef(msgspec.Struct, frozen=True, tag="function"):
    """A function of an extracted unit."""

    unit: str
    name: str


class ModuleRef(msgspec.Struct, frozen=True, tag="module"):
    """An extracted unit as a module object."""

    unit: str


class TritonRef(msgspec.Struct, frozen=True, tag="import"):
    """Something that the worker imports: `triton...` or the standard `math` module.

    Attributes:
        path: Dotted path of a module or of an attribute of one.
    """

    path: str


Value = Literal | Float | Dtype | TupleValue | Constexpr | FunctionRef | ModuleRef | TritonRef


def from_python(value: object) -> Value:
    """A Python literal as a value.

    Raises:
        ValueError: For a type that has no value form, or an integer of more than 64 bits.
    """
    if isinstance(
        value,
        Literal | Float | Dtype | TupleValue | Constexpr | FunctionRef | ModuleRef | TritonRef,
    ):
        return value
    if value is None or isinstance(value, bool | str):
        return Literal(value)
    if isinstance(value, int):
        if not MIN_INTEGER <= value <= MAX_INTEGER:
            raise ValueError("an integer of more than 64 bits")
        return Literal(value)
    if isinstance(value, float):
        return Float(value.hex())
    if isinstance(value, tuple | list):
        return TupleValue(tuple(from_python(item) for item in value))
    raise ValueError(f"a value of type {type(value).__name__}")


def scalar(value: Value) -> PlainScalar:
    """A value as what a record of a compilation keeps: a scalar, or text for all else."""
    if isinstance(value, Literal):
        return value.value
    if isinstance(value, Float):
        number = float.fromhex(value.hex)
        return number if math.isfinite(number) else str(number)
    if isinstance(value, Constexpr):
        return scalar(value.value)
    if isinstance(value, Dtype):
        return DTYPES.get(value.name, value.name)
    return text(value)


def text(value: Value) -> str:
    """A value as a person reads it."""
    if isinstance(value, TupleValue):
        inner = ", ".join(text(item) for item in value.items)
        return f"({inner},)" if len(value.items) == 1 else f"({inner})"
    if isinstance(value, FunctionRef):
        return value.name
    if isinstance(value, ModuleRef):
        return value.unit
    if isinstance(value, TritonRef):
        return value.path
    return str(scalar(value))
