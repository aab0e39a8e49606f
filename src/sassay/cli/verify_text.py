"""What `sassay verify` prints: of functions that were counted twice, or of words asked for once."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from sassay.cli.text import printable
from sassay.isa.sass.verify import total_of
from sassay.isa.sass.verify_words import CheckedWords

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sassay.isa.sass.verify import Checked, Mismatch, Verifier
    from sassay.isa.sass.verify_words import OtherName, WordVerifier
    from sassay.model.state import Diagnostic

SCHEMA = "verify/1"
WORDS_SCHEMA = "verify-words/1"
_SHOWN = 10
_COLUMNS = {
    "cubins": "cubins",
    "functions": "functions",
    "instructions": "instructions",
    "checked": "checked",
    "by tables": "by_tables",
    "by nvdisasm": "by_nvdisasm",
    "mismatches": "mismatches",
}
_WORD_COLUMNS = {
    "cubins": "cubins",
    "functions": "functions",
    "instructions": "instructions",
    "different": "different",
    "by tables": "by_tables",
    "by nvdisasm": "by_nvdisasm",
    "mismatches": "mismatches",
}
"""Who answered for the different words; the first three and the last count what they stand for."""


def functions_text(verifier: Verifier, problems: Sequence[Diagnostic]) -> str:
    """The outcome by function, for a terminal."""
    total = total_of(verifier.by_arch)
    versions = {verifier.disassembler.version(arch) for arch in verifier.by_arch}
    lines = [f"Opcode counts by function, sassay against nvdisasm {_listed(versions)}", ""]
    lines += _table(verifier.by_arch, total, _COLUMNS)
    lines += _shown([_wording(each) for each in verifier.mismatches])
    lines += _ending(problems, total.unreadable)
    what = "every function" if verifier.full else "a sample; --full checks every function"
    share = f"{total.checked_functions:,} of {total.functions:,} functions checked ({what})"
    if total.mismatches:
        lines.append(f"WRONG: nvdisasm counts {total.mismatches:,} otherwise; {share}")
    else:
        lines.append(f"ok: nvdisasm counts the same; {share}")
    return "\n".join(lines) + "\n"


def words_text(verifier: WordVerifier, problems: Sequence[Diagnostic]) -> str:
    """The outcome by word, for a terminal."""
    total = total_of_words(verifier.by_arch)
    versions = {tool.release for arch in verifier.by_arch if (tool := verifier.tool(arch))}
    lines = [f"Opcode of each different word, sassay against nvdisasm {_listed(versions)}", ""]
    lines += _table(verifier.by_arch, total, _WORD_COLUMNS)
    lines += _shown([_other_name(each) for each in verifier.mismatches])
    lines += _ending(problems, total.unreadable)
    share = (
        f"{total.different:,} different words, which are all {total.instructions:,} instructions"
    )
    if total.mismatches:
        lines.append(f"WRONG: nvdisasm names {total.mismatches:,} instructions otherwise; {share}")
    else:
        lines.append(f"ok: nvdisasm names the same; {share}")
    return "\n".join(lines) + "\n"


def functions_json(verifier: Verifier, problems: Sequence[Diagnostic]) -> str:
    """The outcome by function, as JSON."""
    tools = {arch: verifier.disassembler.version(arch) for arch in sorted(verifier.by_arch)}
    mismatches = [
        {
            "place": each.place,
            "symbol": each.symbol,
            "arch": each.arch,
            "counts": {
                name: {"sassay": ours, "nvdisasm": theirs}
                for name, (ours, theirs) in each.counts.items()
            },
        }
        for each in verifier.mismatches
    ]
    total = total_of(verifier.by_arch)
    document = _document(SCHEMA, tools, total, verifier.by_arch, mismatches, problems)
    return _encoded({**document, "full": verifier.full})


def words_json(verifier: WordVerifier, problems: Sequence[Diagnostic]) -> str:
    """The outcome by word, as JSON."""
    tools = {
        arch: tool.release if (tool := verifier.tool(arch)) else None
        for arch in sorted(verifier.by_arch)
    }
    mismatches = [
        {
            "arch": each.arch,
            "word": f"{each.word:#034x}",
            "sassay": each.ours,
            "nvdisasm": each.theirs,
            "count": each.count,
        }
        for each in verifier.mismatches
    ]
    total = total_of_words(verifier.by_arch)
    return _encoded(_document(WORDS_SCHEMA, tools, total, verifier.by_arch, mismatches, problems))


def total_of_words(checked: Mapping[str, CheckedWords]) -> CheckedWords:
    """All architectures together; a word counts once in each."""
    total: Counter[str] = Counter()
    for each in checked.values():
        total.update(vars(each))
    return CheckedWords(**total)


def _table(
    by_arch: Mapping[str, Checked] | Mapping[str, CheckedWords],
    total: Checked | CheckedWords,
    columns: Mapping[str, str],
) -> list[str]:
    rows: list[tuple[str, ...]] = [("", *columns)]
    named: list[tuple[str, Checked | CheckedWords]] = sorted(by_arch.items(), key=_arch_order)
    for name, each in [*named, ("all", total)] if len(named) > 1 else named:
        rows.append((name, *(f"{getattr(each, column):,}" for column in columns.values())))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return [*lines, ""]


def _shown(mismatches: Sequence[str]) -> list[str]:
    lines = [printable(each) for each in mismatches[:_SHOWN]]
    if len(mismatches) > _SHOWN:
        lines.append(f"... and {len(mismatches) - _SHOWN} more (--format json lists all)")
    return lines


def _ending(problems: Sequence[Diagnostic], unreadable: int) -> list[str]:
    lines = [
        printable(f"{problem.level.value}: {problem.place}: {problem.message}")
        for problem in problems[:_SHOWN]
    ]
    if len(problems) > _SHOWN:
        lines.append(f"... and {len(problems) - _SHOWN} more cubins that could not be read")
    if unreadable:
        lines.append(f"{unreadable:,} functions not checked: no nvdisasm here reads them")
    return lines


def _wording(mismatch: Mismatch) -> str:
    counts = ", ".join(
        f"{name} {ours} (nvdisasm {theirs})"
        for name, (ours, theirs) in list(mismatch.counts.items())[:4]
    )
    return f"mismatch: {mismatch.place}: {mismatch.symbol}: {counts}"


def _other_name(mismatch: OtherName) -> str:
    return (
        f"mismatch: {mismatch.arch}: {mismatch.word:#034x} is {mismatch.ours} "
        f"(nvdisasm {mismatch.theirs}), {mismatch.count:,} times"
    )


def _document(
    schema: str,
    tools: Mapping[str, str | None],
    total: Checked | CheckedWords,
    by_arch: Mapping[str, Checked] | Mapping[str, CheckedWords],
    mismatches: Sequence[Mapping[str, Any]],
    problems: Sequence[Diagnostic],
) -> dict[str, Any]:
    return {
        "schema": schema,
        "nvdisasm": tools,
        "total": vars(total),
        "architectures": {arch: vars(each) for arch, each in sorted(by_arch.items())},
        "mismatches": mismatches,
        "diagnostics": [
            {"level": each.level.value, "place": each.place, "message": each.message}
            for each in problems
        ],
    }


def _encoded(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _listed(versions: Iterable[str | None]) -> str:
    return ", ".join(sorted(filter(None, versions)))


def _arch_order(item: tuple[str, Checked | CheckedWords]) -> tuple[int, str]:
    return int("".join(filter(str.isdigit, item[0])) or 0), item[0]
