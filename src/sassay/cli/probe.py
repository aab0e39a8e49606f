"""`sassay probe`: how often two implementations of a selection step choose differently."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sassay.cli import options as o
from sassay.errors import UsageError

if TYPE_CHECKING:
    from sassay.model.parity import ProbeReport


def probe_command(
    probe: Annotated[Path, typer.Argument(metavar="PROBE.toml", help="See docs/probe.md.")],
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
    format_: o.FormatOpt = o.Format.TERMINAL,
    output: o.OutputOpt = None,
    json_file: o.JsonOpt = None,
    color: o.ColorOpt = None,
) -> None:
    """Run two implementations of a selection step on many rows and count where they part.

    For example:

      sassay probe examples/router/probe.toml

      sassay probe examples/router/selection.toml --rows 20000 --kind near-ties --json probe.json

    Python code runs only with --run-python. Exit status: 0, 1 if a bound of the file is passed,
    2 sassay could not judge.
    """
    if format_ not in {o.Format.TERMINAL, o.Format.JSON}:
        raise UsageError(f"a probe has no {format_.value} report", hint="terminal or json")
    report = probe_file(
        probe,
        rows=rows,
        seed=seed,
        kinds=tuple(kind or ()),
        archs=tuple(arch or ()),
        run_python=run_python,
    )
    _write(report, format_, output, json_file, color=color)
    raise typer.Exit(int(report.verdict.value == "FAIL"))


def probe_file(
    path: Path,
    *,
    rows: int | None = None,
    seed: int | None = None,
    kinds: tuple[str, ...] = (),
    archs: tuple[str, ...] = (),
    run_python: bool = False,
    quiet: bool = False,
) -> ProbeReport:
    """Run a probe file.

    Args:
        path: The file.
        rows: Rows of all kinds together; None: the file's own.
        seed: Of the rows; None: the file's own.
        kinds: How rows are made; empty: the file's own.
        archs: Architectures to compile manifests for; empty: their own.
        run_python: Run the Python references that it names.
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
        sides = Sides(Chooser(finder.kernels), references)
        return run_probe(spec, sides, progress=finder.session.progress.note)


def _write(
    report: ProbeReport,
    main: o.Format,
    path: Path | None,
    json_file: Path | None,
    *,
    color: bool | None,
) -> None:
    from sassay.cli.output import Outputs, write_stdout, write_whole
    from sassay.report import json
    from sassay.report.terminal.parity import probe_text

    document = json.text(report)
    outputs = Outputs(main=main, path=path, color=color)
    text = document
    if main is o.Format.TERMINAL:
        text = probe_text(report, width=outputs.width(), color=outputs.wants_color())
    if json_file is not None:
        write_whole(json_file, document)
    if path is not None:
        write_whole(path, text)
    else:
        write_stdout(text)
