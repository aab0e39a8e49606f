"""Prints a syntax tree as PTX text that ptxas and this reader accept.

The print is canonical: printing what was read from a print gives the same text. Debug sections
are not part of the tree and are left out, and with them nothing that reaches the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.isa.ptx.syntax import Declaration, Instruction, Label, LocMark, Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.isa.ptx.syntax import (
        File,
        Loc,
        Module,
        ModuleVariable,
        Parameter,
        PtxFunction,
        Statement,
    )


def print_module(module: Module) -> str:
    """The whole module as text."""
    lines = [f".version {module.version}", f".target {', '.join(module.targets)}"]
    if module.address_size is not None:
        lines.append(f".address_size {module.address_size}")
    lines += [_file(row) for row in module.file_table]
    lines += module.pragmas
    lines += [_variable(row) for row in module.variables]
    lines += [row.text for row in module.declared]
    functions = sorted((*module.functions, *module.entries), key=lambda row: row.start)
    lines += [print_function(row) for row in functions]
    lines += [f".alias {name}, {target};" for name, target in module.aliases]
    return "\n".join(lines) + "\n"


def print_function(function: PtxFunction) -> str:
    """One function as text."""
    words = [f".{function.linkage}"] if function.linkage else []
    words.append(f".{function.kind}")
    if function.returns:
        words.append(f"({_parameters(function.returns)})")
    lines = [f"{' '.join(words)} {function.name}({_parameters(function.params)})"]
    for name, values in function.directives.items():
        lines.append(f".{name} {', '.join(map(str, values))}".rstrip())
    lines.append("{")
    lines += [_statement(each) for each in function.statements]
    lines.append("}")
    return "\n".join(lines)


def _file(row: File) -> str:
    directory = f'"{row.directory}" ' if row.directory is not None else ""
    return f'.file {row.index} {directory}"{row.path}"'


def _variable(row: ModuleVariable) -> str:
    linkage = f".{row.linkage} " if row.linkage else ""
    initializer = f" = {row.initializer}" if row.initializer is not None else ""
    return f"{linkage}{row.text}{initializer};"


def _parameters(rows: Sequence[Parameter]) -> str:
    return ", ".join(row.text for row in rows)


def _loc(loc: Loc) -> str:
    text = f".loc {loc.file} {loc.line} {loc.column}"
    if loc.function:
        text += f", function_name {loc.function}"
    if loc.inlined_at:
        text += f", inlined_at {' '.join(map(str, loc.inlined_at))}"
    return text


def _statement(each: Statement) -> str:
    match each:
        case Instruction():
            guard = f"@{each.predicate} " if each.predicate else ""
            return f"\t{guard}{each.opcode} {each.operands}".rstrip() + ";"
        case Label():
            return f"{each.name}:"
        case Declaration():
            return f"\t{each.text}"
        case Scope():
            return "\t{" if each.opens else "\t}"
        case LocMark():
            return f"\t{_loc(each.loc)}"
