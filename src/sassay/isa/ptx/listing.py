"""A PTX function as lines that a person reads and an alignment compares."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sassay.isa.listing import ListingLine
from sassay.isa.ptx.labels import SYMBOL, Labels
from sassay.isa.ptx.syntax import Label
from sassay.model.artifact import SourceLocation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sassay.isa.ptx.syntax import Loc, PtxFunction


def listing(function: PtxFunction) -> tuple[ListingLine, ...]:
    """One line for each instruction of a function.

    `offset` is the line in the module. In `key`, labels are distances in instructions and
    parameters are numbers, so that renaming either does not show as a change.
    """
    labels = Labels(function.statements)
    parameters = {row.name: f"param_{index}" for index, row in enumerate(function.params)}
    files = function.module.files

    shown = {
        each.name
        for each in function.statements
        if isinstance(each, Label) and labels.number(each) is not None
    }
    lines = []
    for index, each in enumerate(function.instructions):
        head = f"@{each.predicate} {each.opcode}" if each.predicate else each.opcode
        marks = "".join(f"{name}: " for name in each.labels if name in shown)
        key = labels.replace(each.scope, each.operands, partial(_delta, labels.targets, index))
        if parameters:
            key = SYMBOL.sub(lambda match: parameters.get(match.group(), match.group()), key)
        lines.append(
            ListingLine(
                each.line,
                each.opcode,
                marks + _join(head, each.operands) + ";",
                _join(head, key),
                _location(each.loc, files),
            )
        )
    return tuple(lines)


def _delta(targets: Sequence[int], index: int, label: int) -> str:
    return f"{targets[label] - index:+d}"


def _join(head: str, operands: str) -> str:
    return f"{head} {operands}" if operands else head


def _location(loc: Loc | None, files: Mapping[int, str]) -> SourceLocation | None:
    if loc is None or not loc.line or loc.file not in files:
        return None
    return SourceLocation(files[loc.file], loc.line)
