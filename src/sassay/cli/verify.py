"""`sassay verify`: the SASS decoder against NVIDIA's nvdisasm, on the reader's own code."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sassay.cli import options as o

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sassay.cli.progress import Progress
    from sassay.model.state import Diagnostic

    Read = Callable[[bytes | memoryview, str, Sequence[str]], None]


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
    words: Annotated[
        bool,
        typer.Option(
            "--words",
            help="Check every instruction, but ask for equal ones once: a fifth of the time.",
        ),
    ] = False,
    arch: o.ArchOpt = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep",
            metavar="PATH",
            help="Add what nvdisasm says to this file (with --words: folder), ask for it once.",
        ),
    ] = None,
    format_: Annotated[
        VerifyFormat, typer.Option("--format", "-f", help="Format of the outcome.")
    ] = VerifyFormat.TERMINAL,
    output: o.OutputOpt = None,
) -> None:
    """Count instructions twice, by sassay's tables and by nvdisasm, and compare them by function.

    nvdisasm disassembles whole cubins, 40,000 instructions a second; its answers come from nowhere
    else. With --words it is asked in raw mode for each different instruction of all cubins once.
    Exits with 1 if an instruction is told otherwise, with 2 if nothing could be checked.

    For example:

      sassay verify libfoo.so

      sassay verify pypi:bitsandbytes==0.50.2 --arch sm_90

      sassay verify libfoo.so --words

      sassay verify libfoo.so --full --keep answers.jsonl
    """
    from sassay.cli.output import write_stdout, write_whole
    from sassay.errors import UsageError

    if words and full:
        raise UsageError("--words checks everything: leave --full out")
    as_json = format_ is VerifyFormat.JSON
    archs = tuple(arch or ())
    if words:
        text, wrong = _by_word(inputs, archs, keep, as_json=as_json)
    else:
        text, wrong = _by_function(inputs, archs, keep, full=full, as_json=as_json)
    if output is None:
        write_stdout(text)
    else:
        write_whole(output, text)
    if wrong:
        raise typer.Exit(1)


def _by_function(
    inputs: Sequence[str], archs: Sequence[str], keep: Path | None, *, full: bool, as_json: bool
) -> tuple[str, bool]:
    """The report, and whether anything is wrong."""
    from sassay.cli.progress import Progress
    from sassay.cli.verify_text import functions_json, functions_text
    from sassay.errors import InputError
    from sassay.isa.sass import Disassembler
    from sassay.isa.sass.verify import Verifier, total_of
    from sassay.isa.sass.witness import Answers

    try:
        answers = Answers(keep)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", artifact=str(keep)) from error
    progress = Progress()
    problems: list[Diagnostic] = []
    # No cache: what earlier runs were told by nvdisasm would check nvdisasm against itself.
    with Disassembler(None) as disassembler:
        verifier = Verifier(disassembler, answers, full=full)

        def check(data: bytes | memoryview, place: str, chosen: Sequence[str]) -> None:
            progress.note(f"{verifier.checked:,} instructions checked; {place}")
            verifier.check(data, place, chosen)

        progress.start()
        try:
            for spec in inputs:
                problems += _read(spec, archs, check, progress)
        except OSError as error:
            raise InputError(f"cannot be written: {error.strerror}", artifact=str(keep)) from error
        finally:
            progress.stop()
    total = total_of(verifier.by_arch)
    _require(inputs, problems, verifier.by_arch, checked=bool(total.checked_functions))
    render = functions_json if as_json else functions_text
    return render(verifier, problems), bool(total.mismatches)


def _by_word(
    inputs: Sequence[str], archs: Sequence[str], keep: Path | None, *, as_json: bool
) -> tuple[str, bool]:
    """The report, and whether anything is wrong."""
    from sassay.cli.progress import Progress
    from sassay.cli.verify_text import total_of_words, words_json, words_text
    from sassay.errors import InputError
    from sassay.isa.sass.tools import find_tools
    from sassay.isa.sass.verify_words import WordVerifier

    progress = Progress()
    problems: list[Diagnostic] = []
    verifier = WordVerifier(find_tools(None), keep)

    def read(data: bytes | memoryview, place: str, chosen: Sequence[str]) -> None:
        progress.note(place)
        verifier.read(data, place, chosen)

    progress.start()
    try:
        for spec in inputs:
            problems += _read(spec, archs, read, progress)
        verifier.ask(progress.note)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", artifact=str(keep)) from error
    finally:
        progress.stop()
    total = total_of_words(verifier.by_arch)
    _require(inputs, problems, verifier.by_arch, checked=bool(total.different))
    render = words_json if as_json else words_text
    return render(verifier, problems), bool(total.mismatches)


def _read(spec: str, archs: Sequence[str], take: Read, progress: Progress) -> Iterator[Diagnostic]:
    """Hand on every cubin of an input."""
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
        try:
            take(content(reader.filled(found)), place, archs)
        except SassayError as error:
            yield Diagnostic(Level.ERROR, error.artifact or place, error.message)


def _require(
    inputs: Sequence[str],
    problems: Sequence[Diagnostic],
    archs: Iterable[str],
    *,
    checked: bool,
) -> None:
    """Refuse to report where nothing could be checked."""
    from sassay.errors import InputError
    from sassay.isa.sass.tools import INSTALL_HINT

    names = sorted(archs)
    if not names:
        first = problems[0] if problems else None
        raise InputError(
            f"no cubin was read: {first.message}" if first else "holds no cubin",
            artifact=first.place if first else ", ".join(inputs),
        )
    if not checked:
        raise InputError(
            f"no nvdisasm here reads {', '.join(names)}",
            artifact=", ".join(inputs),
            hint=INSTALL_HINT,
        )
