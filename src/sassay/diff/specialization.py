"""Specializations as keys that compare, and as one line that a person reads."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from sassay.model.kernel import Kernel, Specialization

if TYPE_CHECKING:
    from collections.abc import Iterable

_ENCODER = msgspec.json.Encoder(order="sorted")
_EMPTY = Specialization()
_LINE_LIMIT = 240

_Parts = tuple[tuple[str, str], ...]


def specialization_key(specialization: Specialization) -> bytes:
    """Equal bytes for equal specializations, whatever the order of their options.

    A signature keeps its order: `(x, y)` and `(y, x)` are two functions.
    """
    if specialization == _EMPTY:
        return b""
    return _ENCODER.encode((specialization, list(specialization.signature)))


def specialization_parts(specialization: Specialization) -> _Parts:
    """`(name, value)` of every part, in the order that a person expects."""
    parts = [(name, str(kind)) for name, kind in specialization.signature.items()]
    parts += [(name, str(value)) for name, value in specialization.constants.items()]
    parts += [(f"{name}%", str(by)) for name, by in specialization.divisibility.items()]
    parts += [(name, str(value)) for name, value in specialization.options.items()]
    parts += [(f"<{i}>", arg) for i, arg in enumerate(specialization.template_arguments)]
    parts += [(f"({i})", arg) for i, arg in enumerate(specialization.parameters)]
    return tuple(parts)


def varying_parts(kernels: Iterable[Kernel]) -> frozenset[str]:
    """Names of the parts that are not the same in all of `kernels`."""
    values: defaultdict[str, set[str]] = defaultdict(set)
    seen: defaultdict[str, int] = defaultdict(int)
    total = 0
    for kernel in kernels:
        total += 1
        for name, value in specialization_parts(kernel.specialization):
            values[name].add(value)
            seen[name] += 1
    return frozenset(n for n, found in values.items() if len(found) > 1 or seen[n] < total)


def specialization_line(kernel: Kernel, varying: frozenset[str]) -> str:
    """What tells one kernel from its siblings, on one line of at most 240 characters.

    Args:
        kernel: The kernel.
        varying: What `varying_parts` found for its family; where nothing varies, there is
            nothing to tell.
    """
    signature = kernel.specialization.signature
    parts = [part for part in specialization_parts(kernel.specialization) if part[0] in varying]
    # Parameter types of C++ follow from the template arguments.
    templated = any(name[0] == "<" for name, _ in parts)
    words = []
    for name, value in parts:
        if name[0] == "(" and templated:
            continue
        if name[0] in "<(":
            words.append(value)
        elif name.endswith("%"):
            # What a parameter is divisible by goes without saying where others lack it.
            if name[:-1] not in varying:
                words.append(f"{name[:-1]} % {value}")
        elif name in signature:
            words.append(f"{name}: {value}")
        else:
            words.append(f"{name}={value}")
    held = {name for name, _ in specialization_parts(kernel.specialization)}
    words += [_without(name, held) for name in sorted(varying - held) if _told(name, held)]
    line = ", ".join(words)
    return line if len(line) <= _LINE_LIMIT else f"{line[: _LINE_LIMIT - 3]}..."


def _told(name: str, held: set[str]) -> bool:
    """Whether that a part is missing is worth a word."""
    return name[0] not in "<(" and (not name.endswith("%") or name[:-1] in held)


def _without(name: str, held: set[str]) -> str:
    if name.endswith("%") and name[:-1] in held:
        return f"{name[:-1]} not divisible"
    return f"without {name}"
