"""What `diff` and `check` share: open the states, compare, judge, report, exit status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sassay.cli.diagnostics import say_diagnostics
from sassay.cli.facts import asks_for_facts, asks_for_paths, told_paths, with_facts
from sassay.cli.options import FailOn, Format
from sassay.cli.output import emit, source_root
from sassay.cli.selection import code_pairs
from sassay.cli.session import Session, parse_across, parse_groups
from sassay.cli.traced import traced_diff
from sassay.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sassay.capture.texts import SourceReader
    from sassay.cli.option_groups import Amount, Judgement, Selection
    from sassay.cli.output import Outputs
    from sassay.cli.source_text import SourceText
    from sassay.diff import DiffOptions
    from sassay.model.change import CodeDiff, Diff
    from sassay.model.finding import Check
    from sassay.model.kernel import Kernel
    from sassay.model.state import State
    from sassay.policy import Policy

_MAX_CODE_DIFFS = 20


@dataclass(frozen=True)
class Judging:
    """One `diff` or `check` as the command line asks for it."""

    command: str
    states: tuple[str, ...]
    policy: str | None
    selection: Selection
    judgement: Judgement
    amount: Amount
    texts: SourceText
    baseline: str | None
    across_arch: str | None
    kernels: tuple[str, ...] = ()
    layer: str | None = None
    side_by_side: bool = False
    context: int = 3
    normalize_registers: bool | None = None
    exit_code: bool = False
    paths: bool = False


def report_and_status(judging: Judging, outputs: Outputs) -> int:
    """Do what the command line asks and return its exit status.

    Args:
        judging: What to compare and judge.
        outputs: What is written, and where.

    Returns:
        0, 1 or 2, as the design fixes them.
    """
    from sassay.report import Report, ReportOptions

    across = parse_across(judging.across_arch)
    policy = _policy(judging)
    if judging.command == "diff" and len(judging.states) < 2 and not (across or judging.kernels):
        raise UsageError(
            "diff needs two states or more",
            hint="sassay diff BEFORE AFTER, or one state with --across-arch A:B",
        )
    with Session(wrappers=judging.selection.wrappers) as session:
        opened = session.open_all(
            judging.states, archs=judging.selection.archs, evidence=judging.judgement.measurements
        )
        paths = judging.paths or asks_for_paths(policy)
        if len(opened) > 1 or paths or asks_for_facts(policy):
            opened = with_facts(opened, session, paths=paths, asked=asks_for_facts(policy))
        readers = {state.label: judging.texts.reader(state) for state in opened}
        options = diff_options(
            session,
            across=across,
            groups={**(policy.groups if policy else {}), **parse_groups(judging.selection.groups)},
            baseline=judging.baseline,
            strict=judging.judgement.strict,
            families=judging.selection.families,
            all_=judging.amount.all_ or bool(judging.kernels),
            inputs=judging.states,
            readers=readers,
        )
        states, diff = compare_states(opened, session, options)
        if diff is not None and paths:
            diff = told_paths(diff, states, session)
        check = _check(judging, policy, states, diff, session)
        code = _code_diffs(judging, states, diff, session)
        html = outputs.writes(Format.HTML)
        chosen = _chosen(judging, states, diff)
        traced, pairs = traced_diff(states, diff, session, readers, chosen) if html else ((), ())
    report = Report(
        command="code" if code and judging.kernels else judging.command,
        states=states,
        diff=diff,
        check=check,
        code_diffs=code,
        traced=traced,
        traced_pairs=pairs,
        options=ReportOptions(
            rendering=judging.amount.rendering or (check.rendering if check else "delta"),
            limit=judging.amount.limit,
            all=judging.amount.all_,
            layer=judging.layer,
            width=outputs.width(),
            color=outputs.wants_color(),
            code_view="side-by-side" if judging.side_by_side else "unified",
            source_root=source_root(),
        ),
    )
    emit(report, outputs)
    if report.command != "code" and not outputs.is_read_here():
        say_diagnostics(*opened)
    return _status(judging, diff, check)


def _policy(judging: Judging) -> Policy | None:
    if judging.policy is None:
        return None
    from sassay.policy import load_policy

    return load_policy(judging.policy)


def diff_options(
    session: Session,
    *,
    across: tuple[str, str] | None,
    groups: Mapping[str, tuple[str, ...]],
    baseline: str | None = None,
    strict: bool = False,
    families: tuple[str, ...] = (),
    all_: bool = False,
    inputs: tuple[str, ...] = (),
    readers: Mapping[str, SourceReader] | None = None,
) -> DiffOptions:
    """How states are compared, with the tiers kept in the user's cache.

    Args:
        session: Knows the cache.
        across: Two architectures to pair.
        groups: Family globs by group name.
        baseline: Label of the state that every other is compared with.
        strict: Relocated and rescheduled kernels count as changed.
        families: Family globs to keep.
        all_: Keep unchanged kernels in `changes`.
        inputs: The states as written on the command line, for the next steps.
        readers: Source text of each state, by label.
    """
    from sassay.diff import DiffOptions

    return DiffOptions(
        strict=strict,
        baseline=baseline,
        across_arch=across,
        groups=dict(groups),
        families=families,
        all=all_,
        cache_dir=session.cache,
        inputs=inputs,
        readers=readers or {},
    )


def compare_states(
    states: tuple[State, ...], session: Session, options: DiffOptions
) -> tuple[tuple[State, ...], Diff | None]:
    """Compare states, if there is anything to compare.

    Args:
        states: Oldest first.
        session: Holds their code.
        options: How.

    Returns:
        The states as they were compared (narrowed, split by architecture), and the diff; None for
        one state that is not compared across architectures.
    """
    from sassay.diff import select_and_compare, selected

    if len(states) < 2 and options.across_arch is None:
        return (selected(states, options) if options.families else states), None
    return select_and_compare(states, session.store, session.disassembler, options)


def _check(
    judging: Judging,
    policy: Policy | None,
    states: Sequence[State],
    diff: Diff | None,
    session: Session,
) -> Check | None:
    if policy is None:
        return None
    from sassay.policy import evaluate, resolve_today

    also = None
    if policy.lint is not None:
        from sassay.cli.linting import lint_candidate, policy_settings
        from sassay.lint import Profile

        also = lint_candidate(session, states, diff, Profile(settings=policy_settings(policy)))
    return evaluate(
        policy,
        states,
        diff,
        today=resolve_today(judging.judgement.today),
        groups=parse_groups(judging.selection.groups),
        baseline=judging.baseline,
        also=also,
    )


def _chosen(
    judging: Judging, states: Sequence[State], diff: Diff | None
) -> Sequence[tuple[Kernel, Kernel]]:
    """Pairs of kernels that were asked for by name."""
    if not judging.kernels:
        return ()
    from sassay.model.layers import Layer

    return code_pairs(states, diff, judging.kernels, Layer(judging.layer or "sass"))


def _code_diffs(
    judging: Judging, states: Sequence[State], diff: Diff | None, session: Session
) -> tuple[CodeDiff, ...]:
    if not judging.kernels and judging.layer is None:
        return ()
    from sassay.diff import code_diff
    from sassay.model.layers import Layer

    layer = Layer(judging.layer or "sass")
    pairs = code_pairs(states, diff, judging.kernels, layer)
    limit = judging.amount.limit or _MAX_CODE_DIFFS
    return tuple(
        code_diff(
            before,
            after,
            layer,
            session.store,
            session.disassembler,
            context=judging.context,
            normalize_registers=judging.normalize_registers,
        )
        for before, after in pairs[:limit]
    )


def _status(judging: Judging, diff: Diff | None, check: Check | None) -> int:
    status = 0
    if check is not None:
        how = judging.judgement
        status = verdict_status(check, how.fail_on, allow_unknown=how.allow_unknown)
    if status == 0 and judging.exit_code and diff is not None:
        status = int(any(pair.changed or pair.added or pair.removed for pair in diff.pairs))
    return status


def verdict_status(check: Check, fail_on: FailOn, *, allow_unknown: bool) -> int:
    """The exit status of a verdict.

    Args:
        check: The judgement.
        fail_on: The verdict from which on the status is 1.
        allow_unknown: UNKNOWN does not count; what did fire still does.
    """
    from sassay.model.finding import Effect, Verdict

    effects = {finding.effect for finding in check.findings if finding.waived is None}
    reached = Effect.FAIL in effects or (fail_on is FailOn.REVIEW and Effect.REVIEW in effects)
    if check.verdict is Verdict.FAIL:
        return 1
    if check.verdict is Verdict.UNKNOWN and not allow_unknown:
        return 2
    return int(reached)
