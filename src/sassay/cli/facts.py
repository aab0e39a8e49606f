"""Runs the analyses whose facts reports show and policies match, on the kernels that need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sassay.cli.session import Session
    from sassay.model.change import Diff
    from sassay.model.fact import Fact
    from sassay.model.kernel import Kernel
    from sassay.model.state import State
    from sassay.policy import Policy

    Analysis = Callable[[Kernel], dict[str, Fact]]

_PATH = "numeric_path"
_MOST = 100
"""Kernels that are looked at when nobody asked: one takes some 10 ms when it is new."""


def with_facts(
    states: Sequence[State], session: Session, *, paths: bool = False, asked: bool = True
) -> tuple[State, ...]:
    """States whose kernels carry facts.

    Of several states, kernels that all of them hold are left alone: nothing moved in them.

    Args:
        states: As they were opened.
        session: Holds their code.
        paths: Numeric paths too, which take up to seconds a kernel.
        asked: Whether somebody asked for facts; if not, none are found out where that would take
            longer than the rest.
    """
    from sassay.model.later import hold_both

    if not paths and not any(hold_both(state.kernels) for state in states):
        return tuple(states)
    analyses = _analyses(session, paths=paths)
    shared: set[str] = set()
    if len(states) > 1:
        shared = set.intersection(*({each.id for each in state.kernels} for state in states))
    todo = sum(each.id not in shared for state in states for each in state.kernels if _both(each))
    if todo > _MOST and not (asked or paths):
        return tuple(states)
    return tuple(_state(state, analyses, shared, session) for state in states)


def _both(kernel: Kernel) -> bool:
    return kernel.code.ptx is not None and kernel.code.sass is not None


def asks_for_facts(policy: Policy | None) -> bool:
    """Whether a rule of a policy rests on facts.

    Args:
        policy: The policy, None without one.
    """
    from sassay.policy import schema
    from sassay.policy.conditions import walk

    rules = policy.rules if policy is not None else ()
    return any(isinstance(part, schema.FactIs) for rule in rules for part in walk(rule.match))


def asks_for_paths(policy: Policy | None) -> bool:
    """Whether a rule of a policy rests on numeric paths.

    Args:
        policy: The policy, None without one.
    """
    from sassay.policy import schema
    from sassay.policy.conditions import walk

    rules = policy.rules if policy is not None else ()
    parts = (part for rule in rules for part in walk(rule.match))
    return any(isinstance(part, schema.FactIs) and part.name == _PATH for part in parts)


def kernel_facts(kernel: Kernel, session: Session, *, paths: bool = False) -> Kernel:
    """One kernel with its facts.

    Args:
        kernel: Which kernel.
        session: Holds its code.
        paths: Its numeric path too.
    """
    return _kernel(kernel, _analyses(session, paths=paths))


def told_paths(diff: Diff, states: Sequence[State], session: Session) -> Diff:
    """A diff whose moved numeric paths say in words what moved.

    Args:
        diff: Of states with facts.
        states: As they were compared.
        session: Holds their code.
    """
    import msgspec

    from sassay.machine.path import NumericPaths, compare_paths
    from sassay.model.change import ToldMove

    known = NumericPaths(session.store)
    kernels = {(state.label, each.id): each for state in states for each in state.kernels}
    changes = []
    for change in diff.changes:
        moved = change.deltas.facts.get(_PATH)
        if moved is not None and change.before and change.after:
            before, after = (
                known.answer(kernels[label, id_])
                for label, id_ in zip(change.pair, (change.before, change.after), strict=True)
            )
            words = tuple(
                f"numeric path unknown {when}: {answer.reason}"
                for when, answer in (("before", before), ("after", after))
                if answer.path is None
            )
            if before.path is not None and after.path is not None:
                words = compare_paths(before.path, after.path)
            told = ToldMove(moved.before, moved.after, words)
            deltas = msgspec.structs.replace(
                change.deltas, facts={**change.deltas.facts, _PATH: told}
            )
            notes = change.notes + words
            change = msgspec.structs.replace(change, deltas=deltas, notes=notes)  # noqa: PLW2901 - the same change
        changes.append(change)
    return msgspec.structs.replace(diff, changes=tuple(changes))


def _analyses(session: Session, *, paths: bool) -> tuple[Analysis, ...]:
    from sassay.capture.contraction import ContractionAudits

    audits = ContractionAudits(session.store, session.disassembler).facts
    if not paths:
        return (audits,)
    from sassay.machine.path import NumericPaths

    return audits, NumericPaths(session.store).facts


def _state(state: State, analyses: Sequence[Analysis], shared: set[str], session: Session) -> State:
    import msgspec

    todo = sum(each.id not in shared for each in state.kernels)
    kernels, done = [], 0
    for kernel in state.kernels:
        if kernel.id in shared:
            kernels.append(kernel)
            continue
        done += 1
        session.progress.note(f"analyzing {kernel.family}, {done} of {todo}")
        kernels.append(_kernel(kernel, analyses))
    return msgspec.structs.replace(state, kernels=tuple(kernels))


def _kernel(kernel: Kernel, analyses: Sequence[Analysis]) -> Kernel:
    import msgspec

    found: dict[str, Fact] = dict(kernel.facts)
    for analysis in analyses:
        found.update(analysis(kernel))
    if found == kernel.facts:
        return kernel
    return msgspec.structs.replace(kernel, facts=dict(sorted(found.items())))
