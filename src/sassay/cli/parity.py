"""`sassay parity`: judge the contracts of a file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sassay.cli import options as o
from sassay.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sassay.model.finding import Verdict
    from sassay.model.parity import ParityReport


class On(StrEnum):
    """What runs the numeric claims."""

    CPU = "cpu"
    GPU = "gpu"


def parity_command(
    contracts: Annotated[
        Path, typer.Argument(metavar="CONTRACTS.toml", help="See docs/parity.md.")
    ],
    *,
    contract: Annotated[
        list[str] | None,
        typer.Option("--contract", metavar="NAME", help="Only this contract; repeatable."),
    ] = None,
    arch: Annotated[
        list[str] | None,
        typer.Option("--arch", help="Compile manifests for it instead of their own."),
    ] = None,
    run_python: Annotated[
        bool,
        typer.Option("--run-python", help="Run the Python references that contracts name."),
    ] = False,
    on: Annotated[
        On, typer.Option("--on", help="Where numbers are computed: the machine, or the GPU here.")
    ] = On.CPU,
    fail_on: o.FailOnOpt = o.FailOn.FAIL,
    allow_unknown: o.AllowUnknownOpt = False,
    all_: Annotated[bool, typer.Option("--all", help="Every case, also what holds.")] = False,
    format_: o.FormatOpt = o.Format.TERMINAL,
    output: o.OutputOpt = None,
    json_file: o.JsonOpt = None,
    markdown_file: o.MarkdownOpt = None,
    sarif_file: o.SarifOpt = None,
    junit_file: o.JunitOpt = None,
    color: o.ColorOpt = None,
) -> None:
    """Judge parity contracts: kernels that have to give the same bits, run without a GPU.

    For example:

      sassay parity contracts.toml

      sassay parity contracts.toml --contract rmsnorm --all

      sassay parity contracts.toml --run-python --junit parity.xml

      sassay parity contracts.toml --on gpu

    Python code runs only with --run-python. Exit status: 0 all contracts hold, 1 one is broken,
    2 sassay could not judge (UNKNOWN too, unless --allow-unknown).
    """
    if format_ is o.Format.HTML:
        raise UsageError("parity has no HTML report", hint="markdown, json, sarif or junit")
    report = check_file(
        contracts,
        names=tuple(contract or ()),
        archs=tuple(arch or ()),
        run_python=run_python,
        on_gpu=on is On.GPU,
    )
    more: dict[o.Format, Path | None] = {
        o.Format.JSON: json_file,
        o.Format.MARKDOWN: markdown_file,
        o.Format.SARIF: sarif_file,
        o.Format.JUNIT: junit_file,
    }
    write_parity(report, format_, output, more, color=color, everything=all_)
    raise typer.Exit(exit_status(report.verdict, fail_on, allow_unknown=allow_unknown))


def check_file(
    path: Path,
    *,
    names: tuple[str, ...] = (),
    archs: tuple[str, ...] = (),
    run_python: bool = False,
    on_gpu: bool = False,
    quiet: bool = False,
) -> ParityReport:
    """Judge the contracts of a file.

    Args:
        path: The contract file.
        names: Only these contracts; empty: all.
        archs: Architectures to compile manifests for; empty: their own.
        run_python: Run the Python references that contracts name.
        on_gpu: Compute numbers on the GPU of this computer; expressions stay in the machine.
        quiet: No progress.

    Raises:
        SassayError: The file is wrong, or what it names cannot be read.
    """
    from sassay.cli.kernels import KernelFinder
    from sassay.cli.references import load_references
    from sassay.machine.parity import Chooser, Sides, check_contracts, load_contracts

    file = load_contracts(path)
    known = [each.name for each in file.contracts]
    for name in names:
        if name not in known and name.partition("[")[0] not in known:
            raise UsageError(f"no contract is called {name!r}", hint=f"one of {', '.join(known)}")
    sides = [side for each in file.contracts for side in (each.left, each.right)]
    wanted = [side.python for side in sides if side.python is not None]
    references = load_references(wanted, path.parent) if run_python else {}
    runs = None
    if on_gpu:
        from sassay.machine.hardware.contracts import GpuRunner

        runs = GpuRunner()
    with KernelFinder(path.parent, archs=archs, quiet=quiet) as finder:
        return check_contracts(
            file,
            Sides(Chooser(finder.kernels), references, runs),
            names=names,
            progress=finder.session.progress.note,
        )


def exit_status(verdict: Verdict, fail_on: o.FailOn, *, allow_unknown: bool) -> int:
    """The exit status of a verdict.

    Args:
        verdict: Over everything.
        fail_on: The verdict from which on the status is 1.
        allow_unknown: UNKNOWN does not count.
    """
    if verdict.value == "FAIL" or (verdict.value == "REVIEW" and fail_on is o.FailOn.REVIEW):
        return 1
    return 2 if verdict.value == "UNKNOWN" and not allow_unknown else 0


def write_parity(
    report: ParityReport,
    main: o.Format,
    path: Path | None,
    more: Mapping[o.Format, Path | None],
    *,
    color: bool | None,
    everything: bool = False,
) -> None:
    """Write the report in every format that was asked for.

    Args:
        report: What was found.
        main: Format of the main output.
        path: Its file, None for standard output.
        more: Further files by format.
        color: Colours; None: only on a terminal.
        everything: Every case on the terminal.
    """
    from sassay.cli.output import Outputs, write_stdout, write_whole

    outputs = Outputs(main=main, path=path, more=more, color=color)
    files = [(file, _rendered(report, each)) for each, file in more.items() if file]
    if main is o.Format.TERMINAL:
        from sassay.report.terminal.parity import parity_text

        text = parity_text(
            report, width=outputs.width(), color=outputs.wants_color(), everything=everything
        )
    else:
        text = _rendered(report, main)
    for file, content in files:
        write_whole(file, content)
    if path is not None:
        write_whole(path, text)
    else:
        write_stdout(text)


def _rendered(report: ParityReport, format_: o.Format) -> str:
    from sassay.cli.output import source_root
    from sassay.cli.parity_check import parity_check
    from sassay.report import Report, ReportOptions, render

    if format_ is o.Format.JSON:
        from sassay.report import json

        return json.text(report)
    check = parity_check(report)
    options = ReportOptions(source_root=source_root())
    return render(format_.value, Report(command="check", check=check, options=options))
