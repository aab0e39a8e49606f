"""One name for instructions that compute the same bits."""

from __future__ import annotations

from functools import lru_cache

from sassay.machine.types import TYPES

_ROUNDED = frozenset({"add", "sub", "mul", "fma", "mad"})
_ROUNDINGS = frozenset({"rn", "rz", "rm", "rp", "rs"})
_COMMUTES = frozenset(
    {"add", "mul", "fma", "mad", "min", "max", "and", "or", "xor", "mul24", "sad"}
)
_SIGNLESS = frozenset({"add", "sub", "mul", "mad"})
_MIRRORED = {"gt": "lt", "ge": "le", "gtu": "ltu", "geu": "leu", "hi": "lo", "hs": "ls"}


@lru_cache(maxsize=4096)
def canonical(form: str) -> str:
    """The name under which a form is hashed.

    `add.f32` is `add.rn.f32` and `mad.rn.f32` is `fma.rn.f32`; wrapping integer sums and products
    do not depend on the sign.
    """
    base, *rest = form.split(".")
    kind = rest[-1] if rest else ""
    known = TYPES.get(kind)
    if known is None:
        return form
    if known.kind == "f" and base in _ROUNDED:
        base = "fma" if base == "mad" else base
        if not _ROUNDINGS & set(rest):
            rest.insert(0, "rn")
        rest = [each for each in rest if each != "noftz"]
        return ".".join([base, *rest])
    if base in _SIGNLESS and kind[0] == "s" and rest[:-1] in ([], ["lo"]):
        return ".".join([base, *rest[:-1], f"u{kind[1:]}"])
    return form


@lru_cache(maxsize=4096)
def commutes(form: str) -> bool:
    """Whether the first two sources may change places without changing a bit.

    Which NaN comes out of two is not part of that: the ISA fixes it for all types but doubles.
    """
    base, *rest = form.split(".")
    if base in {"setp", "set"}:
        return bool({"eq", "ne", "equ", "neu"} & set(rest[:1]))
    return base in _COMMUTES and "cc" not in rest and "xorsign" not in rest


@lru_cache(maxsize=4096)
def mirrored(form: str) -> str | None:
    """A comparison spelled the other way round, if that is the name to use: its sources swap."""
    base, *rest = form.split(".")
    if base == "setp" and rest and rest[0] in _MIRRORED:
        return ".".join([base, _MIRRORED[rest[0]], *rest[1:]])
    return None
