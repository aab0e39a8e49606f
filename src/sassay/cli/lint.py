"""`sassay lint`: ask the lint rules of a state, or of what changed since another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from sassay.cli import options as o
from sassay.cli.option_groups import Reports, Sources, grouped
from sassay.cli.source_text import SourceText
from sassay.errors import UsageError

if TYPE_CHECKING:
    from sassay.cli.output import Outputs
    from sassay.cli.session import Session
    from sassay.lint import Profile
    from sassay.model.finding import Check
    from sassay.model.state import State
    from sassay.model.traced import TracedCode
    from sassay.policy import Policy


@grouped
def lint_command(
    states: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[BASE] STATE", help="A capture or any input; BASE is what it was before."
        ),
    ] = None,
    *,
    changed: Annotated[
        bool,
        typer.Option("--changed", help="Only what is new in kernels that changed since BASE."),
    ] = False,
    select: Annotated[
        list[str] | None,
        typer.Option("--select", metavar="RULE,...", help="Only these rules, also ones off."),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="RULE,...", help="Not these rules.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--setting",
            metavar="RULE.NAME=VALUE",
            help="Set one thing of a rule, such as batch-row-select.axis=x or RULE.level=fail.",
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy", "-p", metavar="FILE", help="Take levels, settings and waivers from it."
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the rules and stop.")] = False,
    explain: Annotated[
        str | None, typer.Option("--explain", metavar="RULE", help="Print a rule's page and stop.")
    ] = None,
    arch: o.ArchOpt = None,
    family: o.FamilyOpt = None,
    wrapper: o.WrapperOpt = None,
    sources: Sources,
    today: o.TodayOpt = None,
    fail_on: o.FailOnOpt = o.FailOn.FAIL,
    allow_unknown: o.AllowUnknownOpt = False,
    summary: o.SummaryOpt = False,
    full: Annotated[bool, typer.Option("--full", help="Every place, not the first few.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="Every family, and what only records.")] = (
        False
    ),
    limit: o.LimitOpt = None,
    reports: Reports,
) -> None:
    """Look for known mistakes in the PTX and SASS of a state, without running anything.

    For example:

      sassay lint ~/.triton/cache

      sassay lint main.sassay pr.sassay --changed --sarif lint.sarif

      sassay lint kernel.ptx --select batch-row-select --setting batch-row-select.axis=x

      sassay lint --explain divergent-barrier

    Exit status: 0 pass, 1 the verdict reached --fail-on, 2 sassay could not judge (UNKNOWN too,
    unless --allow-unknown).
    """
    from sassay.cli.output import write_stdout

    if list_ or explain is not None:
        from sassay.cli.lint_pages import rule_list, rule_page

        write_stdout(rule_page(explain) if explain is not None else rule_list())
        return
    asked = Linting(
        states=tuple(states or ()),
        changed=changed,
        select=tuple(select or ()),
        ignore=tuple(ignore or ()),
        settings=tuple(setting or ()),
        policy=policy,
        archs=tuple(arch or ()),
        families=tuple(family or ()),
        wrappers=tuple(wrapper or ()),
        source=sources.text,
        today=today,
        fail_on=fail_on,
        allow_unknown=allow_unknown,
        rendering="summary" if summary else "full" if full else "delta",
        all=all_,
        limit=limit,
    )
    raise typer.Exit(lint_and_status(asked, reports.outputs))


@dataclass(frozen=True)
class Linting:
    """One `lint` as the command line asks for it."""

    states: tuple[str, ...]
    changed: bool
    select: tuple[str, ...]
    ignore: tuple[str, ...]
    settings: tuple[str, ...]
    policy: str | None
    archs: tuple[str, ...]
    families: tuple[str, ...]
    wrappers: tuple[str, ...]
    source: SourceText
    today: str | None
    fail_on: o.FailOn
    allow_unknown: bool
    rendering: str
    all: bool
    limit: int | None


def lint_and_status(asked: Linting, outputs: Outputs) -> int:
    """Do what the command line asks and return its exit status.

    Args:
        asked: What to judge, by which rules.
        outputs: What is written, and where.
    """
    from sassay.cli.diagnostics import say_diagnostics
    from sassay.cli.judge import compare_states, diff_options, verdict_status
    from sassay.cli.linting import lint_candidate
    from sassay.cli.output import emit, source_root
    from sassay.cli.session import Session
    from sassay.policy import evaluate, resolve_today, waivers_in_use
    from sassay.report import Report, ReportOptions

    _check_states(asked)
    policy = _policy(asked)
    profile = _profile(asked, policy)
    with Session(wrappers=asked.wrappers) as session:
        opened = session.open_all(asked.states, archs=asked.archs)
        options = diff_options(
            session, across=None, groups={}, families=asked.families, inputs=asked.states
        )
        states, diff = compare_states(opened, session, options)
        judged = lint_candidate(session, states, diff, profile, only_changed=asked.changed)
        if asked.changed:
            policy = waivers_in_use(policy, judged.findings)
        check = evaluate(policy, states, None, today=resolve_today(asked.today), also=judged)
        html = outputs.writes(o.Format.HTML)
        traced = _traced(session, states[-1], check, asked.source) if html else ()
    report = Report(
        command="lint",
        states=states,
        check=check,
        traced=traced,
        options=ReportOptions(
            rendering=asked.rendering,
            limit=asked.limit,
            all=asked.all,
            width=outputs.width(),
            color=outputs.wants_color(),
            source_root=source_root(),
            title=_title(asked, [state.label for state in states]),
        ),
    )
    emit(report, outputs)
    if not outputs.is_read_here():
        say_diagnostics(*opened[-1:])
    return verdict_status(check, asked.fail_on, allow_unknown=asked.allow_unknown)


def _traced(
    session: Session, state: State, check: Check, source: SourceText
) -> tuple[TracedCode, ...]:
    """The code of kernels that findings are about, for pages that a reader moves about in."""
    from sassay.cli.traced import traced_state

    known = {kernel.id: kernel for kernel in state.kernels}
    wanted = dict.fromkeys(id_ for finding in check.findings for id_ in finding.kernels)
    kernels = [known[id_] for id_ in wanted if id_ in known]
    return traced_state(kernels, state.label, session, source.reader(state))


def _check_states(asked: Linting) -> None:
    if not asked.states:
        raise UsageError("lint needs a state", hint="sassay lint STATE, or --list, or --explain")
    if len(asked.states) > 2:
        raise UsageError("lint takes two states at most", hint="sassay lint BASE STATE")
    if asked.changed and len(asked.states) < 2:
        raise UsageError("--changed needs a state before", hint="sassay lint BASE STATE --changed")


def _title(asked: Linting, labels: list[str]) -> str:
    since = f", what changed since {labels[0]}" if asked.changed else ""
    return f"lint of {labels[-1]}{since}"


def _policy(asked: Linting) -> Policy:
    """The policy that waives and sets; its own rules are `check`'s business."""
    from sassay.policy import Policy, lint_part, load_policy

    if asked.policy is None:
        return Policy(name="", rules=())
    return lint_part(load_policy(asked.policy))


def _profile(asked: Linting, policy: Policy) -> Profile:
    from sassay.cli.linting import policy_settings
    from sassay.lint import Profile, read_settings, rule_names

    settings = policy_settings(policy)
    for rule, values in read_settings(asked.settings).items():
        settings[rule] = {**settings.get(rule, {}), **values}
    return Profile(rule_names(asked.select), rule_names(asked.ignore), settings)
