"""The types that a signature may name.

Source of the spellings: `triton/language/__init__.py`, `str_to_ty`, Triton 3.4 to 3.9.
"""

from __future__ import annotations

import re

from sassay.build.values import DTYPES

ELEMENT_TYPES: tuple[str, ...] = (*sorted(DTYPES.values()), "u1", "B")

_ELEMENT = "|".join(re.escape(name) for name in sorted(ELEMENT_TYPES, key=len, reverse=True))
_SIMPLE = re.compile(rf"\*{{0,2}}(?<![^*])(?:{_ELEMENT})|\*k(?:{_ELEMENT})")
_DESCRIPTOR = re.compile(rf"tensordesc<(?:{_ELEMENT})\[(\d{{1,9}}(?:, ?\d{{1,9}}){{0,4}})\]>")

NONE = "none"
"""Type of a parameter that gets None: Triton makes it a compile-time constant."""

EXPECTED = "expected such as `*bf16`, `i32`, `fp32`, `tensordesc<bf16[64, 64]>` or `none`"


def is_pointer(type_name: str) -> bool:
    """Whether a checked type is a pointer."""
    return type_name.startswith("*")


def canonical_type(spelling: str) -> str | None:
    """The type as Triton spells it, None where it is no type.

    Args:
        spelling: From a manifest; spaces around it do not matter.
    """
    name = spelling.strip()
    if name == NONE or _SIMPLE.fullmatch(name):
        return name
    found = _DESCRIPTOR.fullmatch(name)
    if found is None:
        return None
    head = name[: name.index("[")]
    extents = [int(extent) for extent in found.group(1).split(",")]
    return f"{head}[{', '.join(str(extent) for extent in extents)}]>"
