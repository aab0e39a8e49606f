"""What moved between the two states whose kernels a probe runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.model.parity import FamilyMoved, StatesMoved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.cli.session import Session
    from sassay.model.change import Change


def states_moved(arguments: Sequence[str], session: Session) -> StatesMoved:
    """Compares two states, with their numeric paths.

    Args:
        arguments: The states as written.
        session: Opens them.

    Raises:
        SassayError: One cannot be read, or they have no architecture in common.
    """
    from sassay.cli.facts import told_paths, with_facts
    from sassay.diff import DiffOptions, compare

    states = with_facts(session.open_all(arguments), session, paths=True)
    options = DiffOptions()
    diff = told_paths(
        compare(states, session.store, session.disassembler, options), states, session
    )
    (pair,) = diff.pairs
    return StatesMoved(
        before=states[0].label,
        after=states[1].label,
        kernels=(len(states[0].kernels), len(states[1].kernels)),
        compared=pair.compared,
        unchanged=pair.unchanged,
        families=_families([each for each in diff.changes if each.status != "unchanged"]),
    )


def _families(changes: Sequence[Change]) -> tuple[FamilyMoved, ...]:
    groups: dict[tuple[str, str, str], list[Change]] = {}
    for each in changes:
        what = each.status.value if each.tier is None else each.tier.value
        groups.setdefault((each.family, each.arch, what), []).append(each)
    return tuple(
        FamilyMoved(
            family=family,
            arch=arch,
            what=what,
            kernels=len(group),
            words=tuple(dict.fromkeys(line for each in group for line in _words(each))),
        )
        for (family, arch, what), group in sorted(groups.items())
    )


def _words(change: Change) -> tuple[str, ...]:
    moved = change.deltas.facts.get("numeric_path")
    return tuple(getattr(moved, "words", ())) if moved is not None else ()
