"""`sassay diff`: compare two or more states, or the code of two kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sassay.cli import options as o
from sassay.cli.judge import Judging, report_and_status
from sassay.cli.source_text import SourceText

if TYPE_CHECKING:
    from pathlib import Path


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
    source_root: o.SourceRootOpt = None,
    source_rev: o.SourceRevOpt = None,
    arch: o.ArchOpt = None,
    family: o.FamilyOpt = None,
    group: o.GroupOpt = None,
    wrapper: o.WrapperOpt = None,
    baseline: o.BaselineOpt = None,
    across_arch: o.AcrossOpt = None,
    strict: o.StrictOpt = False,
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
    evidence: o.EvidenceOpt = None,
    today: o.TodayOpt = None,
    fail_on: o.FailOnOpt = o.FailOn.FAIL,
    allow_unknown: o.AllowUnknownOpt = False,
    summary: o.SummaryOpt = False,
    full: Annotated[bool, typer.Option("--full", help="Everything, opcode by opcode.")] = False,
    all_: o.AllOpt = False,
    limit: o.LimitOpt = None,
    format_: o.FormatOpt = o.Format.TERMINAL,
    output: o.OutputOpt = None,
    json_file: o.JsonOpt = None,
    markdown_file: o.MarkdownOpt = None,
    html_file: o.HtmlOpt = None,
    sarif_file: o.SarifOpt = None,
    junit_file: o.JunitOpt = None,
    color: o.ColorOpt = None,
) -> None:
    """Compare two or more states, oldest first: families, kernels, instructions, resources.

    For example:

      sassay diff base.sassay pr.sassay

      sassay diff base=cache.old pr=cache.new --html report.html

      sassay diff base.sassay pr.sassay --kernel _qkv_rmsnorm_kernel --layer ptx

      sassay diff base.sassay pr.sassay --numeric-path

      sassay diff model.sassay --across-arch sm_80:sm_90a
    """
    rendering = o.Rendering.SUMMARY if summary else o.Rendering.FULL if full else None
    judging = Judging(
        command="diff",
        states=tuple(states),
        policy=policy,
        kernels=tuple(kernel or ()),
        layer=layer.value if layer else None,
        side_by_side=side_by_side,
        context=context,
        normalize_registers=normalize_registers,
        archs=tuple(arch or ()),
        families=tuple(family or ()),
        groups=tuple(group or ()),
        wrappers=tuple(wrapper or ()),
        baseline=baseline,
        across_arch=across_arch,
        strict=strict,
        exit_code=exit_code,
        evidence=tuple(evidence or ()),
        today=today,
        fail_on=fail_on,
        allow_unknown=allow_unknown,
        rendering=rendering,
        all=all_,
        limit=limit,
        texts=SourceText(tuple(source_root or ()), tuple(source_rev or ())),
        paths=numeric_path,
    )
    more: dict[o.Format, Path | None] = {
        o.Format.JSON: json_file,
        o.Format.MARKDOWN: markdown_file,
        o.Format.HTML: html_file,
        o.Format.SARIF: sarif_file,
        o.Format.JUNIT: junit_file,
    }
    raise typer.Exit(report_and_status(judging, format_, output, more, color))
