"""`sassay compile`: compile the Triton kernels of a manifest into a capture, without a GPU."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sassay.cli import options as o
from sassay.cli.diagnostics import say_diagnostics
from sassay.cli.kept import kept_folder
from sassay.cli.output import repository
from sassay.cli.session import Session, parse_environment
from sassay.cli.text import shown

if TYPE_CHECKING:
    from sassay.build import CompileRun
    from sassay.model.state import State


def compile_command(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST.toml", help="See docs/manifest.md.")
    ],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The capture, OUT.sassay.")],
    arch: Annotated[
        list[str] | None,
        typer.Option("--arch", metavar="SM", help="Compile for these instead, such as sm_90."),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(
            "--root", help="Read the sources below this folder, such as another checkout."
        ),
    ] = None,
    label: o.LabelOpt = None,
    evidence: Annotated[
        list[str] | None,
        typer.Option("--evidence", metavar="FILE.json", help="Attach measurements; repeatable."),
    ] = None,
    env: o.EnvOpt = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, max=256, help="Compilers at once.")
    ] = 2,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="S", min=1, help="Seconds for one kernel.")
    ] = 600,
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing",
            help="Leave out functions and parameters that these sources do not have.",
        ),
    ] = False,
    source: Annotated[
        bool,
        typer.Option(
            "--source/--no-source",
            help="Keep the source lines that the kernels come from in the capture.",
        ),
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Compile the Triton kernels that a manifest names: no GPU, no torch, nothing imported.

    A kernel that does not compile is reported with the compiler's message; the others are
    captured, and the exit status is 2.

    For example:

      sassay compile kernels.toml -o pr.sassay

      sassay compile kernels.toml -o base.sassay --root ../base-checkout --allow-missing
    """
    from sassay.build import compile_manifest, load_manifest
    from sassay.capture import load_evidence, write_capture
    from sassay.capture.line_rows import line_rows

    loaded = load_manifest(manifest, root=root, archs=tuple(arch or ()))
    measured = {}
    for path in evidence or ():
        measured.update(load_evidence(Path(path)))
    identity = (str(manifest.resolve()), str(root.resolve()) if root else "")
    with Session(quiet=quiet) as session, kept_folder(session.cache, *identity) as folder:
        run = compile_manifest(
            loaded,
            archs=tuple(arch or ()),
            cache_dir=folder,
            progress=session.progress.note,
            jobs=jobs,
            timeout=timeout,
            allow_missing=allow_missing,
        )
        state = session.open_compiled(
            run,
            label=label or loaded.label or output.name.removesuffix(".sassay"),
            evidence=measured,
            environment={
                **_source_folder(loaded.root),
                **loaded.environment,
                **parse_environment(env or ()),
            },
        )
        if source:
            state = _with_sources(state, session, loaded.root)
        session.progress.note(f"writing {output}")
        lines = line_rows([state], session.store, session.disassembler)
        write_capture(state, session.store, output, lines=lines)
    if not quiet:
        from sassay.report.numbers import plural

        families = {kernel.family for kernel in state.kernels}
        typer.echo(
            f"{shown(str(output))}: {plural(len(state.kernels), 'kernel')}, "
            f"{plural(len(families), 'family', 'families')}, "
            f"{len(run.failures)} failed{_absent(run)}"
        )
    say_diagnostics(state, shown=None)
    if run.failures:
        missing = run.absent_failures
        hint = f"; {missing} are not in the sources, see --allow-missing" if missing else ""
        sys.stderr.write(
            f"sassay: error: {manifest}: {len(run.failures)} did not compile "
            f"(the others are captured{hint})\n"
        )
        raise typer.Exit(2)


def _source_folder(root: Path) -> dict[str, str]:
    """Where in its repository the manifest's root lies; empty at the top and outside of any."""
    from sassay.model.state import SOURCE_FOLDER

    top = repository(root.resolve())
    if top is None or root.resolve() == top:
        return {}
    return {SOURCE_FOLDER: root.resolve().relative_to(top).as_posix()}


def _with_sources(state: State, session: Session, root: Path) -> State:
    """The state with the lines that its kernels come from, Triton's own library among them."""
    from importlib.util import find_spec

    from sassay.capture.source_files import SourceRoot
    from sassay.capture.texts import keep_texts

    triton = find_spec("triton")
    folders = [root, *map(Path, (triton.submodule_search_locations or ()) if triton else ())]
    return keep_texts(state, session.store, [SourceRoot(each) for each in folders if each.is_dir()])


def _absent(run: CompileRun) -> str:
    return f", {len(run.absent)} left out: not in the sources" if run.absent else ""
