"""A sequence that is made at the first look is the sequence, and knows its length before."""

from __future__ import annotations

import msgspec
import pytest
from tests.diff.builders import kernel

from sassay.isa.counted import spelled_out
from sassay.model.kernel import CodeRefs
from sassay.model.later import Later, LaterKernels, hold_both, hold_lines


def test_it_is_made_once_and_not_before_somebody_looks() -> None:
    made = []

    def make() -> list[int]:
        made.append(True)
        return [1, 2, 3]

    later = Later(3, make, "id")
    assert (len(later), bool(later), later.identity, made) == (3, True, "id", [])
    assert (later[1], later[1:], list(later), 3 in later) == (2, (2, 3), [1, 2, 3], True)
    assert made == [True]


def test_it_equals_what_it_holds() -> None:
    later, plain = Later(2, lambda: (1, 2)), (1, 2)
    assert later == plain
    assert plain == later
    assert later == Later(2, lambda: [1, 2])
    assert later != (1, 3)
    assert hash(later) == hash((1, 2))
    assert msgspec.to_builtins({"x": later}, enc_hook=spelled_out) == {"x": (1, 2)}


@pytest.mark.parametrize(
    ("code", "both", "lines"),
    [
        (CodeRefs(sass="s"), False, False),
        (CodeRefs(ptx="p"), False, False),
        (CodeRefs(ptx="p", sass="s"), True, False),
        (CodeRefs(sass="s", lines="l"), False, True),
    ],
)
def test_what_is_asked_first_needs_no_look(code: CodeRefs, both: bool, lines: bool) -> None:
    kernels = (msgspec.structs.replace(kernel(), code=code), kernel("g"))
    assert (hold_both(kernels), hold_lines(kernels)) == (both, lines)

    def refuse() -> tuple[()]:
        pytest.fail("looked")

    unseen = LaterKernels(2, refuse, linked=both, lines=lines)
    assert (hold_both(unseen), hold_lines(unseen)) == (both, lines)
