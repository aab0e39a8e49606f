"""Normal forms of PTX functions, their digest, and the tier between two of them.

The normal text leaves out what does not reach the machine: line tables, comments, blanks,
register declarations, and the spelling of labels, parameters and other names that are local to
the function. Module variables that the code refers to belong to it, with their initializers.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from sassay.isa.ptx import grammar
from sassay.isa.ptx.body import tidy
from sassay.isa.ptx.labels import Labels
from sassay.isa.ptx.renaming import renamed_text
from sassay.isa.ptx.syntax import Declaration, Instruction, Label
from sassay.model.layers import Tier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.isa.ptx.syntax import ModuleVariable, PtxFunction

_Row = tuple[str, str, str, str, str]
"""Label, predicate, opcode, operands, declaration: one statement, empty where it has none."""

# Operands carry no blanks here, so that a name that is no register follows one of these.
_NAME = re.compile(r"(?<=[\0,\[({+\-!|])([A-Za-z_$][\w$]*+)", re.ASCII)
_DECLARED = re.compile(
    rf"\.(?:local|shared|param|global|const)\b[^;]*?({grammar.NAME})\0*(?:\[[^\]]*\]\0*)*;",
    re.ASCII,
)


def normal_digest(function: PtxFunction) -> str:
    """SHA-256 of the normal text of a function: its code, parameters and launch directives.

    Equal for two functions that differ in their own name, in line tables, comments, blanks and
    the spelling of labels and parameters only.
    """
    directives = ",".join(
        f"{name}={' '.join(map(str, values))}"
        for name, values in sorted(function.directives.items())
    )
    text = f"{directives}\n{code_text(function)}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def tier(before: PtxFunction, after: PtxFunction) -> Tier:
    """How deep the change between two functions goes.

    It speaks of the code: a change of launch directives alone is `identical` here and shows in
    the launch attributes.

    Returns:
        `identical` (equal normal text), `renamed` (equal up to a consistent renaming of
        registers, labels and module variables of equal content), `reordered` (the same opcodes
        as often), or `recomposed`.
    """
    if code_text(before) == code_text(after):
        return Tier.IDENTICAL
    if before.opcodes != after.opcodes:
        return Tier.RECOMPOSED
    if renamed_text(before) == renamed_text(after):
        return Tier.RENAMED
    return Tier.REORDERED


def code_text(function: PtxFunction) -> str:
    """The normal text without launch directives. Equal texts mean equal code."""
    text, start, end = function.body
    pattern = grammar.COLUMNS_BLANKED if function.blanked else grammar.COLUMNS
    rows: list[_Row] = pattern.findall(text, start, end)
    labels = [row[0] for row in rows if row[0]]
    if len(set(labels)) < len(labels):
        return _text(function, _scoped_rows(function), ())
    return _text(function, rows, labels)


def _text(function: PtxFunction, rows: list[_Row], labels: Sequence[str]) -> str:
    """The normal text of statements.

    Args:
        function: Whose they are.
        rows: The statements.
        labels: Labels in order of definition, where operands still spell them; empty where
            operands and label rows hold their final names.
    """
    code = [row for row in rows if row[2]]
    marks = [(index, row) for index, row in enumerate(rows) if not row[2]]
    declarations = [
        "\0".join(tidy(row[4]).split())
        for _, row in marks
        if row[4] and not row[4].startswith(".reg")
    ]
    _, guards, opcodes, operands, _ = zip(*code, strict=True) if code else ((),) * 5
    body = ["\0", *operands, *declarations]
    # Names and what stands between them, by turns.
    parts = _NAME.split("".join("\0".join(body).split()))
    used = set(parts[1::2])
    names = _local_names(function, declarations)
    numbers = {
        label: f"$L{number}"
        for number, label in enumerate(label for label in labels if label in used)
    }
    parts[1::2] = [numbers.get(name) or names.get(name) or name for name in parts[1::2]]
    # A label's place is the number of instructions before it.
    places = [
        f"{index - before}:{numbers.get(row[0], row[0])}"
        for before, (index, row) in enumerate(marks)
        if row[0] and (row[0] in numbers or not labels)
    ]
    variables = function.module.variables
    referenced = [variables[name] for name in dict.fromkeys(parts[1::2]) if name in variables]
    return "\n".join(
        [
            _signature(function),
            "\0".join(opcodes),
            "".join("\0".join(guards).split()) if any(guards) else "",
            "".join(parts),
            "\0".join(places),
            *map(variable_text, referenced),
        ]
    )


def variable_text(variable: ModuleVariable) -> str:
    """What a module variable adds to the code that refers to it."""
    return f"{variable.linkage} {variable.text} {variable.initializer}"


def _signature(function: PtxFunction) -> str:
    rows = (*function.returns, None, *function.params)
    return function.kind + ";".join(
        " ".join(word for word in row.text.replace("[", " [").split() if word != row.name)
        if row
        else "->"
        for row in rows
    )


def _local_names(function: PtxFunction, declarations: Sequence[str]) -> dict[str, str]:
    names = {function.name: "$F"}
    for index, row in enumerate((*function.returns, *function.params)):
        names[row.name] = f"$P{index}"
    declared = (match[1] for text in declarations if (match := _DECLARED.match(text)))
    for name in declared:
        names.setdefault(name, f"$V{len(names)}")
    return names


def _scoped_rows(function: PtxFunction) -> list[_Row]:
    """The statements with labels resolved scope by scope; unused labels are left out."""
    labels = Labels(function.statements)
    rows: list[_Row] = []
    for each in function.statements:
        if isinstance(each, Label):
            number = labels.number(each)
            if number is not None:
                rows.append((f"$L{number}", "", "", "", ""))
        elif isinstance(each, Instruction):
            operands = labels.substitute(each.scope, each.operands, "$L{}")
            rows.append(("", each.predicate or "", each.opcode, operands + ";", ""))
        elif isinstance(each, Declaration):
            rows.append(("", "", "", "", labels.substitute(each.scope, each.text, "$L{}")))
    return rows
