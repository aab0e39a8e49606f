"""What the labels of a body stand for, scope by scope."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sassay.isa.ptx.syntax import Declaration, Instruction, Label, Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sassay.isa.ptx.syntax import Statement

SYMBOL = re.compile(r"(?<![\w$%.])[A-Za-z_$%][\w$]*", re.ASCII)
"""A name in operands: register, label, parameter, variable or function."""


class Labels:
    """The labels of one body.

    Labels are local to their scope: inline assembly that is expanded many times defines the same
    name each time. A name means the label of the innermost enclosing scope that defines it.
    Labels that nothing refers to (`$L__tmp7`, for line tables) have no number.

    Attributes:
        targets: For each numbered label, the index of the instruction after it.
    """

    def __init__(self, statements: Sequence[Statement]) -> None:
        self._parents: dict[int, int | None] = {0: None}
        self._numbers: dict[tuple[int, str], int] = {}
        defined: dict[tuple[int, str], int] = {}
        count = 0
        for each in statements:
            if isinstance(each, Instruction):
                count += 1
            elif isinstance(each, Label):
                defined[each.scope, each.name] = count
            elif isinstance(each, Scope) and each.opens:
                self._parents[each.scope] = each.parent
        used = self._references(statements, defined)
        self._numbers = {key: number for number, key in enumerate(k for k in defined if k in used)}
        self.targets = [defined[key] for key in self._numbers]

    def number(self, label: Label) -> int | None:
        """Position of a label among those that the code refers to; None if it does not."""
        return self._numbers.get((label.scope, label.name))

    def find(self, scope: int, name: str) -> int | None:
        """Number of the label that a name means in a scope; None if it is no label."""
        key = self._resolve(self._numbers, scope, name)
        return None if key is None else self._numbers[key]

    def substitute(self, scope: int, text: str, template: str) -> str:
        """Text with every label replaced by the template, which is given the label's number."""
        return self.replace(scope, text, template.format)

    def replace(self, scope: int, text: str, spell: Callable[[int], str]) -> str:
        """Text with every label as `spell` spells its number."""
        if not self._numbers:
            return text

        def one(match: re.Match[str]) -> str:
            number = self.find(scope, match.group())
            return match.group() if number is None else spell(number)

        return SYMBOL.sub(one, text)

    def _resolve(
        self, keys: dict[tuple[int, str], int], scope: int, name: str
    ) -> tuple[int, str] | None:
        here: int | None = scope
        while here is not None:
            if (here, name) in keys:
                return here, name
            here = self._parents[here]
        return None

    def _references(
        self, statements: Sequence[Statement], defined: dict[tuple[int, str], int]
    ) -> set[tuple[int, str]]:
        found: set[tuple[int, str]] = set()
        names = {name for _, name in defined}
        for each in statements if names else ():
            if isinstance(each, Instruction):
                text = each.operands
            elif isinstance(each, Declaration):
                text = each.text
            else:
                continue
            for name in SYMBOL.findall(text):
                if name in names:
                    key = self._resolve(defined, each.scope, name)
                    if key is not None:
                        found.add(key)
        return found
