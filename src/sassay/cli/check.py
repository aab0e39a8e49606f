"""`sassay check`: judge a candidate under a policy."""

from __future__ import annotations

from typing import Annotated

import typer

from sassay.cli import options as o
from sassay.cli.judge import Judging, report_and_status
from sassay.cli.option_groups import Amount, Judgement, Reports, Selection, Sources, grouped


@grouped
def check_command(
    states: o.StatesArg,
    *,
    policy: Annotated[
        str,
        typer.Option("--policy", "-p", metavar="FILE|PRESET", help="See `sassay policy list`."),
    ] = "default",
    sources: Sources,
    selection: Selection,
    baseline: o.BaselineOpt = None,
    across_arch: o.AcrossOpt = None,
    judgement: Judgement,
    amount: Amount,
    reports: Reports,
) -> None:
    """Judge the last state, against the states before it: PASS, REVIEW, FAIL or UNKNOWN.

    For example:

      sassay check main.sassay pr.sassay

      sassay check pr.sassay --policy policy.yaml --fail-on review

      sassay check base.sassay pr.sassay --markdown comment.md --junit sassay.xml

    Exit status: 0 pass, 1 the verdict reached --fail-on, 2 sassay could not judge (UNKNOWN too,
    unless --allow-unknown).
    """
    judging = Judging(
        command="check",
        states=tuple(states),
        policy=policy,
        selection=selection,
        judgement=judgement,
        amount=amount,
        baseline=baseline,
        across_arch=across_arch,
        texts=sources.text,
    )
    raise typer.Exit(report_and_status(judging, reports.outputs))
