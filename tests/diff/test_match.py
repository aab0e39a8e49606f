from __future__ import annotations

import random
import time

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.diff.builders import kernel

from sassay.diff.assign import BLOCK
from sassay.diff.match import Matching, match
from sassay.diff.place import relative_place
from sassay.model.kernel import Kernel, Specialization


def names(matching: Matching) -> list[tuple[str, str]]:
    return [(before.name, after.name) for before, after in matching.pairs]


def test_equal_code_goes_before_equal_specialization() -> None:
    spec = Specialization(signature={"x": "*bf16"})
    other = Specialization(signature={"x": "*fp32"})
    before = [kernel(name="a", code="one", spec=spec)]
    after = [kernel(name="b", code="two", spec=spec), kernel(name="c", code="one", spec=other)]
    matching = match(before, after)
    assert names(matching) == [("a", "c")]
    assert [k.name for k in matching.added] == ["b"]


def test_equal_specialization_at_the_same_place_goes_before_a_closer_census() -> None:
    near, far = {"FADD": 10}, {"FADD": 90}
    before = [
        kernel(name="k", sass=near, place="w-1.0-py3-none-any.whl!lib_a.so!fatbin.1"),
        kernel(name="k", sass=far, place="w-1.0-py3-none-any.whl!lib_b.so!fatbin.1"),
    ]
    after = [
        kernel(name="k", sass={"FADD": 91}, place="w-1.1-py3-none-any.whl!lib_a.so!fatbin.4"),
        kernel(name="k", sass={"FADD": 11}, place="w-1.1-py3-none-any.whl!lib_b.so!fatbin.9"),
    ]
    found = {
        (b.sources[0].path[-13], a.sources[0].path[-13]) for b, a in match(before, after).pairs
    }
    assert found == {("a", "a"), ("b", "b")}


def test_equal_specialization_wherever_it_lies_goes_before_a_closer_census() -> None:
    narrow = Specialization(options={"num_warps": 4})
    wide = Specialization(options={"num_warps": 8})
    before = [kernel(name="x", spec=narrow, sass={"FADD": 10}, place="old/x")]
    after = [
        kernel(name="y", spec=wide, sass={"FADD": 11}, place="new/y"),
        kernel(name="z", spec=narrow, sass={"FADD": 500}, place="new/z"),
    ]
    assert names(match(before, after)) == [("x", "z")]


def test_what_shares_nothing_goes_to_the_closest_census() -> None:
    def one(name: str, count: int, warps: int) -> Kernel:
        spec = Specialization(options={"num_warps": warps})
        return kernel(name=name, spec=spec, sass={"FADD": count, "EXIT": 1})

    before = [one("a", 10, 1), one("b", 50, 2)]
    after = [one("c", 48, 3), one("d", 13, 4), one("e", 900, 5)]
    matching = match(before, after)
    assert names(matching) == [("b", "c"), ("a", "d")]
    assert [k.name for k in matching.added] == ["e"]


def test_instances_that_differ_only_in_folded_constants_pair_by_census() -> None:
    # A Triton cache does not keep constants: many instances of one name and one specialization.
    spec = Specialization(signature={"x": "*fp32"})
    before = [kernel(spec=spec, sass={"FADD": n}, place=f"{n}") for n in (10, 20, 30)]
    after = [kernel(spec=spec, sass={"FADD": n}, place=f"{n}+") for n in (31, 11, 22)]
    pairs = match(before, after).pairs
    assert sorted((b.code_bytes, a.code_bytes) for b, a in pairs) == [
        (160, 176), (320, 352), (480, 496),
    ]  # fmt: skip


def test_a_kernel_that_merged_several_places_counts_once() -> None:
    merged = kernel(name="k", code="old", place=["lib_a.so", "lib_b.so"])
    after = [
        kernel(name="k", code="new-b", place="lib_b.so"),
        kernel(name="k", code="new-c", place="lib_c.so"),
    ]
    matching = match([merged], after)
    assert [(b.digest, a.digest) for b, a in matching.pairs] == [("old", "new-b")]
    assert [k.digest for k in matching.added] == ["new-c"]


def test_undecoded_kernels_match_by_symbol_when_the_rest_is_equal() -> None:
    before = [kernel(symbol=s, arch="sm_60", undecoded=True, code=f"{s}1") for s in "abc"]
    after = [kernel(symbol=s, arch="sm_60", undecoded=True, code=f"{s}2") for s in "cab"]
    assert {(b.symbol, a.symbol) for b, a in match(before, after).pairs} == {
        ("a", "a"), ("b", "b"), ("c", "c"),
    }  # fmt: skip


def test_relative_places_leave_out_what_a_build_stamps() -> None:
    key = "A" * 26 + "27" * 13
    same = [
        ("bitsandbytes-0.50.1-py3-none-manylinux_2_24_x86_64.whl!b/libb_cuda126.so!fatbin.3",
         "bitsandbytes-0.50.2-py3-none-manylinux_2_28_x86_64.whl!b/libb_cuda126.so!fatbin.7"),
        (f"{key}/k.cubin", f"{key[::-1]}/k.cubin"),
        ("kernel.gemm.0123456789abcdef0123/k.cubin", "kernel.gemm.fedcba98765432100123/k.cubin"),
        ("flashinfer/0.2.14/cached_ops/x.so", "flashinfer/0.3.0rc1/cached_ops/x.so"),
    ]  # fmt: skip
    for one, other in same:
        assert relative_place(one) == relative_place(other)
    assert relative_place("b/libb_cuda126.so") != relative_place("b/libb_cuda130.so")
    assert relative_place("a/k.cubin") != relative_place("b/k.cubin")


_SPECS = [Specialization(), *(Specialization(options={"num_warps": n}) for n in (1, 2))]
kernels = st.builds(
    lambda name, count, extra, spec, place, code: kernel(
        name=name,
        sass={"FADD": count, "EXIT": 1, **({"MUFU": extra} if extra else {})},
        spec=_SPECS[spec],
        place=place,
        code=code,
    ),
    st.sampled_from("abc"),
    st.integers(1, 4),
    st.integers(0, 2),
    st.integers(0, 2),
    st.sampled_from(["p", "q", ("p", "q"), ("q", "r")]),
    st.sampled_from([None, None, "x", "y"]),
)
some = st.lists(kernels, max_size=9, unique_by=lambda k: (k.id, k.sources))


def key(k: Kernel) -> tuple[str, tuple[str, ...]]:
    return (k.id, tuple(s.path for s in k.sources))


@settings(max_examples=150, deadline=None)
@given(some, some, st.randoms(use_true_random=False))
def test_matching_mirrors_and_knows_no_order(
    before: list[Kernel], after: list[Kernel], random_: random.Random
) -> None:
    matching = match(before, after)
    pairs = {(key(b), key(a)) for b, a in matching.pairs}
    assert len(pairs) == len(matching.pairs)
    assert len(pairs) + len(matching.removed) == len(before)
    assert len(pairs) + len(matching.added) == len(after)
    # Inside a family, nobody is left over on both sides.
    assert not (matching.removed and matching.added)

    mirror = match(after, before)
    assert {(key(a), key(b)) for b, a in mirror.pairs} == pairs
    assert mirror.removed == matching.added
    assert mirror.added == matching.removed

    random_.shuffle(before)
    random_.shuffle(after)
    assert match(before, after) == matching


@settings(max_examples=100, deadline=None)
@given(some)
def test_a_state_matches_itself(state: list[Kernel]) -> None:
    matching = match(state, state)
    assert all(b.digest == a.digest for b, a in matching.pairs)
    assert not matching.added
    assert not matching.removed


def test_thousands_on_both_sides_pair_in_bounded_time_and_mirror() -> None:
    rng = random.Random(7)

    def side(tag: str) -> list[Kernel]:
        return [
            kernel(
                name=f"{tag}{n}",
                spec=Specialization(template_arguments=(tag, str(n))),
                sass={f"OP{i}": rng.randrange(1, 200) for i in range(30)},
            )
            for n in range(2 * BLOCK)
        ]

    before, after = side("a"), side("b")
    start = time.process_time()
    matching = match(before, after)
    assert time.process_time() - start < 20
    assert len(matching.pairs) == len(before)
    mirror = match(after, before)
    assert {(a.name, b.name) for b, a in mirror.pairs} == {
        (b.name, a.name) for b, a in matching.pairs
    }
