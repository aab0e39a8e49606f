"""`sassay capture`: write a state to disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sassay.cli import options as o
from sassay.cli.diagnostics import say_diagnostics
from sassay.cli.session import Session, parse_environment
from sassay.cli.text import shown

if TYPE_CHECKING:
    from sassay.model.state import State


def capture_command(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="What to capture, merged into one state."),
    ],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The capture, OUT.sassay.")],
    label: o.LabelOpt = None,
    arch: o.ArchOpt = None,
    wrapper: o.WrapperOpt = None,
    evidence: Annotated[
        list[str] | None,
        typer.Option("--evidence", metavar="FILE.json", help="Attach measurements; repeatable."),
    ] = None,
    env: o.EnvOpt = None,
    source_root: Annotated[
        list[Path] | None,
        typer.Option(
            "--source-root",
            metavar="DIR",
            help="Keep the source lines that kernels come from, of files below DIR; repeatable.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Capture what a build or a run emitted: kernels, code, environment, evidence.

    For example:

      sassay capture ~/.triton/cache -o pr.sassay --label pr

      sassay capture pypi:bitsandbytes==0.50.2 -o bnb.sassay --arch 'sm_9*'

      sassay capture cache/ -o run.sassay --env dtype=bfloat16 --evidence gsm8k.json
    """
    from sassay.capture import load_evidence, write_capture
    from sassay.capture.line_rows import line_rows

    measured = {}
    for path in evidence or ():
        measured.update(load_evidence(Path(path)))
    with Session(quiet=quiet, wrappers=wrapper) as session:
        state = session.open_merged(
            inputs,
            archs=tuple(arch or ()),
            label=label or _label(output),
            evidence=measured,
            environment=parse_environment(env or ()),
        )
        if source_root:
            from sassay.capture.source_files import SourceRoot
            from sassay.capture.texts import keep_texts

            state = keep_texts(state, session.store, [SourceRoot(each) for each in source_root])
        session.progress.note(f"writing {output}")
        lines = line_rows([state], session.store, session.disassembler)
        write_capture(state, session.store, output, lines=lines)
    if not quiet:
        _summarize(state, output)


def _label(output: Path) -> str:
    return output.name.removesuffix(".sassay") or "capture"


def _summarize(state: State, output: Path) -> None:
    from sassay.diff.selection import arch_order

    families = {kernel.family for kernel in state.kernels}
    archs = sorted({kernel.arch for kernel in state.kernels}, key=arch_order)
    typer.echo(
        f"{shown(str(output))}: {len(state.kernels)} kernels, {len(families)} families, "
        f"{', '.join(archs)}"
    )
    say_diagnostics(state)
