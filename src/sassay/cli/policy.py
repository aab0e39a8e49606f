"""`sassay policy`: test a policy on its own cases, explain a judgement, list the presets."""

from __future__ import annotations

from typing import Annotated

import typer

from sassay.cli import options as o
from sassay.cli.output import write_stdout
from sassay.cli.text import shown
from sassay.errors import InputError, UsageError

app = typer.Typer(
    help="Test, explain and list policies.",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

PolicyArg = Annotated[str, typer.Argument(metavar="FILE|PRESET", help="A policy file or preset.")]


@app.command("list")
def list_command() -> None:
    """List the presets that ship with sassay, with what each one asks."""
    from sassay.policy import list_presets

    rows = list_presets()
    width = max(len(row.name) for row in rows)
    for row in rows:
        note = "" if row.available else f"  [not in this release: {row.needs}]"
        write_stdout(f"{row.name:<{width}}  {row.summary}{note}\n")


@app.command("test")
def test_command(
    policies: Annotated[
        list[str],
        typer.Argument(metavar="FILE|PRESET", help="Policies with a `tests:` section."),
    ],
) -> None:
    """Run the example cases of policies; exit 1 if one does not hold, 2 if there is none to run.

    For example:

      sassay policy test policy.yaml

      sassay policy test default no-new-spills
    """
    from sassay.policy import load_policy, run_policy_tests

    failed = ran = 0
    for name in policies:
        policy = load_policy(name)
        results = run_policy_tests(policy)
        if not results:
            raise InputError("has no example cases", artifact=name, hint="add a `tests:` section")
        for result in results:
            ran += 1
            failed += not result.passed
            write_stdout(
                f"{'ok  ' if result.passed else 'FAIL'}  {shown(name)}: {shown(result.name)}\n"
            )
            for line in result.problems:
                write_stdout(f"      {shown(line)}\n")
    write_stdout(f"{ran - failed} passed, {failed} failed\n")
    raise typer.Exit(1 if failed else 0)


@app.command("explain")
def explain_command(
    policy: PolicyArg,
    states: o.StatesArg,
    *,
    rule: Annotated[
        str | None, typer.Option("--rule", help="Only this rule, or a finding's id.")
    ] = None,
    arch: o.ArchOpt = None,
    group: o.GroupOpt = None,
    wrapper: o.WrapperOpt = None,
    baseline: o.BaselineOpt = None,
    across_arch: o.AcrossOpt = None,
    strict: o.StrictOpt = False,
    evidence: o.EvidenceOpt = None,
    today: o.TodayOpt = None,
) -> None:
    """Say step by step why each rule fired, stayed quiet, or is UNKNOWN.

    For example:

      sassay policy explain default base.sassay pr.sassay

      sassay policy explain policy.yaml pr.sassay --rule review-gemm-when-tma-expected
    """
    from sassay.cli.facts import asks_for_facts, with_facts
    from sassay.cli.judge import compare_states, diff_options
    from sassay.cli.session import Session, parse_across, parse_groups
    from sassay.policy import explain, load_policy, resolve_today

    loaded = load_policy(policy)
    groups = parse_groups(group or ())
    with Session(wrappers=wrapper) as session:
        opened = session.open_all(states, archs=tuple(arch or ()), evidence=tuple(evidence or ()))
        if asks_for_facts(loaded):
            opened = with_facts(opened, session)
        options = diff_options(
            session,
            across=parse_across(across_arch),
            groups={**loaded.groups, **groups},
            baseline=baseline,
            strict=strict,
        )
        chosen, diff = compare_states(opened, session, options)
        lines = explain(
            loaded,
            chosen,
            diff,
            only=rule,
            today=resolve_today(today),
            groups=groups,
            baseline=baseline,
        )
    if not lines:
        known = ", ".join(each.id for each in loaded.rules)
        raise UsageError(f"the policy has no rule or finding {rule!r}", hint=f"rules: {known}")
    for line in lines:
        write_stdout(f"{shown(line)}\n")
