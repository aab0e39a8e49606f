"""A comparison that an earlier run made is not made again, and its states are not looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.diff.builders import NoCode, kernel, state

from sassay.diff import DiffOptions, kept, select_and_compare, selected
from sassay.isa.sass import Disassembler
from sassay.model.later import LaterKernels
from sassay.model.state import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sassay.model.change import Diff
    from sassay.model.kernel import Kernel
    from sassay.model.state import State

    Compare = Callable[..., tuple[tuple[State, ...], Diff]]

BEFORE = state("a", [kernel(code="one"), kernel("g", arch="sm_80"), kernel("x::f")])
AFTER = state("b", [kernel(code="two", sass={"FADD": 9}), kernel("g", arch="sm_80")])


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Diff]:
    """Comparisons that were made anew."""
    monkeypatch.setattr(kept, "MIN_KERNELS", 1)
    found: list[Diff] = []
    save = kept.KeptDiffs.save

    def noted(self: kept.KeptDiffs, diff: Diff) -> None:
        found.append(diff)
        save(self, diff)

    monkeypatch.setattr(kept.KeptDiffs, "save", noted)
    return found


@pytest.fixture
def ask(tmp_path: Path) -> Compare:
    def compared(*states: State, **options: Any) -> tuple[tuple[State, ...], Diff]:
        chosen = DiffOptions(cache_dir=tmp_path, **options)
        return select_and_compare(states, NoCode(), Disassembler(None, ()), chosen)

    return compared


def _later(of: State, make: Callable[[], Sequence[Kernel]], identity: str = "id") -> State:
    kernels = LaterKernels(len(of.kernels), make, linked=False, lines=False, identity=identity)
    return msgspec.structs.replace(of, kernels=kernels)


def _refuse() -> Sequence[Kernel]:
    pytest.fail("looked")


def test_what_was_compared_is_remembered(ask: Compare, made: list[Diff]) -> None:
    first, second = ask(BEFORE, AFTER), ask(BEFORE, AFTER)
    assert first == second
    assert len(made) == 1


@pytest.mark.parametrize(
    ("before", "options"),
    [
        (BEFORE, {"strict": True}),
        (BEFORE, {"families": ("f",)}),
        (BEFORE, {"limit": 1}),
        (BEFORE, {"all": True}),
        (msgspec.structs.replace(BEFORE, label="c"), {}),
        (msgspec.structs.replace(BEFORE, evidence={"x": Evidence(1)}), {}),
        (msgspec.structs.replace(BEFORE, tools={"nvdisasm": "1"}), {}),
        (state("a", [*BEFORE.kernels, kernel("h")]), {}),
        (_later(BEFORE, lambda: BEFORE.kernels), {}),
    ],
)
def test_what_differs_is_compared(
    ask: Compare, made: list[Diff], before: State, options: dict[str, Any]
) -> None:
    ask(BEFORE, AFTER)
    ask(before, AFTER, **options)
    assert len(made) == 2


def test_known_states_are_not_looked_at(ask: Compare, made: list[Diff]) -> None:
    looks = [_later(BEFORE, lambda: BEFORE.kernels, "1"), _later(AFTER, lambda: AFTER.kernels, "2")]
    chosen, diff = ask(*looks)
    again, known = ask(_later(BEFORE, _refuse, "1"), _later(AFTER, _refuse, "2"))
    assert known == diff
    assert [len(each.kernels) for each in again] == [3, 2]
    assert len(made) == 1
    # Whoever looks all the same sees them as they were compared.
    shown, _ = ask(*looks)
    assert shown == chosen == selected([BEFORE, AFTER], DiffOptions())


def test_known_states_are_narrowed(ask: Compare, made: list[Diff]) -> None:
    looks = [_later(BEFORE, lambda: BEFORE.kernels, "1"), _later(AFTER, lambda: AFTER.kernels, "2")]
    for _ in range(2):
        chosen, _ = ask(*looks, families=("g",))
        assert [[each.family for each in one.kernels] for one in chosen] == [["g"], ["g"]]
    assert len(made) == 1
