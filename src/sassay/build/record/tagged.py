"""Constants as the hook tells them, as values of a manifest."""

from __future__ import annotations

from typing import Any

from sassay.build.values import (
    DTYPES,
    Constexpr,
    Dtype,
    Float,
    FunctionRef,
    Literal,
    TupleValue,
    Value,
)

_BY_SHORT = {short: name for name, short in DTYPES.items()}


class NoManifestForm(Exception):  # noqa: N818 - an answer, not a fault
    """A manifest cannot say this; the message says what it is."""


def from_tagged(tagged: Any) -> Value:
    """The value of one tagged constant.

    Args:
        tagged: One of `{"none": true}`, `{"bool": ...}`, `{"int": "5"}`, `{"float": hex}`,
            `{"text": ...}`, `{"dtype": ...}`, `{"tuple": [...]}`, `{"function": ..., "file": ...}`.

    Raises:
        NoManifestForm: It is of a type that a manifest has no form for.
    """
    try:
        return _from_tagged(tagged)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise NoManifestForm("a constant that cannot be read") from error


def _from_tagged(tagged: Any) -> Value:
    match tagged:
        case {"none": True}:
            return Literal(None)
        case {"bool": bool(value)}:
            return Literal(value)
        case {"int": str(text)}:
            return Literal(int(text))
        case {"float": str(text)}:
            return Float(float.fromhex(text).hex())
        case {"text": str(text)}:
            return Literal(text)
        case {"dtype": str(name)}:
            full = name if name in DTYPES else _BY_SHORT.get(name)
            if full is None:
                raise NoManifestForm(f"the element type {name}")
            return Dtype(full)
        case {"tuple": list(items)}:
            return TupleValue(tuple(_from_tagged(item) for item in items))
        case {"function": str(name), "file": str(file)}:
            return FunctionRef(file, name)
        case {"unknown": str(kind)}:
            raise NoManifestForm(f"a constant of type {kind}")
        case _:
            raise NoManifestForm("a constant that cannot be read")


def unwrapped(value: Value) -> Value:
    """A value without `tl.constexpr` around it or around its parts."""
    if isinstance(value, Constexpr):
        return unwrapped(value.value)
    if isinstance(value, TupleValue):
        return TupleValue(tuple(unwrapped(item) for item in value.items))
    return value
