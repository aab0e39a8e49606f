"""Properties of the whole way from states to JSON, over states made of numbers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.diff.builders import NoCode, kernel, state

from sassay.diff import DiffOptions, compare
from sassay.isa.sass import Disassembler
from sassay.model.kernel import Kernel, Launch, Specialization
from sassay.report import Report, ReportOptions, render

if TYPE_CHECKING:
    from sassay.model.state import State

OPCODES = ("FADD", "FFMA", "LDG.E", "HMMA.16816.F32.BF16", "MUFU.RSQ", "NOT.A.KNOWN.ONE", "EXIT")
PTX = ("add.f32", "fma.rn.f32", "cvt.rn.bf16.f32", "ld.global.b32", "mystery.op", "ret")

censuses = st.dictionaries(st.sampled_from(OPCODES), st.integers(1, 40), min_size=1)
ptx_censuses = st.none() | st.dictionaries(st.sampled_from(PTX), st.integers(1, 9), min_size=1)


@st.composite
def kernels(draw: st.DrawFn) -> Kernel:
    """A kernel of one of a few families, so that states meet."""
    census = draw(censuses)
    ptx = draw(ptx_censuses)
    warps = draw(st.sampled_from((4, 8)))
    # The tiers of unlike code need the code itself; what is compared here is what stands beside it.
    code = f"{sorted(census.items())}"
    return kernel(
        draw(st.sampled_from(("norm", "gemm", "<b>&\x1b[1m|`"))),
        arch=draw(st.sampled_from(("sm_80", "sm_90a"))),
        sass=census,
        ptx=ptx,
        code=code,
        place=draw(st.sampled_from(("a/k.cubin", "b/k.cubin"))),
        spec=Specialization(options={"num_warps": warps}),
        registers=draw(st.none() | st.integers(16, 255)),
        shared=draw(st.none() | st.integers(0, 1 << 16)),
        launch=Launch(warps=warps),
    )


def distinct(found: list[Kernel]) -> list[Kernel]:
    """Kernels of different content: equal ones are one kernel of a state."""
    return list({each.id: each for each in found}.values())


states = st.lists(kernels(), max_size=6).map(distinct)
pairs = st.tuples(states, states)


def document(*chosen: State, all_: bool = False) -> dict[str, Any]:
    """What `sassay diff --format json` writes."""
    with Disassembler(None, tools=()) as disassembler:
        diff = compare(chosen, NoCode(), disassembler, DiffOptions(all=all_))
    options = ReportOptions(all=all_, rendering="full")
    text = render("json", Report(command="diff", states=chosen, diff=diff, options=options))
    found: dict[str, Any] = json.loads(text)
    return found


def same_archs(one: list[Kernel], other: list[Kernel]) -> bool:
    """Whether two states can be compared at all."""
    return bool({k.arch for k in one} & {k.arch for k in other})


@settings(max_examples=60, deadline=None)
@given(states.filter(bool))
def test_a_state_against_itself_is_empty(chosen: list[Kernel]) -> None:
    found = document(state("a", chosen), state("b", reversed(chosen)))
    assert found["changes"] == []
    assert found["comparability"] == []
    assert found["suspects"] == []
    (pair,) = found["pairs"]
    assert pair["unchanged"] == pair["compared"] == len(chosen)
    assert {row["status"] for row in found["families"]} <= {"unchanged"}


def mirrored(deltas: object) -> object:
    """Deltas as they read from the other side."""
    if isinstance(deltas, dict):
        if set(deltas) == {"before", "after"}:
            return {"before": deltas["after"], "after": deltas["before"]}
        return {key: mirrored(value) for key, value in deltas.items()}
    return -deltas if isinstance(deltas, int | float) else deltas


SWAPPED = {"added": "removed", "removed": "added", "expanded": "shrunk", "shrunk": "expanded"}


@settings(max_examples=60, deadline=None)
@given(pairs.filter(lambda two: same_archs(*two)))
def test_a_diff_mirrors_its_reverse(two: tuple[list[Kernel], list[Kernel]]) -> None:
    a, b = state("a", two[0]), state("b", two[1])
    forward, back = document(a, b, all_=True), document(b, a, all_=True)

    def key(change: dict[str, Any]) -> tuple[str, str]:
        return change["before"] or "", change["after"] or ""

    changes = {key(change): change for change in forward["changes"]}
    for change in back["changes"]:
        before, after = key(change)
        twin = changes.pop((after, before))
        assert twin["tier"] == change["tier"]
        assert twin["ptx_tier"] == change["ptx_tier"]
        assert twin["status"] == SWAPPED.get(change["status"], change["status"])
        assert mirrored(twin["deltas"]) == change["deltas"]
    assert changes == {}
    status = {(row["family"], row["arch"]): row["status"] for row in forward["families"]}
    for row in back["families"]:
        there = status.pop((row["family"], row["arch"]))
        assert SWAPPED.get(there, there) == row["status"]
    assert status == {}


@settings(max_examples=60, deadline=None)
@given(pairs.filter(lambda two: same_archs(*two)))
def test_everything_adds_up(two: tuple[list[Kernel], list[Kernel]]) -> None:
    found = document(state("a", two[0]), state("b", two[1]), all_=True)
    (pair,) = found["pairs"]
    assert pair["compared"] == pair["unchanged"] + pair["changed"]
    assert len(two[0]) == found["states"][0]["kernels"] == pair["compared"] + pair["removed"]
    assert len(two[1]) == found["states"][1]["kernels"] == pair["compared"] + pair["added"]
    assert sum(row["kernels"][0] for row in found["families"]) == len(two[0])
    for row in found["families"]:
        for layer in ("sass", "ptx"):
            for place, total in enumerate(row["instructions"][layer] or ()):
                if total is None:
                    continue
                by_category = row["categories"][layer].values()
                by_opcode = row["opcodes"][layer].values()
                assert sum(counts[place] or 0 for counts in by_category) == total
                assert sum(counts[place] or 0 for counts in by_opcode) == total
    for side, kernels_ in (("before", two[0]), ("after", two[1])):
        met = sorted(change[side] for change in found["changes"] if change[side])
        assert met == sorted(each.id for each in kernels_)


@settings(max_examples=40, deadline=None)
@given(pairs.filter(lambda two: same_archs(*two)), st.randoms(use_true_random=False))
def test_the_order_of_kernels_does_not_matter(
    two: tuple[list[Kernel], list[Kernel]], chance: Any
) -> None:
    shuffled = [chance.sample(each, len(each)) for each in two]
    expected = document(state("a", two[0]), state("b", two[1]), all_=True)
    assert document(state("a", shuffled[0]), state("b", shuffled[1]), all_=True) == expected
