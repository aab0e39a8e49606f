"""Global accesses that became narrower."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from sassay.lint.access import global_loads, global_stores
from sassay.lint.rule import Hit, Level, Options, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sassay.lint.subject import Subject

_WIDE = 8
"""Bytes from which on an access counts as a vector."""
_SASS = re.compile(r"(LDG|STG)\b(?:.*\.(64|128|256|U8|S8|U16|S16)\b)?")
_SASS_BYTES = {"64": 8, "128": 16, "256": 32, "U8": 1, "S8": 1, "U16": 2, "S16": 2}


def check(subject: Subject, options: Options) -> Iterator[Hit]:
    """One hit for loads and one for stores, where wide accesses were replaced by narrow ones."""
    del options
    if subject.before is None:
        return
    after, before = widths(subject), widths(subject.before)
    for kind in ("load", "store"):
        old, new = before[kind], after[kind]
        lost = {w: old[w] - new[w] for w in old if w >= _WIDE and new[w] < old[w]}
        if not lost:
            continue
        widest = max(lost)
        bytes_lost = sum(width * count for width, count in lost.items())
        gained = sum(w * max(0, new[w] - old[w]) for w in new if w < widest)
        if gained * 2 >= bytes_lost:
            moved = ", ".join(
                f"{width} bytes {old[width]} -> {new[width]}"
                for width in sorted({*old, *new}, reverse=True)
                if old[width] != new[width]
            )
            yield Hit(f"global {kind}s by width: {moved}", count=sum(lost.values()))


def widths(subject: Subject) -> Mapping[str, Counter[int]]:
    """Global loads and stores by bytes, of the layer that runs where it is known."""
    found: dict[str, Counter[int]] = {"load": Counter(), "store": Counter()}
    census = subject.kernel.instructions.sass
    if census is not None:
        for opcode, count in census.items():
            match = _SASS.match(opcode)
            if match:
                kind = "load" if match[1] == "LDG" else "store"
                found[kind][_SASS_BYTES.get(match[2] or "", 4)] += count
    elif subject.function is not None:
        for kind, ops in (("load", global_loads(subject)), ("store", global_stores(subject))):
            for op in ops:
                found[kind][op.opcode.width] += 1
    return found


RULE = Rule(
    id="vector-width-lost",
    level=Level.REVIEW,
    check=check,
    default="changed",
    layers=("ptx", "sass"),
    compares=True,
)
