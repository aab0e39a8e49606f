"""Declarations outside bodies: parameters, performance directives, module variables."""

from __future__ import annotations

import re
from math import prod
from typing import TYPE_CHECKING

from sassay.isa.ptx import grammar
from sassay.isa.ptx.body import tidy
from sassay.isa.ptx.syntax import Parameter
from sassay.model.kernel import Launch

if TYPE_CHECKING:
    from collections.abc import Mapping

WARP_SIZE = 32

_DIRECTIVE = re.compile(r"\s*+\.([a-z_]\w*+)\s*+((?:\d\w*+\s*+(?:,\s*+)?+)*+)", re.ASCII)
_PARAMETER = re.compile(
    r"\.(?:param|reg)\b(?P<words>[^;\[]*?)\s(?P<name>[A-Za-z_$%][\w$]*)\s*"
    r"(?:\[\s*(?P<size>\d*)\s*\])?\s*",
    re.ASCII,
)
_ALIGN = re.compile(r"\.align\s+(\d+)", re.ASCII)
_POINTER = re.compile(r"\.ptr\s*(?:\.(global|shared|const|local|param)\b)?", re.ASCII)
_TYPE = re.compile(
    r"\.((?:[bsuf]\d+|bf16|f16x2|bf16x2|pred|texref|samplerref|surfref)\b)", re.ASCII
)
_VARIABLE_NAME = re.compile(
    rf"(?:.*[\s>])?({grammar.NAME})\s*((?:\[[^\]]*\]\s*)*)", re.ASCII | re.DOTALL
)


def read_directives(text: str) -> dict[str, tuple[int, ...]] | None:
    """Performance directives between a signature and its body; None if it is something else."""
    found: dict[str, tuple[int, ...]] = {}
    position, text = 0, text.strip()
    while position < len(text):
        match = _DIRECTIVE.match(text, position)
        if match is None:
            return None
        numbers = match[2].replace(",", " ").split()
        try:
            found[match[1]] = tuple(int(number, 0) for number in numbers)
        except ValueError:
            return None
        position = match.end()
    return found


def _dimensions(values: tuple[int, ...] | None) -> tuple[int, int, int] | None:
    if not values:
        return None
    x, y, z = (*values[:3], 1, 1)[:3]
    return (x, y, z)


def launch_of(directives: Mapping[str, tuple[int, ...]]) -> Launch:
    """What performance directives fix of the launch."""
    block = _dimensions(directives.get("reqntid"))
    return Launch(
        block=block,
        max_block=_dimensions(directives.get("maxntid")),
        cluster=_dimensions(directives.get("reqnctapercluster")),
        warps=-(-prod(block) // WARP_SIZE) if block else None,
    )


def read_parameters(text: str) -> tuple[Parameter, ...] | None:
    """Formal parameters of a list without its parentheses; None if it is something else."""
    if not text.strip():
        return ()
    found = []
    for part in text.split(","):
        declaration = tidy(part)
        match = _PARAMETER.fullmatch(declaration)
        if match is None:
            return None
        words = match["words"]
        kind, align, pointer = _TYPE.search(words), _ALIGN.search(words), _POINTER.search(words)
        size = match["size"]
        found.append(
            Parameter(
                match["name"],
                declaration,
                kind[1] if kind else "",
                pointer[1] if pointer else None,
                int(align[1]) if align else None,
                None if size is None else int(size or 0),
            )
        )
    return tuple(found)


def split_variable(space: str, text: str) -> tuple[str, str, str | None] | None:
    """Name, declaration and initializer of a module variable; None if it is something else.

    Args:
        space: State space without its dot.
        text: What follows the state space, without the semicolon.
    """
    declaration, equals, initializer = text.partition("=")
    declaration = tidy(declaration)
    match = _VARIABLE_NAME.fullmatch(declaration)
    if match is None:
        return None
    if "/" in initializer:
        initializer = grammar.blank_comments(initializer)
    return match[1], f".{space} {declaration}", "".join(initializer.split()) if equals else None
