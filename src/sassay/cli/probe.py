"""`sassay probe`: how often two implementations of a selection step choose differently."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sassay.cli import options as o
from sassay.cli.backend import BackendChoice, BackendOpt, open_backend, say_interpreted
from sassay.cli.option_groups import Pages, grouped
from sassay.errors import UsageError

if TYPE_CHECKING:
    from sassay.cli.output import Outputs
    from sassay.machine.probe import ProbeSpec
    from sassay.model.parity import ProbeReport


@grouped
def probe_command(
    probe: Annotated[Path, typer.Argument(metavar="PROBE.toml", help="See docs/probe.md.")],
    states: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[LEFT RIGHT]", help="Two states: the kernels of either side come from them."
        ),
    ] = None,
    *,
    rows: Annotated[
        int | None, typer.Option("--rows", metavar="N", help="Rows of all kinds together.", min=1)
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="Of the rows.")] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help="Only rows made so; repeatable."),
    ] = None,
    arch: Annotated[
        list[str] | None,
        typer.Option("--arch", help="Compile manifests for it instead of their own."),
    ] = None,
    run_python: Annotated[
        bool, typer.Option("--run-python", help="Run the Python references that it names.")
    ] = False,
    backend: BackendOpt = BackendChoice.AUTO,
    pages: Pages,
) -> None:
    """Run two implementations of a selection step on many rows and count where they part.

    For example:

      sassay probe examples/router/probe.toml

      sassay probe examples/router/selection.toml --rows 20000 --kind near-ties --json probe.json

      sassay probe probe.toml accepted.sassay pre_revert.sassay --html router.html

    With two states the report also says what moved between them, by family, and in which numeric
    paths. Python code runs only with --run-python. Exit status: 0, 1 if a bound of the file is
    passed, 2 sassay could not judge.
    """
    if pages.format_ in {o.Format.SARIF, o.Format.JUNIT}:
        raise UsageError(
            f"a probe has no {pages.format_.value} report", hint="terminal, json, markdown or html"
        )
    if len(states or ()) not in {0, 2}:
        raise UsageError("a probe compares two states, or what its file names", hint="LEFT RIGHT")
    report = probe_file(
        probe,
        states=tuple(states or ()),
        rows=rows,
        seed=seed,
        kinds=tuple(kind or ()),
        archs=tuple(arch or ()),
        run_python=run_python,
        backend=backend,
    )
    _write(report, pages.outputs)
    raise typer.Exit(int(report.verdict.value == "FAIL"))


def probe_file(
    path: Path,
    *,
    states: tuple[str, ...] = (),
    rows: int | None = None,
    seed: int | None = None,
    kinds: tuple[str, ...] = (),
    archs: tuple[str, ...] = (),
    run_python: bool = False,
    backend: BackendChoice = BackendChoice.AUTO,
    quiet: bool = False,
) -> ProbeReport:
    """Run a probe file.

    Args:
        path: The file.
        states: Two states that the kernels of the left and of the right side come from; empty:
            from where the file says.
        rows: Rows of all kinds together; None: the file's own.
        seed: Of the rows; None: the file's own.
        kinds: How rows are made; empty: the file's own.
        archs: Architectures to compile manifests for; empty: their own.
        run_python: Run the Python references that it names.
        backend: What runs kernels.
        quiet: No progress.

    Raises:
        SassayError: The file is wrong, or what it names cannot be read or run.
    """
    import msgspec

    from sassay.cli.kernels import KernelFinder
    from sassay.cli.references import load_references
    from sassay.machine.parity import Chooser, Sides
    from sassay.machine.parity.limits import MAX_ROWS
    from sassay.machine.probe import load_probe, run_probe
    from sassay.machine.probe.spec import KINDS

    spec = load_probe(path)
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(f"unknown kind {kind!r}", hint=f"one of {', '.join(KINDS)}")
    if rows is not None and rows > MAX_ROWS:
        raise UsageError(f"{rows} rows", hint=f"at most {MAX_ROWS}")
    spec = msgspec.structs.replace(
        spec,
        rows=spec.rows if rows is None else rows,
        seed=spec.seed if seed is None else seed,
        kinds=kinds or spec.kinds,
    )
    wanted = [side.python for side in (spec.left, spec.right) if side.python is not None]
    references = load_references(wanted, path.parent) if run_python else {}
    with KernelFinder(path.parent, archs=archs, quiet=quiet) as finder:
        moved = None
        if states:
            from sassay.cli.probe_states import states_moved

            moved = states_moved(states, finder.session)
            spec = _of_states(spec, states)
        machine = open_backend(backend)
        sides = Sides(Chooser(finder.kernels), references, machine.runs)
        report = run_probe(spec, sides, progress=finder.session.progress.note)
    say_interpreted(machine)
    return msgspec.structs.replace(report, states=moved)


def _of_states(spec: ProbeSpec, states: tuple[str, ...]) -> ProbeSpec:
    """A probe whose kernels come from two states."""
    import msgspec

    from sassay.machine.parity.contract import Step

    sides = {}
    for name, state in zip(("left", "right"), states, strict=True):
        origin = str(Path(state).resolve()) if Path(state).exists() else state
        side = getattr(spec, name)
        steps = tuple(
            msgspec.structs.replace(step, origin=origin) if isinstance(step, Step) else step
            for step in side.steps
        )
        sides[name] = msgspec.structs.replace(side, steps=steps)
    return msgspec.structs.replace(spec, **sides)


def _write(report: ProbeReport, outputs: Outputs) -> None:
    from sassay.cli.output import write_reports

    def rendered(format_: o.Format) -> str:
        if format_ is o.Format.JSON:
            from sassay.report import json

            return json.text(report)
        if format_ is o.Format.HTML:
            from sassay.report.parity_page import probe_page

            return probe_page(report)
        from sassay.report.terminal.parity import probe_text

        if format_ is o.Format.MARKDOWN:
            from sassay.report.markdown.probe import probe_markdown

            return probe_markdown(report)
        return probe_text(report, width=outputs.width(), color=outputs.wants_color())

    write_reports(outputs, rendered)
