"""Matrix kernels that Triton compiles: what they give, and planted bugs."""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np
import pytest
from bench.hardware import build_corpus
from tests.machine.matrix.compiled import built, launched, wide

from sassay.machine import Launch, TensorMap, load_program, run
from sassay.machine.hardware.cases import make


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ.setdefault("TRITON_CACHE_DIR", str(tmp_path_factory.mktemp("triton")))


@pytest.mark.parametrize(
    ("name", "arch"),
    [
        ("matmul_bf16", 80),
        ("matmul_bf16", 90),
        ("matmul_fp32", 80),
        ("matmul_descriptors", 90),
        ("matmul_descriptors_specialized", 90),
    ],
)
def test_products_are_near(name: str, arch: int) -> None:
    result, arguments = launched(name, arch)
    assert result.trap is None, str(result.trap)
    assert result.label == "modelled"
    a, b = wide(arguments[0]), wide(arguments[1])
    found = result.arrays[2]
    assert found is not None
    np.testing.assert_allclose(wide(found), a @ b, rtol=2**-7, atol=0.05)


def test_descriptors_that_the_host_makes() -> None:
    size = 256
    kernel = build_corpus.Kernel(
        "matmul",
        "matmul_by_host_descriptors",
        {
            "a": "tensordesc<bf16[128,64]>",
            "b": "tensordesc<bf16[64,128]>",
            "c": "tensordesc<bf16[128,128]>",
            "k": "i32",
        },
        {"TILE_M": 128, "TILE_N": 128, "TILE_K": 64},
        (2, 2),
        [],
        [],
        warps=8,
    )
    what = build_corpus.compiled(kernel, 90)
    a, b = (make(build_corpus.bf16(size, size, seed=seed)) for seed in (1, 2))
    arguments: list[Any] = []
    boxes = ((128, 64), (64, 64), (128, 64))
    for array, box in zip((a, b, np.zeros_like(a)), boxes, strict=True):
        arguments += [TensorMap(array, box, 128), size, size, size, 1]
    program = load_program(what.asm["ptx"])
    arguments.append(size)
    arguments += [None] * (len(program.params) - len(arguments))
    block = what.metadata.num_warps * 32
    result = run(program, Launch((2, 2), block, arguments, shared=what.metadata.shared))
    assert result.trap is None, str(result.trap)
    found = result.arrays[10]
    assert found is not None
    np.testing.assert_allclose(wide(found), wide(a) @ wide(b), rtol=2**-7, atol=0.05)


def test_attention_is_near() -> None:
    for arch in (80, 90):
        result, arguments = launched("prefill_attention_kernel", arch)
        assert result.trap is None, str(result.trap)
        q, k, v = (wide(each).reshape(500, -1, 64) for each in arguments[:3])
        found = result.arrays[3]
        assert found is not None
        for head in range(4):
            score = q[:, head] @ k[:, head // 2].T * 0.125
            score[np.triu_indices(500, 1)] = -np.inf
            weight = np.exp(score - score.max(axis=1, keepdims=True))
            wanted = weight / weight.sum(axis=1, keepdims=True) @ v[:, head // 2]
            got = wide(found).reshape(500, 4, 64)[:, head]
            np.testing.assert_allclose(got, wanted, rtol=0.02, atol=0.02)


def _missing_copy_wait(arch: int) -> tuple[tuple[str, str], ...]:
    text = built("matmul_bf16", arch).asm["ptx"]
    waits = sorted(set(re.findall(r"cp\.async\.wait_group\s+[12];", text)))
    return tuple((wait, "cp.async.wait_group 7;") for wait in waits)


@pytest.mark.parametrize("arch", [80, 90])
def test_a_missing_wait_for_copies(arch: int) -> None:
    result, _ = launched("matmul_bf16", arch, _missing_copy_wait(arch))
    assert result.trap is not None
    assert result.trap.kind == "in-flight"
    assert "asynchronous copy" in result.trap.message
    assert result.trap.location is not None
    assert result.trap.location.file.endswith("matmul.py")


def test_a_missing_wait_for_products() -> None:
    change = ("wgmma.wait_group.sync.aligned 0;", "wgmma.wait_group.sync.aligned 1;")
    result, _ = launched("matmul_bf16", 90, (change,))
    assert result.trap is not None
    assert result.trap.kind == "in-flight"
    assert "no wgmma.wait_group" in result.trap.message


@pytest.mark.parametrize(
    ("name", "fence"),
    [
        ("matmul_descriptors", "fence.proxy.async.shared::cta;"),
        ("prefill_attention_kernel", "fence.proxy.async.shared::cta;"),
        ("matmul_bf16", "wgmma.fence.sync.aligned;"),
        ("matmul_descriptors", "wgmma.fence.sync.aligned;"),
    ],
)
def test_a_missing_fence(name: str, fence: str) -> None:
    result, _ = launched(name, 90, ((fence, ""),))
    assert result.trap is not None
    assert result.trap.kind == "fence"
    assert fence[:11] in result.trap.message


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        # More arrivals, or more bytes, than ever come; fewer bytes than come.
        (r"(mbarrier\.init\.shared::cta\.b64 \[%r\d+\]), 1;", r"\1, 2;", "deadlock"),
        (r"(expect_tx\.shared::cta\.b64 _, \[%r\d+\]), 32768;", r"\1, 32784;", "deadlock"),
        (r"(expect_tx\.shared::cta\.b64 _, \[%r\d+\]), 32768;", r"\1, 16384;", "in-flight"),
        (r"(tensormap\.replace\.tile\.swizzle_mode.*), 0x3;", r"\1, 0x2;", "swizzle"),
        (r"mbarrier\.try_wait\S+ complete, .*;", "setp.eq.u32 complete, 0, 0;", "in-flight"),
    ],
)
def test_planted_bugs_of_barriers_and_maps(before: str, after: str, kind: str) -> None:
    text = built("matmul_descriptors", 90).asm["ptx"]
    found = re.search(before, text)
    assert found is not None
    change = (found[0], re.sub(before, after, found[0]))
    result, _ = launched("matmul_descriptors", 90, (change,))
    assert result.trap is not None
    assert result.trap.kind == kind, str(result.trap)
