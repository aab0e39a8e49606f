"""`sassay check`: judge a candidate under a policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sassay.cli import options as o
from sassay.cli.judge import Judging, report_and_status
from sassay.cli.source_text import SourceText

if TYPE_CHECKING:
    from pathlib import Path


def check_command(
    states: o.StatesArg,
    *,
    policy: Annotated[
        str,
        typer.Option("--policy", "-p", metavar="FILE|PRESET", help="See `sassay policy list`."),
    ] = "default",
    source_root: o.SourceRootOpt = None,
    source_rev: o.SourceRevOpt = None,
    arch: o.ArchOpt = None,
    family: o.FamilyOpt = None,
    group: o.GroupOpt = None,
    wrapper: o.WrapperOpt = None,
    baseline: o.BaselineOpt = None,
    across_arch: o.AcrossOpt = None,
    strict: o.StrictOpt = False,
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
    """Judge the last state, against the states before it: PASS, REVIEW, FAIL or UNKNOWN.

    For example:

      sassay check main.sassay pr.sassay

      sassay check pr.sassay --policy policy.yaml --fail-on review

      sassay check base.sassay pr.sassay --markdown comment.md --junit sassay.xml

    Exit status: 0 pass, 1 the verdict reached --fail-on, 2 sassay could not judge (UNKNOWN too,
    unless --allow-unknown).
    """
    rendering = o.Rendering.SUMMARY if summary else o.Rendering.FULL if full else None
    judging = Judging(
        command="check",
        states=tuple(states),
        policy=policy,
        archs=tuple(arch or ()),
        families=tuple(family or ()),
        groups=tuple(group or ()),
        wrappers=tuple(wrapper or ()),
        baseline=baseline,
        across_arch=across_arch,
        strict=strict,
        evidence=tuple(evidence or ()),
        today=today,
        fail_on=fail_on,
        allow_unknown=allow_unknown,
        rendering=rendering,
        all=all_,
        limit=limit,
        texts=SourceText(tuple(source_root or ()), tuple(source_rev or ())),
    )
    more: dict[o.Format, Path | None] = {
        o.Format.JSON: json_file,
        o.Format.MARKDOWN: markdown_file,
        o.Format.HTML: html_file,
        o.Format.SARIF: sarif_file,
        o.Format.JUNIT: junit_file,
    }
    raise typer.Exit(report_and_status(judging, format_, output, more, color))
