"""The two policies of the first users, as they are printed, with their published numbers."""

from __future__ import annotations

from tests.policy.builders import judge

from sassay.policy import parse_policy

FAMILY_DELTAS = """
version: v1
rendering:
  default: delta          # delta | full | summary
rules:
  - id: review-kernel-family-deltas
    effect: review
    match:
      family: "*"
    reason: New specialized kernels have been emitted, flagged for review
"""
TMA_EXPECTED = """
version: v1
rules:
  - id: review-gemm-when-tma-expected
    effect: review
    match:
      all:
        - kernel: deep*gemm*
        - operation: st.shared.*
          layer: ptx
    exclude:
      operation: st.shared.f32
    when:
      count:
        gte: 1
    reason: GEMM kernel used repeated manual global-to-shared copies. Check whether this tile movement should have lowered to TMA.
"""  # noqa: E501 - printed as its authors wrote it
SRC2DST = """
        - family: deepgemm_compute_src2dst_triton_kernel
          copies: 2
          ptx: {ld.global.b32: 2, ld.shared.b32: 2, st.shared.b32: 2, st.shared.b64: 2}
          sass: {STS: 2, STS.64: 2}
"""


def _tma(transpose: str) -> list[tuple[str, int]]:
    states = (
        f"- kernels:{SRC2DST}        - {{family: 'deep_gemm::transpose_fp32', ptx: {transpose}}}\n"
    )
    check = judge(parse_policy(TMA_EXPECTED, artifact="seed"), states)
    assert check.verdict.value == "REVIEW"
    return [(finding.family, finding.count) for finding in check.findings]


def test_tma_expected_counts_eight_and_five() -> None:
    assert _tma("{st.shared.u32: 5}") == [
        ("deep_gemm::transpose_fp32", 5),
        ("deepgemm_compute_src2dst_triton_kernel", 8),
    ]


def test_the_newer_spelling_is_excluded_as_the_policy_says() -> None:
    assert _tma("{st.shared.u32: 4, st.shared.f32: 1}")[0] == ("deep_gemm::transpose_fp32", 4)
    assert _tma("{st.shared.f32: 5}") == [("deepgemm_compute_src2dst_triton_kernel", 8)]


def test_family_deltas_of_the_router() -> None:
    check = judge(
        parse_policy(FAMILY_DELTAS, artifact="seed"),
        """
        - label: pre-revert
          kernels:
            - {family: _gemma_qkv_rmsnorm_by_head_kernel, copies: 2, ptx: {cvt.rn.bf16.f32: 2}}
            - {family: _gemma4_topk_softmax_scale_kernel, ptx: {ex2.approx.f32: 2}}
            - {family: fused_moe_kernel, copies: 10, sass: {HMMA.16816.F32: 8}}
        - label: accepted
          kernels:
            - {family: _gemma_qkv_rmsnorm_kernel, copies: 2, ptx: {cvt.rn.bf16.f32: 2}}
            - {family: fused_moe_kernel, copies: 10, sass: {HMMA.16816.F32: 8}}
        """,
    )
    assert check.rendering == "delta"
    assert [(f.family, f.count, f.details[0]) for f in check.findings] == [
        ("_gemma4_topk_softmax_scale_kernel", 1, "the family is removed: 1 removed"),
        ("_gemma_qkv_rmsnorm_by_head_kernel", 2, "the family is removed: 2 removed"),
        ("_gemma_qkv_rmsnorm_kernel", 2, "the family is added: 2 added"),
    ]
