from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.diff.builders import NoCode, kernel, state

from sassay.diff import DiffOptions, compare

if TYPE_CHECKING:
    from sassay.model.change import Diff, Suspect
    from sassay.model.kernel import Kernel

NOBODY: Any = None
CVT, SHFL = "cvt.rn.bf16.f32", "shfl.sync.bfly.b32"


def diff(before: list[Kernel], after: list[Kernel], **options: Any) -> Diff:
    states = [state("base", before), state("pr", after)]
    return compare(states, NoCode(), NOBODY, DiffOptions(**options))


def by_family(result: Diff) -> dict[str, Suspect]:
    return {s.family: s for s in result.suspects}


def test_a_family_that_went_is_told_by_its_conversions_and_reductions() -> None:
    def gone(name: str) -> Kernel:
        return kernel("by_head", name=name, ptx={SHFL: 64, CVT: 12, "mov.b32": 7}, sass={"MOV": 90})

    result = diff([gone("a"), gone("b"), kernel("x")], [kernel("x")])
    (suspect,) = result.suspects
    assert suspect.why == (
        "gone: 2 kernels, each with 64 reduction shuffles, 12 roundings f32 to bf16"
    )
    assert [(m.opcode, m.kind, m.counts) for m in suspect.moves] == [
        (SHFL, "reduction", (128, 0)), (CVT, "conversion", (24, 0)),
    ]  # fmt: skip


def test_matched_kernels_are_told_by_averages_and_contraction() -> None:
    before = kernel("norm", ptx={CVT: 8}, sass={"FFMA": 0, "FMUL": 20, "FADD": 15})
    after = kernel("norm", ptx={CVT: 6}, sass={"FFMA": 12, "FMUL": 8, "FADD": 3})
    (suspect,) = diff([before], [after]).suspects
    assert suspect.why == (
        "multiply-adds newly contracted: FFMA 0 -> 12, FADD 15 -> 3, FMUL 20 -> 8; "
        "roundings f32 to bf16 8 -> 6"
    )
    (back,) = diff([after], [before]).suspects
    assert back.why.startswith("multiply-adds no longer contracted: FFMA 12 -> 0, ")


def test_a_multiply_spelled_as_a_multiply_add_contracts_no_sum() -> None:
    before = kernel("norm", sass={"FMUL": 20, "FADD": 3})
    after = kernel("norm", sass={"FFMA": 12, "FMUL": 8, "FADD": 3})
    (suspect,) = diff([before], [after]).suspects
    assert suspect.why == "multiply-adds traded for multiplies: FFMA 0 -> 12, FMUL 20 -> 8"


def test_an_architecture_that_one_state_lacks_makes_no_suspect() -> None:
    held = [kernel("norm", arch=arch, sass={"SHFL.BFLY": 10}) for arch in ("sm_80", "sm_90a")]
    assert diff(held[:1], held).suspects == ()


def test_ptx_and_sass_say_the_same_thing_once() -> None:
    before = kernel("norm", ptx={CVT: 8, SHFL: 5}, sass={"F2FP.BF16.F32.PACK_AB": 4, "FADD": 3})
    after = kernel("norm", ptx={CVT: 6, SHFL: 5}, sass={"F2FP.BF16.F32.PACK_AB": 3, "FADD": 9})
    (suspect,) = diff([before], [after]).suspects
    assert suspect.why == "f32 adds 3 -> 9; roundings f32 to bf16 8 -> 6"


def test_packing_conversions_rounds_no_value_more() -> None:
    before = kernel("norm", ptx={CVT: 8, "add.f32": 2})
    after = kernel("norm", ptx={"cvt.rn.bf16x2.f32": 4, "add.f32": 2, "mov.b32": 4})
    assert diff([before], [after]).suspects == ()


def test_the_order_of_suspicion() -> None:
    def pair(family: str, before: dict[str, int], after: dict[str, int]) -> tuple[Kernel, Kernel]:
        return kernel(family, sass=before), kernel(family, sass=after)

    moved = [
        pair("integers", {"IADD3": 4, "FADD": 2}, {"IADD3": 9, "FADD": 2}),
        pair("little", {"FADD": 99, "SHFL.BFLY": 10}, {"FADD": 98, "SHFL.BFLY": 10}),
        pair("much", {"FADD": 99, "SHFL.BFLY": 10}, {"FADD": 20, "SHFL.BFLY": 2}),
    ]
    gone = kernel("gone", sass={"SHFL.BFLY": 10, "F2FP.BF16.F32.PACK_AB": 4})
    plain = kernel("plain", sass={"IADD3": 4})
    result = diff([b for b, _ in moved] + [gone], [a for _, a in moved] + [plain])
    assert [s.family for s in result.suspects] == ["gone", "much", "little"]
    assert diff([gone], [], limit=0).suspects == ()


def test_a_transient_family_is_a_suspect_of_its_own_pair() -> None:
    topk = kernel("topk", ptx={SHFL: 8, CVT: 1})
    states = [state("base", [kernel()]), state("pre", [kernel(), topk]), state("acc", [kernel()])]
    (suspect,) = compare(states, NoCode(), NOBODY).suspects
    assert suspect.why == (
        "base -> pre: new: 1 kernel with 8 reduction shuffles, 1 roundings f32 to bf16"
    )
    assert suspect.moves[0].counts == (0, 8, 0)


def test_next_steps_are_commands_that_can_be_pasted() -> None:
    before = [kernel("norm", ptx={CVT: 8}), kernel("gone[1]", ptx={SHFL: 2})]
    after = [kernel("norm", ptx={CVT: 6})]
    steps = diff(before, after, inputs=("old cache", "pr.sassay")).next_steps
    gone = next(k for k in before if k.family == "gone[1]")
    assert steps == (
        f"sassay show 'old cache' {gone.id} --layer ptx",
        "sassay diff 'old cache' pr.sassay --family norm --arch sm_90a --layer ptx",
        "sassay diff 'old cache' pr.sassay --html report.html",
    )
