"""`sassay parity`: judge the contracts of a file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sassay.cli import options as o
from sassay.cli.backend import BackendChoice, BackendOpt, open_backend, say_interpreted
from sassay.cli.option_groups import Reports, grouped
from sassay.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.cli.output import Outputs
    from sassay.machine.launch import Launch
    from sassay.machine.parity import KernelCode
    from sassay.machine.result import Result
    from sassay.model.finding import Verdict
    from sassay.model.parity import ParityReport


class On(StrEnum):
    """What runs the numeric claims."""

    CPU = "cpu"
    GPU = "gpu"


@grouped
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
    backend: BackendOpt = BackendChoice.AUTO,
    fail_on: o.FailOnOpt = o.FailOn.FAIL,
    allow_unknown: o.AllowUnknownOpt = False,
    all_: Annotated[bool, typer.Option("--all", help="Every case, also what holds.")] = False,
    reports: Reports,
) -> None:
    """Judge parity contracts: kernels that have to give the same bits, run without a GPU.

    For example:

      sassay parity contracts.toml

      sassay parity contracts.toml --contract rmsnorm --all

      sassay parity contracts.toml --run-python --html parity.html --junit parity.xml

      sassay parity contracts.toml --on gpu

    Python code runs only with --run-python. Exit status: 0 all contracts hold, 1 one is broken,
    2 sassay could not judge (UNKNOWN too, unless --allow-unknown).
    """
    report = check_file(
        contracts,
        names=tuple(contract or ()),
        archs=tuple(arch or ()),
        run_python=run_python,
        on_gpu=on is On.GPU,
        backend=backend,
    )
    write_parity(report, contracts, reports.outputs, everything=all_)
    raise typer.Exit(exit_status(report.verdict, fail_on, allow_unknown=allow_unknown))


def check_file(
    path: Path,
    *,
    names: tuple[str, ...] = (),
    archs: tuple[str, ...] = (),
    run_python: bool = False,
    on_gpu: bool = False,
    backend: BackendChoice = BackendChoice.AUTO,
    quiet: bool = False,
) -> ParityReport:
    """Judge the contracts of a file.

    Args:
        path: The contract file.
        names: Only these contracts; empty: all.
        archs: Architectures to compile manifests for; empty: their own.
        run_python: Run the Python references that contracts name.
        on_gpu: Compute numbers on the GPU of this computer; expressions stay in the machine.
        backend: What runs kernels in the machine.
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
    machine = open_backend(backend)
    runs: Callable[[KernelCode, Launch], Result] = machine.runs
    if on_gpu:
        from sassay.machine.hardware.contracts import GpuRunner

        runs = GpuRunner()
    with KernelFinder(path.parent, archs=archs, quiet=quiet) as finder:
        report = check_contracts(
            file,
            Sides(Chooser(finder.kernels), references, runs),
            names=names,
            progress=finder.session.progress.note,
        )
    say_interpreted(machine)
    return report


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
    report: ParityReport, path: Path, outputs: Outputs, *, everything: bool = False
) -> None:
    """Write the report in every format that was asked for.

    Args:
        report: What was found.
        path: The contract file.
        outputs: Formats and places.
        everything: Every case on the terminal.
    """
    from sassay.cli.output import write_reports

    def rendered(format_: o.Format) -> str:
        if format_ is not o.Format.TERMINAL:
            return _rendered(report, path, format_)
        from sassay.report.terminal.parity import parity_text

        return parity_text(
            report, width=outputs.width(), color=outputs.wants_color(), everything=everything
        )

    write_reports(outputs, rendered)


def _rendered(report: ParityReport, path: Path, format_: o.Format) -> str:
    from sassay.cli.output import source_root
    from sassay.cli.parity_check import parity_check
    from sassay.report import Report, ReportOptions, render

    if format_ is o.Format.JSON:
        from sassay.report import json

        return json.text(report)
    if format_ is o.Format.HTML:
        from sassay.report.parity_page import parity_page

        return parity_page(report)
    root = source_root()
    check = parity_check(report, source_folders(path), Path(root))
    options = ReportOptions(source_root=root)
    return render(format_.value, Report(command="check", check=check, options=options))


def source_folders(path: Path) -> tuple[Path, ...]:
    """Where the sources lie that kernels of a contract file name relative to their manifest.

    Args:
        path: The contract file.
    """
    from sassay.build import load_manifest
    from sassay.machine.parity import load_contracts

    origins = {
        step.origin
        for contract in load_contracts(path).contracts
        for side in (contract.left, contract.right)
        for step in side.kernels
    }
    manifests = (path.parent / origin for origin in sorted(origins) if origin.endswith(".toml"))
    return tuple(load_manifest(each).root.resolve() for each in manifests)
