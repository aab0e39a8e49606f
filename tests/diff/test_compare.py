from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.diff.builders import NoCode, digest, kernel, state

from sassay.diff import DiffOptions, compare, selected
from sassay.errors import UsageError
from sassay.isa import sass
from sassay.model.change import Diff, FamilyStatus, KernelStatus
from sassay.model.kernel import Kernel, Launch, Specialization
from sassay.model.layers import Tier
from sassay.model.state import Diagnostic, Level, State

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence
    from pathlib import Path

    from sassay.model.artifact import Scalar

NOBODY: Any = None  # No disassembler: these diffs follow from digests and censuses alone.


def diff(*states: State, **options: Any) -> Diff:
    return compare(states, NoCode(), NOBODY, DiffOptions(**options))


def rms(n: int, **more: Any) -> Kernel:
    return kernel("rms", sass={"SHFL.BFLY": 5, "FADD": 5 + n, "F2FP.BF16.F32.PACK_AB": 2}, **more)


# ── statuses, counts, rows ──────────────────────────────────────────────────────────────────────


def test_three_states_as_the_router_case_has_them() -> None:
    common = [kernel(f"k{i}") for i in range(5)]
    base = state("base", [*common, rms(0), rms(1)])
    before = state("pre", [*common, rms(0), rms(1), kernel("by_head"), kernel("topk")])
    after = state("accepted", [*common, rms(0), rms(2), rms(3), rms(4)])
    result = diff(base, before, after)
    assert [(p.before, p.after) for p in result.pairs] == [
        ("base", "pre"), ("pre", "accepted"), ("base", "accepted"),
    ]  # fmt: skip
    middle = result.pairs[1]
    assert (middle.compared, middle.unchanged, middle.changed) == (7, 6, 1)
    assert (middle.added, middle.removed) == (2, 2)
    rows = {row.family: row for row in result.families}
    assert rows["rms"].status is FamilyStatus.EXPANDED
    assert rows["rms"].kernels == (2, 2, 4)
    assert rows["rms"].instructions.sass == (25, 25, 57)
    assert rows["rms"].per_kernel.sass == (12.5, 12.5, 14.25)
    assert rows["rms"].instructions.ptx is None
    # What came and went again is unchanged from first to last, and told before what never moved.
    by_head = rows["by_head"]
    assert by_head.status is FamilyStatus.UNCHANGED
    assert [p.status.value for p in by_head.pairs] == ["added", "removed", "unchanged"]
    assert by_head.per_kernel.sass == (None, 5.0, None)
    order = [row.family for row in result.families]
    assert order == ["rms", "by_head", "topk", "k0", "k1", "k2", "k3", "k4"]


def test_baseline_is_compared_with_every_other_state() -> None:
    states = [state(label, [kernel("f")]) for label in "abc"]
    assert [(p.before, p.after) for p in diff(*states, baseline="b").pairs] == [
        ("b", "a"), ("b", "c"),
    ]  # fmt: skip
    with pytest.raises(UsageError, match="labels: a, b, c"):
        diff(*states, baseline="d")


def test_a_family_with_as_many_kernels_added_as_removed_is_changed() -> None:
    before = state("a", [kernel("f", name="x", code="1"), kernel("g")])
    after = state("b", [kernel("f", name="y", code="2", sass={"FADD": 9}), kernel("g")])
    rows = {row.family: row.status for row in diff(before, after).families}
    assert rows == {"f": FamilyStatus.CHANGED, "g": FamilyStatus.UNCHANGED}


def test_groups_are_rows_of_their_own() -> None:
    before = state("a", [kernel("q_rmsnorm"), kernel("rmsnorm_by_head"), kernel("topk")])
    after = state("b", [kernel("q_rmsnorm"), kernel("q_rmsnorm", sass={"FADD": 1})])
    result = diff(before, after, groups={"RMSNorm": ("*rmsnorm*",), "none": ("zzz",)})
    (row,) = result.groups
    assert (row.family, row.members) == ("RMSNorm", ("q_rmsnorm", "rmsnorm_by_head"))
    assert row.kernels == (2, 2)
    assert row.status is FamilyStatus.CHANGED
    assert row.instructions.sass == (10, 6)


def test_globs_narrow_states_and_counts_alike() -> None:
    a = state("a", [kernel("f"), kernel("g"), kernel("f", arch="sm_80")])
    b = state("b", [kernel("f"), kernel("h"), kernel("f", arch="sm_80")])
    result = diff(a, b, families=("f",), archs=("sm_9*",))
    assert [s.kernels for s in result.states] == [1, 1]
    assert result.pairs[0].compared == 1
    with pytest.raises(UsageError, match="no family matches zzz"):
        diff(a, b, families=("zzz",))
    with pytest.raises(UsageError, match="a holds sm_80, sm_90a"):
        diff(a, b, archs=("sm_75",))


def test_unchanged_kernels_are_listed_on_request_only() -> None:
    a, b = state("a", [kernel("f")]), state("b", [kernel("f")])
    assert not diff(a, b).changes
    (change,) = diff(a, b, all=True).changes
    assert (change.status, change.tier) == (KernelStatus.UNCHANGED, Tier.IDENTICAL)


# ── tiers ───────────────────────────────────────────────────────────────────────────────────────


def one_change(before: Kernel, after: Kernel, **options: Any) -> Any:
    result = diff(state("a", [before]), state("b", [after]), **options)
    return result.changes[0] if result.changes else None


def test_other_opcodes_are_recomposed_and_no_code_is_read() -> None:
    change = one_change(
        kernel(sass={"FADD": 4, "FMUL": 2}, ptx={"add.f32": 4}),
        kernel(sass={"FADD": 4, "FFMA": 2}, ptx={"add.f32": 5}),
    )
    assert (change.tier, change.ptx_tier) == (Tier.RECOMPOSED, Tier.RECOMPOSED)
    assert change.deltas.sass == {"FFMA": 2, "FMUL": -2}
    assert change.deltas.ptx == {"add.f32": 1}
    assert list(change.deltas.categories.sass) == []


@pytest.mark.parametrize("tier", list(Tier))
def test_same_opcodes_ask_the_code_and_only_deep_tiers_are_changes(
    tier: Tier, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[object] = []

    def fake(before: object, after: object, disassembler: object) -> Tier:
        asked.append((before, after))
        return tier

    class Codes(NoCode):
        def sass(self, digest: str) -> Any:
            return digest

    monkeypatch.setattr(sass, "tier", fake, raising=False)
    a = state("a", [kernel(code="one", sass={"FADD": 4, "NOP": 3})])
    b = state("b", [kernel(code="two", sass={"FADD": 4, "NOP": 5})])
    kept = DiffOptions(cache_dir=tmp_path)
    result = compare([a, b], Codes(), NOBODY, kept)
    assert asked == [("one", "two")]
    shallow = tier in {Tier.IDENTICAL, Tier.RELOCATED, Tier.RESCHEDULED}
    assert result.pairs[0].unchanged == shallow
    assert result.pairs[0].tiers == {tier.value: 1}
    strict = compare([a, b], Codes(), NOBODY, DiffOptions(strict=True, cache_dir=tmp_path))
    assert strict.pairs[0].unchanged == (tier is Tier.IDENTICAL)
    # The second run, and the mirrored one, remember.
    compare([msgspec.structs.replace(b, label="c"), a], Codes(), NOBODY, kept)
    assert len(asked) == 1
    (tmp_path / "tiers.json").write_bytes((tmp_path / "tiers.json").read_bytes()[:-2] + b'x"')
    compare([a, b], Codes(), NOBODY, kept)
    assert len(asked) == 2


def test_code_that_nobody_reads_is_unknown_and_changed_unless_its_digest_is_equal() -> None:
    old = kernel(arch="sm_60", undecoded=True, code="1")
    assert one_change(old, kernel(arch="sm_60", undecoded=True, code="1")) is None
    change = one_change(old, kernel(arch="sm_60", undecoded=True, code="2"))
    assert (change.status, change.tier) == (KernelStatus.CHANGED, None)
    assert "no disassembler here reads sm_60" in change.notes[0]
    assert change.deltas.sass is None
    row = diff(state("a", [old]), state("b", [old])).families[0]
    assert row.instructions.sass is None
    assert row.code_bytes == (256, 256)


def test_code_that_the_store_lost_is_unknown() -> None:
    change = one_change(kernel(code="1"), kernel(code="2"))
    assert change.tier is None
    assert "no code under 1" in change.notes[0]


def test_ptx_that_stands_alone_is_judged_by_its_own_tier() -> None:
    old = kernel(arch="compute_90", ptx={"add.f32": 1})
    new = kernel(arch="compute_90", ptx={"add.f32": 2})
    change = one_change(old, new)
    assert (change.tier, change.ptx_tier) == (Tier.RECOMPOSED, Tier.RECOMPOSED)
    assert one_change(old, old) is None


@pytest.mark.parametrize(
    "more",
    [
        {"launch": Launch(block=(256, 1, 1))},
        {"launch": Launch(block=(128, 1, 1), warps=8)},
        {"shared": 2048},
        {"registers": 40},
        {"metadata": {"shared": 1024, "num_warps": 8}},
    ],
)
def test_equal_code_that_launches_differently_is_a_change(more: dict[str, Any]) -> None:
    base: dict[str, Any] = {
        "code": "same",
        "launch": Launch(block=(128, 1, 1), warps=4),
        "shared": 1024,
        "registers": 32,
        "metadata": {"shared": 1024, "num_warps": 4, "ptx_version": 87},
    }
    change = one_change(kernel(**base), kernel(**{**base, **more}))
    assert (change.status, change.tier) == (KernelStatus.CHANGED, Tier.IDENTICAL)
    assert change.deltas.metadata or change.deltas.resources
    assert "below them" in change.notes[0]


def test_metadata_that_comes_and_goes_with_a_front_end_is_no_change() -> None:
    old = kernel(code="same", metadata={"ptx_version": 87, "num_warps": 4})
    new = kernel(code="same", metadata={"ptx_version": 90, "launch_pdl": False})
    assert one_change(old, new) is None


def test_a_change_across_compilers_says_so() -> None:
    change = one_change(
        kernel(sass={"FADD": 1}, ptxas="V12.8.93"), kernel(sass={"FADD": 2}, ptxas="V13.0.88")
    )
    assert "compiled by another ptxas (V12.8.93 -> V13.0.88)" in change.notes[0]


# ── comparability ───────────────────────────────────────────────────────────────────────────────


def fields(result: Diff) -> dict[str, tuple[tuple[str, ...], str]]:
    return {c.field: (c.values, c.note) for c in result.comparability}


def test_equal_states_have_nothing_to_say() -> None:
    env: dict[str, Scalar] = {"dtype": "bfloat16"}
    a = state("a", [kernel(ptxas="V13")], environment=env)
    b = state("b", [kernel(ptxas="V13")], environment=env)
    assert diff(a, b).comparability == ()


def test_mixed_compilers_inside_one_state_are_counted() -> None:
    a = state("a", [kernel(f"k{i}", ptxas="V13") for i in range(5)])
    b = state("b", [kernel(f"k{i}", ptxas="V12" if i < 2 else "V13") for i in range(5)])
    values, note = fields(diff(a, b))["ptxas"]
    assert values == ("V13", "V13 (3 kernels), V12 (2)")
    assert "2 of b's 5 kernels have another ptxas than the rest" in note


def test_what_makes_states_hard_to_compare_is_said() -> None:
    errors = [Diagnostic(Level.ERROR, "a.so", "not decoded", arch="sm_60", layer="sass")] * 2
    a = state(
        "a",
        [kernel(f"k{i}") for i in range(10)] + [kernel(arch="sm_80")],
        environment={"dtype": "bf16", "tp": 1},
        tools={"nvdisasm": "13.5"},
    )
    b = state(
        "b",
        [kernel("k0")],
        environment={"dtype": "fp16", "tp": 1},
        tools={"nvdisasm": "12.8"},
        diagnostics=errors,
    )
    said = fields(diff(a, b))
    assert said["architectures"][0] == ("sm_80, sm_90a", "sm_90a")
    assert said["kernels"][0] == ("11", "1")
    assert "not warmed up is not removed" in said["kernels"][1]
    assert said["unread"][0] == ("nothing", "sm_60 sass (2)")
    assert said["tools.nvdisasm"][0] == ("13.5", "12.8")
    assert said["environment.dtype"][0] == ("bf16", "fp16")
    assert "environment.tp" not in said


def test_an_empty_state_is_pointed_out() -> None:
    result = diff(state("a", [kernel()]), state("b", []))
    assert fields(result)["kernels"][0] == ("1", "0")
    assert result.pairs[0].removed == 1


def test_no_architecture_in_common_is_refused_with_what_each_side_holds() -> None:
    a = state("a", [kernel(arch="sm_80"), kernel(arch="sm_86")])
    b = state("b", [kernel(arch="sm_90a")])
    with pytest.raises(UsageError) as caught:
        diff(a, b)
    assert str(caught.value) == (
        "a and b have no architecture in common (a holds sm_80, sm_86; b holds sm_90a; "
        "such as --across-arch sm_80:sm_90a)"
    )


# ── across architectures ────────────────────────────────────────────────────────────────────────


def test_one_state_across_two_architectures() -> None:
    spec = Specialization(signature={"a": "*bf16"})
    both = state(
        "m",
        [
            kernel("moe", arch="sm_80", spec=spec, sass={"HMMA.16816.F32.BF16": 8},
                   ptx={"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32": 64,
                        "cp.async.cg.shared.global": 24, "cp.async.wait_group": 3}),
            kernel("moe", arch="sm_90a", spec=spec, sass={"HGMMA.64x64x16.F32.BF16": 2},
                   ptx={"wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16": 16,
                        "cp.async.bulk.tensor.2d.shared::cluster.global": 4}),
            kernel("old", arch="sm_80", sass={"HMMA.16816.F32.BF16": 128, "LDGSTS.E.128": 4}),
            kernel("old", arch="sm_90a", sass={"HMMA.16816.F32.BF16": 128, "LDGSTS.E.128": 4}),
            kernel("copy", arch="sm_80"),
            kernel("copy", arch="sm_90a"),
        ],
    )  # fmt: skip
    options = DiffOptions(across_arch=("sm_80", "sm_90a"))
    result = compare([both], NoCode(), NOBODY, options)
    assert [s.label for s in result.states] == ["m@sm_80", "m@sm_90a"]
    assert {row.arch for row in result.families} == {"sm_80:sm_90a"}
    assert result.pairs[0].compared == 3
    paths = {m.family: (m.tensor_path, m.memory_path) for m in result.migrations}
    assert paths == {
        "moe": ("yes", "yes"),
        "old": ("no", "no"),
        "copy": ("not applicable", "not applicable"),
    }
    why = {m.family: m.why for m in result.migrations}
    assert why["moe"].startswith("64 mma.sync -> 16 wgmma.mma_async; 24 cp.async -> 4 TMA")
    assert why["old"] == "still 128 HMMA, no HGMMA; still 4 LDGSTS, no TMA"
    again = selected(selected([both], options), options)
    assert [s.label for s in again] == ["m@sm_80", "m@sm_90a"]
    with pytest.raises(UsageError, match="m holds no kernel of sm_100a"):
        compare([both], NoCode(), NOBODY, DiffOptions(across_arch=("sm_80", "sm_100a")))


# ── properties ──────────────────────────────────────────────────────────────────────────────────

OPCODES = ["FADD", "FMUL", "FFMA", "SHFL.BFLY", "F2FP.BF16.F32.PACK_AB", "HMMA.16816.F32", "WEIRD"]
kernels = st.builds(
    lambda family, name, arch, census, ptx, warps, code: kernel(
        family,
        name=f"{family}{name}",
        arch=arch,
        sass=census,
        ptx=ptx,
        code=code and digest(code, arch, sorted(census.items())),
        metadata={"num_warps": warps},
        registers=warps * 8,
    ),
    st.sampled_from("fg"),
    st.sampled_from(["", "1", "2"]),
    st.sampled_from(["sm_80", "sm_90a"]),
    st.dictionaries(st.sampled_from(OPCODES), st.integers(1, 3), min_size=1, max_size=3),
    st.none() | st.dictionaries(st.sampled_from(["cvt.rn.bf16.f32", "add.f32"]), st.integers(1, 2)),
    st.sampled_from([4, 8]),
    st.sampled_from([None, None, "x", "y"]),
)
contents = st.lists(kernels, max_size=8, unique_by=lambda k: k.id)
ANCHOR = kernel("anchor")


def counts_hold(result: Diff, states: Sequence[State]) -> None:
    sizes = {s.label: len(s.kernels) for s in states}
    for pair in result.pairs:
        assert pair.compared == pair.unchanged + pair.changed == sum(pair.tiers.values())
        assert sizes[pair.before] == pair.compared + pair.removed
        assert sizes[pair.after] == pair.compared + pair.added
    for row in result.families:
        for layer in ("ptx", "sass"):
            totals, categories = getattr(row.instructions, layer), getattr(row.categories, layer)
            opcodes = getattr(row.opcodes, layer)
            for n in range(len(states)):
                if totals is None or totals[n] is None:
                    continue
                assert totals[n] == sum(v[n] for v in categories.values())
                assert totals[n] == sum(v[n] for v in opcodes.values())


@settings(max_examples=40, deadline=None)
@given(contents)
def test_a_state_against_itself_is_empty(content: list[Kernel]) -> None:
    a, b = state("a", [*content, ANCHOR]), state("b", [*content, ANCHOR])
    result = diff(a, b)
    assert (result.changes, result.suspects, result.next_steps) == ((), (), ())
    assert result.comparability == ()
    assert {row.status for row in result.families} == {FamilyStatus.UNCHANGED}
    counts_hold(result, [a, b])


MIRRORED = {
    "added": "removed", "removed": "added", "expanded": "shrunk", "shrunk": "expanded",
    "changed": "changed", "unchanged": "unchanged",
}  # fmt: skip


def negated(census: Any) -> Any:
    return None if census is None else {name: -count for name, count in census.items()}


@settings(max_examples=80, deadline=None)
@given(contents, contents)
def test_the_mirrored_diff_mirrors(one: list[Kernel], other: list[Kernel]) -> None:
    a, b = state("a", [*one, ANCHOR]), state("b", [*other, ANCHOR])
    there, back = diff(a, b), diff(b, a)
    counts_hold(there, [a, b])
    counts_hold(back, [b, a])
    statuses = {(r.family, r.arch): r.status.value for r in there.families}
    assert {(r.family, r.arch): MIRRORED[r.status.value] for r in back.families} == statuses
    mirror = {(c.after, c.before): c for c in back.changes}
    assert len(mirror) == len(there.changes)
    for change in there.changes:
        other_way = mirror[change.before, change.after]
        assert MIRRORED[other_way.status.value] == change.status.value
        assert (other_way.tier, other_way.ptx_tier) == (change.tier, change.ptx_tier)
        assert negated(other_way.deltas.sass) == change.deltas.sass
        assert negated(other_way.deltas.ptx) == change.deltas.ptx
        assert negated(other_way.deltas.categories.sass) == change.deltas.categories.sass
        assert negated(other_way.deltas.resources) == change.deltas.resources
    assert {(s.family, s.arch, s.score) for s in there.suspects} == {
        (s.family, s.arch, s.score) for s in back.suspects
    }


@settings(max_examples=40, deadline=None)
@given(contents, contents, contents, st.randoms(use_true_random=False))
def test_order_of_kernels_does_not_matter(
    one: list[Kernel], two: list[Kernel], three: list[Kernel], random_: random.Random
) -> None:
    states = [state(n, [*k, ANCHOR]) for n, k in zip("abc", (one, two, three), strict=True)]
    result = diff(*states, all=True, groups={"all": ("*",)})
    counts_hold(result, states)
    shuffled = []
    for item in states:
        kernels_ = list(item.kernels)
        random_.shuffle(kernels_)
        shuffled.append(msgspec.structs.replace(item, kernels=tuple(kernels_)))
    again = diff(*shuffled, all=True, groups={"all": ("*",)})
    assert msgspec.json.encode(again) == msgspec.json.encode(result)


# ── size ────────────────────────────────────────────────────────────────────────────────────────


def test_a_wheel_of_thousands_of_families_is_compared_in_seconds() -> None:
    def wheel(label: str, shift: int) -> State:
        return state(
            label,
            [
                kernel(
                    f"family{n // 5}",
                    name=f"k{n}",
                    sass={f"OP{(n + i) % 97}": 3 + i + shift * (n % 10 == 0) for i in range(40)},
                    spec=Specialization(template_arguments=(str(n % 5),)),
                )
                for n in range(8000)
            ],
        )  # fmt: skip

    a, b = wheel("a", 0), wheel("b", 1)
    start = time.process_time()
    result = diff(a, b)
    assert time.process_time() - start < 10
    assert (result.pairs[0].compared, result.pairs[0].changed) == (8000, 800)
