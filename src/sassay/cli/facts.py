"""Runs the analyses whose facts reports show and policies match, on the kernels that need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sassay.cli.session import Session
    from sassay.model.fact import Fact
    from sassay.model.kernel import Kernel
    from sassay.model.state import State
    from sassay.policy import Policy

    Analysis = Callable[[Kernel], dict[str, Fact]]


def with_facts(states: Sequence[State], session: Session) -> tuple[State, ...]:
    """States whose kernels carry facts.

    Of several states, kernels that all of them hold are left alone: nothing moved in them.

    Args:
        states: As they were opened.
        session: Holds their code.
    """
    analyses = _analyses(session)
    shared: set[str] = set()
    if len(states) > 1:
        shared = set.intersection(*({each.id for each in state.kernels} for state in states))
    return tuple(_state(state, analyses, shared, session) for state in states)


def asks_for_facts(policy: Policy | None) -> bool:
    """Whether a rule of a policy rests on facts.

    Args:
        policy: The policy, None without one.
    """
    from sassay.policy import schema
    from sassay.policy.conditions import walk

    rules = policy.rules if policy is not None else ()
    return any(isinstance(part, schema.FactIs) for rule in rules for part in walk(rule.match))


def kernel_facts(kernel: Kernel, session: Session) -> Kernel:
    """One kernel with its facts.

    Args:
        kernel: Which kernel.
        session: Holds its code.
    """
    return _kernel(kernel, _analyses(session))


def _analyses(session: Session) -> tuple[Analysis, ...]:
    from sassay.capture.contraction import ContractionAudits

    return (ContractionAudits(session.store, session.disassembler).facts,)


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
