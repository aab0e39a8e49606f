"""What `lint`, and `check` with a policy that has a `lint` section, share: run the lint wing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.errors import PolicyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sassay.cli.session import Session
    from sassay.lint import Profile
    from sassay.model.change import Change, Diff
    from sassay.model.finding import Judged
    from sassay.model.kernel import Kernel
    from sassay.model.state import State
    from sassay.policy import Policy

_EVERY = 25


def policy_settings(policy: Policy | None) -> dict[str, dict[str, str | int | bool]]:
    """Levels and settings out of a policy's `lint` section.

    Args:
        policy: The policy, if there is one.

    Raises:
        PolicyError: A rule has no such setting, or it does not hold such a value.
    """
    from sassay.lint import read_value

    found: dict[str, dict[str, str | int | bool]] = {}
    for row in (policy.lint if policy else None) or ():
        for name, value in row.settings.items():
            try:
                found.setdefault(row.rule, {})[name] = read_value(row.rule, name, value)
            except UsageError as error:
                raise PolicyError(
                    error.message,
                    artifact=policy.name if policy else None,
                    place=f"line {row.line}, lint.{row.rule}",
                    hint=error.hint,
                ) from None
        found.setdefault(row.rule, {})
    return found


def lint_candidate(
    session: Session,
    states: Sequence[State],
    diff: Diff | None,
    profile: Profile,
    *,
    only_changed: bool = False,
) -> Judged:
    """Ask the lint rules of the last state's kernels.

    Args:
        session: Holds their code.
        states: Oldest first; the last is judged.
        diff: Their comparison, None for a single state.
        profile: Which rules, how.
        only_changed: Only kernels that are new or changed, and only what is new in them.
    """
    from sassay.lint import Linter

    before = _before(states, diff) if diff is not None else None
    kernels: Sequence[Kernel] = states[-1].kernels
    if only_changed and diff is not None:
        moved = {change.after for change in _changes(diff) if change.status.value != "unchanged"}
        kernels = [kernel for kernel in kernels if kernel.id in moved]

    def progress(done: int) -> None:
        if done % _EVERY == 0:
            session.progress.note(f"linting: {done:,} of {len(kernels):,} kernels")

    linter = Linter(session.store, session.disassembler, profile)
    return linter.run(kernels, before, only_new=only_changed, on_kernel=progress)


def _changes(diff: Diff) -> list[Change]:
    """Changes from the baseline to the candidate."""
    pair = (diff.pairs[-1].before, diff.pairs[-1].after)
    return [change for change in diff.changes if change.pair == pair]


def _before(states: Sequence[State], diff: Diff) -> Mapping[str, Kernel | None]:
    """By id the kernel of the baseline that each kernel was matched with; None for a new one.

    What did not change and has another id all the same, as where lines moved, is left out.
    """
    pair = diff.pairs[-1]
    baseline = next(state for state in states if state.label == pair.before)
    known = {kernel.id: kernel for kernel in baseline.kernels}
    found: dict[str, Kernel | None] = {
        kernel.id: known[kernel.id] for kernel in states[-1].kernels if kernel.id in known
    }
    for change in _changes(diff):
        if change.after is not None:
            found[change.after] = known.get(change.before) if change.before else None
    return found
