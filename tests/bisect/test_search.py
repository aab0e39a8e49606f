from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sassay.bisect import find_turn

if TYPE_CHECKING:
    from collections.abc import Sequence


class Asked:
    """A history that counts how often it is asked."""

    def __init__(self, values: Sequence[str | None]) -> None:
        self.values = values
        self.places: list[int] = []

    def __call__(self, place: int) -> str | None:
        self.places.append(place)
        return self.values[place]


@given(st.integers(2, 300), st.data())
def test_a_single_turn_is_found_with_few_questions(count: int, data: st.DataObject) -> None:
    place = data.draw(st.integers(1, count - 1))
    ask = Asked(["a"] * place + ["b"] * (count - place))
    turn = find_turn(count, ask)
    assert (turn.place, turn.before, turn.skipped) == (place, place - 1, ())
    assert turn.is_single
    assert len(ask.places) == len(set(ask.places))
    assert len(ask.places) <= 2 + math.ceil(math.log2(count - 1))


@given(st.lists(st.sampled_from("abc"), min_size=2, max_size=40))
def test_looking_everywhere_finds_the_first_difference_and_every_turn(values: list[str]) -> None:
    turn = find_turn(len(values), Asked(list(values)), every=True)
    first = next((p for p, value in enumerate(values) if value != values[0]), None)
    assert turn.place == first
    assert turn.turns == tuple(p for p in range(1, len(values)) if values[p] != values[p - 1])
    if first is not None:
        assert turn.before == first - 1


@given(st.lists(st.sampled_from(["a", "b", None]), min_size=0, max_size=30))
def test_what_is_found_differs_from_what_stands_before(middle: list[str | None]) -> None:
    """Whatever cannot be asked: the place found differs, the one before does not."""
    values: list[str | None] = ["a", *middle, "b"]
    turn = find_turn(len(values), Asked(values))
    assert turn.place is not None
    assert turn.before is not None
    assert values[turn.place] == "b"
    assert values[turn.before] == "a"
    between = range(turn.before + 1, turn.place)
    assert all(values[place] is None for place in between)
    assert turn.skipped == tuple(between)


def test_nothing_turned() -> None:
    turn = find_turn(5, Asked(["a"] * 5))
    assert (turn.place, turn.asked) == (None, (0, 4))


def test_a_turn_back_is_told() -> None:
    turn = find_turn(5, Asked(["a", "b", "b", "a", "a"]), every=True)
    assert (turn.place, turn.turns, turn.again) == (1, (1, 3), True)
    assert not turn.is_single


@pytest.mark.parametrize("values", [[None, "a"], ["a", None]])
def test_the_ends_must_answer(values: list[str | None]) -> None:
    with pytest.raises(ValueError, match=str(values.index(None))):
        find_turn(2, Asked(values))
