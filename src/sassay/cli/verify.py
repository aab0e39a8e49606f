"""`sassay verify`: the SASS decoder against NVIDIA's nvdisasm, on the reader's own code."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sassay.cli import options as o

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sassay.cli.progress import Progress
    from sassay.isa.sass.verify import Checked, Mismatch, Verifier
    from sassay.model.state import Diagnostic

SCHEMA = "verify/1"
_SHOWN = 10
_COLUMNS = (
    "cubins",
    "functions",
    "instructions",
    "checked",
    "by tables",
    "by nvdisasm",
    "mismatches",
)


class VerifyFormat(StrEnum):
    """Formats of the outcome."""

    TERMINAL = "terminal"
    JSON = "json"


def verify_command(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT", help="A file, folder, wheel or pypi: release.")
    ],
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Check every function; else a sample of each cubin.")
    ] = False,
    arch: o.ArchOpt = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep",
            metavar="FILE",
            help="Add what nvdisasm says to this file and ask for none of it again.",
        ),
    ] = None,
    format_: Annotated[
        VerifyFormat, typer.Option("--format", "-f", help="Format of the outcome.")
    ] = VerifyFormat.TERMINAL,
    output: o.OutputOpt = None,
) -> None:
    """Count instructions twice, by sassay's tables and by nvdisasm, and compare them by function.

    nvdisasm disassembles whole cubins, 40,000 instructions a second; its answers come from nowhere
    else. Exits with 1 if a function is counted otherwise, with 2 if nothing could be checked.

    For example:

      sassay verify libfoo.so

      sassay verify pypi:bitsandbytes==0.50.2 --arch sm_90

      sassay verify libfoo.so --full --keep answers.jsonl
    """
    from sassay.cli.output import write_stdout, write_whole
    from sassay.cli.progress import Progress
    from sassay.errors import InputError
    from sassay.isa.sass import Disassembler
    from sassay.isa.sass.tools import INSTALL_HINT
    from sassay.isa.sass.verify import Verifier, total_of
    from sassay.isa.sass.witness import Answers

    problems: list[Diagnostic] = []
    try:
        answers = Answers(keep)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", artifact=str(keep)) from error
    progress = Progress()
    # No cache: what earlier runs were told by nvdisasm would check nvdisasm against itself.
    with Disassembler(None) as disassembler:
        verifier = Verifier(disassembler, answers, full=full)
        progress.start()
        try:
            for spec in inputs:
                problems += _check(spec, tuple(arch or ()), verifier, progress)
        except OSError as error:
            raise InputError(f"cannot be written: {error.strerror}", artifact=str(keep)) from error
        finally:
            progress.stop()
    total = total_of(verifier.by_arch)
    if not total.cubins:
        first = problems[0] if problems else None
        raise InputError(
            f"no cubin was read: {first.message}" if first else "holds no cubin",
            artifact=first.place if first else ", ".join(inputs),
        )
    if not total.checked_functions:
        raise InputError(
            f"no nvdisasm here reads {', '.join(sorted(verifier.by_arch))}",
            artifact=", ".join(inputs),
            hint=INSTALL_HINT,
        )
    render = _json if format_ is VerifyFormat.JSON else _terminal
    text = render(verifier, problems)
    if output is None:
        write_stdout(text)
    else:
        write_whole(output, text)
    if total.mismatches:
        raise typer.Exit(1)


def _check(
    spec: str, archs: Sequence[str], verifier: Verifier, progress: Progress
) -> Iterator[Diagnostic]:
    from sassay.cli.session import split_label
    from sassay.errors import SassayError
    from sassay.model.artifact import Artifact, ArtifactKind
    from sassay.model.state import Diagnostic, Level
    from sassay.sources import discover
    from sassay.sources.content import Rereader, content

    _, path = split_label(spec)
    discovery = discover(path, arch_globs=archs, on_progress=progress.note)
    reader = Rereader()
    for found in discovery.artifacts():
        if isinstance(found, Diagnostic):
            if found.level is not Level.NOTE:
                yield found
            continue
        if not isinstance(found, Artifact) or found.kind is not ArtifactKind.CUBIN:
            continue
        place = found.source.path
        progress.note(f"{verifier.checked:,} instructions checked; {place}")
        try:
            verifier.check(content(reader.filled(found)), place, archs)
        except SassayError as error:
            yield Diagnostic(Level.ERROR, error.artifact or place, error.message)


def _terminal(verifier: Verifier, problems: Sequence[Diagnostic]) -> str:
    from sassay.cli.text import printable
    from sassay.isa.sass.verify import total_of

    total = total_of(verifier.by_arch)
    versions = sorted({
        version for arch in verifier.by_arch if (version := verifier.disassembler.version(arch))
    })  # fmt: skip
    rows: list[tuple[str, ...]] = [("", *_COLUMNS)]
    named = [*sorted(verifier.by_arch.items(), key=_arch_order), ("all", total)]
    for name, each in named if len(named) > 2 else named[:1]:
        numbers = (each.cubins, each.functions, each.instructions, each.checked, each.by_tables,
                   each.by_nvdisasm, each.mismatches)  # fmt: skip
        rows.append((name, *(f"{number:,}" for number in numbers)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [f"Opcode counts by function, sassay against nvdisasm {', '.join(versions)}", ""]
    lines += [
        "  ".join(
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    lines.append("")
    for mismatch in verifier.mismatches[:_SHOWN]:
        lines.append(printable(_wording(mismatch)))
    if len(verifier.mismatches) > _SHOWN:
        lines.append(f"... and {len(verifier.mismatches) - _SHOWN} more (--format json lists all)")
    for problem in problems[:_SHOWN]:
        lines.append(printable(f"{problem.level.value}: {problem.place}: {problem.message}"))
    if len(problems) > _SHOWN:
        lines.append(f"... and {len(problems) - _SHOWN} more cubins that could not be read")
    if total.unreadable:
        lines.append(f"{total.unreadable:,} functions not checked: no nvdisasm here reads them")
    lines.append(_verdict(verifier, total))
    return "\n".join(lines) + "\n"


def _verdict(verifier: Verifier, total: Checked) -> str:
    what = "every function" if verifier.full else "a sample; --full checks every function"
    share = f"{total.checked_functions:,} of {total.functions:,} functions checked ({what})"
    if total.mismatches:
        return f"WRONG: nvdisasm counts {total.mismatches:,} otherwise; {share}"
    return f"ok: nvdisasm counts the same; {share}"


def _wording(mismatch: Mismatch) -> str:
    counts = ", ".join(
        f"{name} {ours} (nvdisasm {theirs})"
        for name, (ours, theirs) in list(mismatch.counts.items())[:4]
    )
    return f"mismatch: {mismatch.place}: {mismatch.symbol}: {counts}"


def _json(verifier: Verifier, problems: Sequence[Diagnostic]) -> str:
    import json

    from sassay.isa.sass.verify import total_of

    tools = {arch: verifier.disassembler.version(arch) for arch in sorted(verifier.by_arch)}
    document = {
        "schema": SCHEMA,
        "full": verifier.full,
        "nvdisasm": tools,
        "total": vars(total_of(verifier.by_arch)),
        "architectures": {arch: vars(each) for arch, each in sorted(verifier.by_arch.items())},
        "mismatches": [
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
        ],
        "diagnostics": [
            {"level": each.level.value, "place": each.place, "message": each.message}
            for each in problems
        ],
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _arch_order(item: tuple[str, Checked]) -> tuple[int, str]:
    return int("".join(filter(str.isdigit, item[0])) or 0), item[0]
