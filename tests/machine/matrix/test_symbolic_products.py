"""Matrix products of the symbolic mode: against the numbers, and what must be equal or differ."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from bench.hardware import build_corpus
from tests.machine.harness import entry
from tests.machine.matrix.compiled import built, prepared
from tests.machine.matrix.evaluate import value_of

from sassay.machine import Launch, load_program, run
from sassay.machine.symbolic import Leaf, SymbolicResult, run_symbolic

Array = np.ndarray[Any, np.dtype[Any]]


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ.setdefault("TRITON_CACHE_DIR", str(tmp_path_factory.mktemp("triton")))


@pytest.mark.parametrize(
    ("name", "arch", "output"),
    [
        ("matmul_bf16", 80, 2),
        ("matmul_bf16", 90, 2),
        ("matmul_fp32", 80, 2),
        ("matmul_descriptors", 90, 2),
        ("matmul_descriptors_specialized", 90, 2),
        ("scaled_matmul_fp8e4nv_bf16", 90, 2),
        ("grouped_matmul_kernel", 90, 2),
        ("prefill_attention_kernel", 80, 3),
        ("prefill_attention_kernel", 90, 3),
    ],
)
def test_expressions_are_worth_what_the_numbers_are(name: str, arch: int, output: int) -> None:
    program, whole = prepared(name, arch)
    grid = [min(each, 2) for each in whole.grid]
    launch = Launch(grid, whole.block, whole.arguments, shared=whole.shared)
    numbers = run(program, launch).arrays[output]
    assert numbers is not None
    result = run_symbolic(program, launch)
    assert result.trap is None
    flat = numbers.reshape(-1).view(f"u{numbers.dtype.itemsize}")
    written = result.written[output]
    assert written is not None
    assert written.any()
    chosen = np.random.default_rng(1).choice(np.flatnonzero(written.reshape(-1)), 2).tolist()
    buffers = {f"argument {at}": each for at, each in enumerate(launch.arguments)}
    for element, tree in zip(chosen, result.explain_all(output, chosen), strict=True):
        assert value_of(tree, buffers) == int(flat[element])


SIZE = 64


@lru_cache
def _matmul(arch: int, tile_m: int, tile_n: int, tile_k: int, warps: int) -> Any:
    kernel = next(each for each in build_corpus.matrices() if each.name == "matmul_bf16")
    constants = {"TILE_M": tile_m, "TILE_N": tile_n, "TILE_K": tile_k}
    what = build_corpus.compiled(replace(kernel, constants=constants, warps=warps), arch)
    return load_program(what.asm["ptx"]), what.metadata.shared


def product(
    arch: int = 80,
    tiles: tuple[int, int, int] = (64, 64, 32),
    *,
    rows: int = SIZE,
    first: int = 0,
    warps: int = 4,
) -> Array:
    """Hashes of a product of 64 x 64 matrices, or of some rows of it."""
    program, shared = _matmul(arch, *tiles, warps)
    a, b, c = (np.zeros((n, SIZE), np.uint16) for n in (rows, SIZE, rows))
    grid = (-(-rows // tiles[0]), -(-SIZE // tiles[1]))
    arguments: list[Any] = [a, b, c, rows, *[SIZE] * 5]
    arguments += [None] * (len(program.params) - len(arguments))
    launch = Launch(grid, warps * 32, arguments, shared=shared)
    leaves = {0: Leaf("a", first * SIZE), 1: Leaf("b")}
    result = run_symbolic(program, launch, leaves=leaves)
    assert (result.trap, result.caveats) == (None, ())
    found = result.outputs[2]
    assert found is not None
    return found


@pytest.mark.parametrize("arch", [80, 90])
def test_one_row_equals_that_row_of_a_batch(arch: int) -> None:
    batch = product(arch)
    assert len(set(batch.reshape(-1).tolist())) == SIZE * SIZE
    for row in (0, 17):
        assert (product(arch, rows=1, first=row)[0] == batch[row]).all()
    assert not (product(arch, rows=1, first=3)[0] == batch[4]).any()


def test_tiles_do_not_matter_where_k_is_taken_alike() -> None:
    wanted = product()
    for tiles, warps in (((32, 32, 32), 4), ((128, 64, 32), 8), ((64, 64, 64), 4)):
        assert (product(tiles=tiles, warps=warps) == wanted).all()
    wide = product(90)
    assert (product(90, (64, 32, 64)) == wide).all()
    # A tile of 32 rows is too small for a warpgroup: another unit sums.
    assert not (product(90, (32, 64, 32)) == wide).any()
    assert not (wide == wanted).any()


STEPS = """
ld.param.u64 %d0, [p0]; ld.param.u64 %d1, [p1]; mov.u32 %r0, %tid.x;
mul.wide.u32 %d2, %r0, 48; add.s64 %d0, %d0, %d2; mul.wide.u32 %d3, %r0, 16; add.s64 %d1, %d1, %d3;
ld.global.v4.b32 {%r10, %r11, %r12, %r13}, [%d0]; ld.global.v2.b32 {%r14, %r15}, [%d0+16];
ld.global.v4.b32 {%r20, %r21, %r22, %r23}, [%d0+24]; ld.global.v2.b32 {%r24, %r25}, [%d0+40];
mov.b32 %r1, 0; mov.b32 %r2, 0; mov.b32 %r3, 0; mov.b32 %r4, 0;
"""
FORM = "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%r1, %r2, %r3, %r4}, "
ONE = FORM + "{%r10, %r11, %r12, %r13}, {%r14, %r15}, {%r1, %r2, %r3, %r4};"
TWO = FORM + "{%r20, %r21, %r22, %r23}, {%r24, %r25}, {%r1, %r2, %r3, %r4};"


def steps(body: str) -> SymbolicResult:
    """Two matrix instructions on registers that are loaded one by one."""
    load = STEPS.replace("ld.global.v4", "ld.global.v2").replace(
        "{%r10, %r11, %r12, %r13}, [%d0]", "{%r10, %r11}, [%d0]; ld.global.v2.b32 {%r12, %r13}, "
        "[%d0+8]"
    ).replace(
        "{%r20, %r21, %r22, %r23}, [%d0+24]",
        "{%r20, %r21}, [%d0+24]; ld.global.v2.b32 {%r22, %r23}, [%d0+32]",
    )  # fmt: skip
    text = entry(f"{load}{body} st.global.v4.b32 [%d1], {{%r1, %r2, %r3, %r4}}; ret;",
                 [".u64 p0", ".u64 p1"])  # fmt: skip
    arguments: list[Any] = [np.zeros(32 * 24, np.uint16), np.zeros(128, np.uint32)]
    result = run_symbolic(load_program(text), Launch(1, 32, arguments))
    assert result.trap is None
    return result


def test_steps_in_another_order_are_another_sum() -> None:
    straight, swapped = steps(ONE + TWO), steps(TWO + ONE)
    before, after = straight.outputs[1], swapped.outputs[1]
    assert before is not None
    assert after is not None
    assert not (before == after).any()
    (tree,) = straight.explain_all(1, [0])
    assert tree.label == "mma.k16.f32.bf16.bf16.h100"
    assert [each.index for each in tree.operands[0].operands[:2]] == [12, 13]
    assert tree.operands[2].operands[2].label == "0"


def test_a_negated_factor_is_another_product() -> None:
    text = built("matmul_bf16", 90).asm["ptx"]
    negated = re.sub(r"(wgmma\.mma_async.*, %p\d+, 1), 1,", r"\1, -1,", text)
    assert negated != text
    _, whole = prepared("matmul_bf16", 90)
    launch = Launch((1, 1), whole.block, whole.arguments, shared=whole.shared)
    plain, other = (run_symbolic(load_program(each), launch) for each in (text, negated))
    (tree,) = other.explain_all(2, [5])
    step = tree.operands[0]
    assert [step.operands[at].operands[0].label for at in (0, 1)].count("neg.bf16") == 1
    assert tree.hash != plain.explain(2, 5).hash
