"""A PTX function's text with every renamable name numbered in order of first use.

Two texts are equal exactly when one consistent, bijective renaming of registers, labels,
parameters and variables turns one function into the other: the first use of each name gets the
next number on both sides.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sassay.isa.ptx.labels import SYMBOL, Labels
from sassay.isa.ptx.syntax import Declaration, Instruction, Label, Scope

if TYPE_CHECKING:
    from sassay.isa.ptx.syntax import ModuleVariable, PtxFunction

_SPACES = r"\.(?P<space>reg|local|shared|param|global|const)\b"
_DECLARATION = re.compile(rf"{_SPACES}(?P<words>[^,;]*?)\s(?P<names>[%\w$][^;]*);", re.ASCII)
_DECLARED = re.compile(r"(?P<name>[A-Za-z_$%][\w$]*)\s*(?:<\s*(?P<count>\d+)\s*>)?(?P<rest>[^,]*)")
_NUMBERED = re.compile(r"(.*?)(\d+)", re.ASCII)


def renamed_text(function: PtxFunction) -> str:
    """The canonical text of a function's code, launch directives left out."""
    return _Renamer(function).text()


class _Renamer:
    """Walks a body and numbers names as they are first used."""

    def __init__(self, function: PtxFunction) -> None:
        self._function = function
        self._labels = Labels(function.statements)
        self._parents: dict[int, int | None] = {0: None}
        self._declared: dict[tuple[int, str], str] = {}
        self._families: dict[tuple[int, str], tuple[int, str]] = {}
        self._numbers: dict[object, str] = {}
        self._spelled: dict[tuple[int, str], str] = {}
        self._parameters = {
            row.name: f"parameter {index}"
            for index, row in enumerate((*function.returns, *function.params))
        }

    def text(self) -> str:
        """The canonical text."""
        lines = [
            f"{self._function.kind} {row.type} {row.space} {row.align} {row.size}"
            for row in (*self._function.returns, *self._function.params)
        ]
        for each in self._function.statements:
            if isinstance(each, Scope):
                if each.opens:
                    self._parents[each.scope] = each.parent
            elif isinstance(each, Declaration):
                self._declare(each, lines)
            elif isinstance(each, Label):
                number = self._labels.number(each)
                if number is not None:
                    lines.append(f"label {number}:")
            elif isinstance(each, Instruction):
                guard = self._rename(each.scope, each.predicate or "")
                lines.append(f"{guard} {each.opcode} {self._rename(each.scope, each.operands)}")
        return "\n".join(lines)

    def _declare(self, each: Declaration, lines: list[str]) -> None:
        match = _DECLARATION.match(each.text)
        if match is None:
            lines.append(self._labels.substitute(each.scope, each.text, "label {}"))
            return
        kind = f"{match['space']} {' '.join(match['words'].split())}"
        for row in _DECLARED.finditer(match["names"]):
            if row["count"]:
                self._families[each.scope, row["name"]] = (int(row["count"]), kind)
            else:
                self._declared[each.scope, row["name"]] = f"{kind} {row['rest'].strip()}"

    def _rename(self, scope: int, text: str) -> str:
        return SYMBOL.sub(lambda match: self._spell(scope, match.group()), text) if text else ""

    def _spell(self, scope: int, name: str) -> str:
        known = self._spelled.get((scope, name))
        if known is None:
            known = self._spelled[scope, name] = self._find(scope, name)
        return known

    def _find(self, scope: int, name: str) -> str:
        label = self._labels.find(scope, name)
        if label is not None:
            return f"label {label}"
        here: int | None = scope
        while here is not None:
            kind = self._kind(here, name)
            if kind is not None:
                return self._number((here, name), kind)
            here = self._parents[here]
        if name in self._parameters:
            return self._parameters[name]
        if name == self._function.name:
            return "itself"
        variable = self._function.module.variables.get(name)
        if variable is not None:
            return self._number(name, _content(variable))
        return name

    def _kind(self, scope: int, name: str) -> str | None:
        kind = self._declared.get((scope, name))
        if kind is None and (match := _NUMBERED.fullmatch(name)):
            count, kind_of_family = self._families.get((scope, match[1]), (0, None))
            kind = kind_of_family if int(match[2]) < count else None
        return kind

    def _number(self, key: object, kind: str) -> str:
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = f"<{kind}>{len(self._numbers)}"
        return found


def _content(variable: ModuleVariable) -> str:
    words = (word for word in variable.text.replace("[", " [").split() if word != variable.name)
    return f"{variable.linkage} {' '.join(words)} {variable.initializer}"
