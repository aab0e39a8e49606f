from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.diff.builders import NoCode, kernel

from sassay.diff import code_diff
from sassay.diff.align import align
from sassay.errors import InputError
from sassay.isa.listing import ListingLine
from sassay.model.layers import Layer

if TYPE_CHECKING:
    from sassay.model.change import CodeDiff


def assert_alignment(
    before: list[str], after: list[str], blocks: list[tuple[int, int, int]]
) -> None:
    end = other_end = 0
    for start, other, length in blocks:
        assert length > 0
        assert start >= end
        assert other >= other_end
        assert before[start : start + length] == after[other : other + length]
        end, other_end = start + length, other + length


lines = st.lists(st.sampled_from("abcdef"), max_size=60)


@settings(max_examples=150, deadline=None)
@given(lines, lines)
def test_blocks_are_equal_and_in_order(before: list[str], after: list[str]) -> None:
    assert_alignment(before, after, align(before, after))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 30), max_size=200), st.data())
def test_what_was_only_deleted_leaves_the_rest_aligned(numbers: list[int], data: Any) -> None:
    before = [f"{n}:{i}" for i, n in enumerate(numbers)]
    gone = data.draw(st.sets(st.integers(0, max(len(before) - 1, 0))))
    after = [line for i, line in enumerate(before) if i not in gone]
    assert sum(length for _, _, length in align(before, after)) == len(after)


def listing(count: int, variety: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [f"OP{rng.randrange(variety)} R{rng.randrange(8)}" for _ in range(count)]


@pytest.mark.parametrize("variety", [3, 40, 5000])
def test_twenty_thousand_instructions_align_line_by_line(variety: int) -> None:
    before = listing(20_000, variety, 1)
    after = list(before)
    rng = random.Random(2)
    for _ in range(400):
        place = rng.randrange(len(after))
        after[place : place + rng.randrange(3)] = listing(rng.randrange(3), variety, place)
    blocks = align(before, after)
    assert_alignment(before, after, blocks)
    assert sum(length for _, _, length in blocks) > 18_500


@pytest.mark.parametrize("variety", [1, 3, 40, 5000])
def test_twenty_thousand_unrelated_instructions_align(variety: int) -> None:
    before, after = listing(20_000, variety, 1), listing(20_000, variety, 2)
    blocks = align(before, after)
    assert_alignment(before, after, blocks)


class Lines:
    """A disassembler of given listings."""

    def __init__(self, **code: list[str]) -> None:
        self._code = code

    def listing(self, code: Any) -> tuple[ListingLine, ...]:
        return tuple(
            ListingLine(16 * i, text.split()[0], text, text)
            for i, text in enumerate(self._code[code])
        )


class Names(NoCode):
    def sass(self, digest: str) -> Any:
        return digest


def compare_lines(before: list[str], after: list[str], **options: Any) -> CodeDiff:
    disassembler: Any = Lines(a=before, b=after)
    one = kernel(code="a", sass={"A": len(before)})
    other = kernel(code="b", sass={"B": len(after)})
    return code_diff(one, other, Layer.SASS, Names(), disassembler, **options)


def shown(diff: CodeDiff) -> list[list[str]]:
    mark = {"equal": " ", "replace": "~", "delete": "-", "insert": "+"}
    return [
        [f"{mark[line.op]}{line.before or ''}|{line.after or ''}" for line in hunk.lines]
        for hunk in diff.hunks
    ]


def test_hunks_hold_differences_with_their_context_and_nothing_else() -> None:
    before = [f"I{i}" for i in range(40)]
    after = [*before[:5], "NEW", *before[5:30], "X30", *before[31:38], *before[39:]]
    result = compare_lines(before, after, context=2)
    assert shown(result) == [
        [" I3|I3", " I4|I4", "+|NEW", " I5|I5", " I6|I6"],
        [" I28|I28", " I29|I29", "~I30|X30", " I31|I31", " I32|I32"],
        [" I36|I36", " I37|I37", "-I38|", " I39|I39"],
    ]
    first = result.hunks[0]
    assert (first.before_start, first.before_count) == (3, 4)
    assert (first.after_start, first.after_count) == (3, 5)
    assert (result.before_instructions, result.after_instructions) == (40, 40)
    assert first.lines[2].after_offset == 80


def test_contexts_that_meet_make_one_hunk() -> None:
    before = ["A", "x", "B", "y", "C"]
    after = ["A", "X", "B", "Y", "C"]
    assert len(compare_lines(before, after, context=1).hunks) == 1
    assert len(compare_lines(before, after, context=0).hunks) == 2


def test_lines_of_one_shape_face_each_other() -> None:
    before = ["A", "MOV R1, R2", "FADD R3, R4, R5", "EXIT"]
    after = ["A", "S2R R9, X", "BAR 0", "MOV R6, R7", "FADD R8, R9, 3", "EXIT"]
    exact = compare_lines(before, after, context=0, normalize_registers=False)
    assert shown(exact) == [
        ["+|S2R R9, X", "+|BAR 0", "~MOV R1, R2|MOV R6, R7", "~FADD R3, R4, R5|FADD R8, R9, 3"]
    ]


def test_registers_can_be_left_out_so_that_only_real_differences_show() -> None:
    before = ["MOV R1, R2", "FADD R3, R4, 1", "EXIT"]
    after = ["MOV R7, R8", "FADD R5, R6, 2", "EXIT"]
    exact = compare_lines(before, after, normalize_registers=False)
    assert len(exact.hunks[0].lines) == 3
    assert shown(compare_lines(before, after, context=0)) == [["~FADD R3, R4, 1|FADD R5, R6, 2"]]
    blind = compare_lines(before, after, normalize_registers=True, context=0)
    assert shown(blind) == [["~FADD R3, R4, 1|FADD R5, R6, 2"]]


def test_a_layer_that_a_side_lacks_is_an_error_with_a_name() -> None:
    with pytest.raises(InputError, match="it holds no PTX"):
        code_diff(kernel(), kernel(), Layer.PTX, NoCode(), None)  # type: ignore[arg-type] # never asked
