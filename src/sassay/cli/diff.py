"""`sassay diff`: compare two or more states, or the code of two kernels."""

from __future__ import annotations

from typing import Annotated

import typer

from sassay.cli import options as o
from sassay.cli.judge import Judging, report_and_status
from sassay.cli.option_groups import Amount, Judgement, Reports, Selection, Sources, grouped


@grouped
def diff_command(
    states: o.StatesArg,
    *,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy", metavar="FILE|PRESET", help="Also judge; see `sassay policy list`."
        ),
    ] = None,
    kernel: Annotated[
        list[str] | None,
        typer.Option(
            "--kernel",
            "-k",
            metavar="KERNEL",
            help="Show the aligned code of this kernel (id, symbol, name or family); "
            "give it twice to choose both sides.",
        ),
    ] = None,
    layer: Annotated[
        o.LayerChoice | None,
        typer.Option("--layer", help="Show the aligned code of changed kernels in this layer."),
    ] = None,
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", "-y", help="Aligned code in two columns.")
    ] = False,
    context: Annotated[
        int, typer.Option("--context", "-U", min=0, max=10_000, help="Context lines of code.")
    ] = 3,
    normalize_registers: Annotated[
        bool | None,
        typer.Option(
            "--normalize-registers/--exact-registers",
            help="Lines that differ only in the names of registers are equal, or not; by default "
            "equal unless names are all that differs.",
            show_default=False,
        ),
    ] = None,
    sources: Sources,
    selection: Selection,
    baseline: o.BaselineOpt = None,
    across_arch: o.AcrossOpt = None,
    numeric_path: Annotated[
        bool,
        typer.Option(
            "--numeric-path",
            help="Say in words how the order and precision of changed kernels moved.",
        ),
    ] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit 1 if anything changed, as git diff does.")
    ] = False,
    judgement: Judgement,
    amount: Amount,
    reports: Reports,
) -> None:
    """Compare two or more states, oldest first: families, kernels, instructions, resources.

    For example:

      sassay diff base.sassay pr.sassay

      sassay diff base=cache.old pr=cache.new --html report.html

      sassay diff base.sassay pr.sassay --kernel _qkv_rmsnorm_kernel --layer ptx

      sassay diff base.sassay pr.sassay --numeric-path

      sassay diff model.sassay --across-arch sm_80:sm_90a
    """
    judging = Judging(
        command="diff",
        states=tuple(states),
        policy=policy,
        kernels=tuple(kernel or ()),
        layer=layer.value if layer else None,
        side_by_side=side_by_side,
        context=context,
        normalize_registers=normalize_registers,
        selection=selection,
        judgement=judgement,
        amount=amount,
        baseline=baseline,
        across_arch=across_arch,
        exit_code=exit_code,
        texts=sources.text,
        paths=numeric_path,
    )
    raise typer.Exit(report_and_status(judging, reports.outputs))
