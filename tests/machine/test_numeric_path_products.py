"""The numeric path of matrix kernels in words: k, units, accumulators, splits, online softmax."""

from __future__ import annotations

import importlib.util
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sassay.machine import load_program
from sassay.machine.path import compare_paths, describe_path, numeric_path
from sassay.model.kernel import Kernel, Launch, Resources, Specialization
from sassay.model.layers import Layered

if TYPE_CHECKING:
    from sassay.model.numeric_path import NumericPath

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ.setdefault("TRITON_CACHE_DIR", str(tmp_path_factory.mktemp("triton")))


@lru_cache
def _module(path: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"of_{Path(path).stem}", EXAMPLES / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def path_of(
    file: str, function: str, types: dict[str, str], constants: dict[str, int], arch: int
) -> NumericPath:
    """The numeric path of an example; every argument is a multiple of 16."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    signature = {**types, **dict.fromkeys(constants, "constexpr")}
    names = list(signature)
    values = {(names.index(name),): value for name, value in constants.items()}
    aligned = {(at,): [["tt.divisibility", 16]] for at in range(len(types))}
    source = ASTSource(vars(_module(file))[function], signature, values, aligned)
    options = {"num_warps": 4, "num_stages": 2}
    built = triton.compile(source, target=GPUTarget("cuda", arch, 32), options=options)
    kernel = Kernel(
        id="", name=function, symbol=function, family=function,
        specialization=Specialization(signature=types, constants=constants), arch=f"sm_{arch}",
        sources=(), launch=Launch(warps=4), resources=Resources(), code_bytes=None, digest="",
        instructions=Layered(), categories=Layered(), metadata={"shared": built.metadata.shared},
    )  # fmt: skip
    return numeric_path(kernel, load_program(built.asm["ptx"], artifact=function))


@lru_cache
def split(arch: int, tile: int = 64, tile_k: int = 32, splits: int = 1) -> NumericPath:
    """A product in bf16 whose sum may be split over blocks."""
    types = {"a_ptr": "*bf16", "b_ptr": "*bf16", "c_ptr": "*fp32", "n": "i32", "k": "i32"}
    constants = {"TILE": tile, "TILE_K": tile_k, "SPLIT_K": splits}
    return path_of("machine/sums.py", "split_matmul", types, constants, arch)


def test_a_dot_product_in_words() -> None:
    first, second, _ = describe_path(split(80))
    assert first == "c = dot(a, b)"
    assert second.strip() == (
        "dot product of a and b: k = 256 in 16 steps of mma m16n8k16 (bf16 x bf16, f32 "
        "accumulate), one after another"
    )


def test_another_tile_is_the_same_path() -> None:
    assert compare_paths(split(80), split(80, tile=128, tile_k=64)) == ()


def test_another_unit_and_another_gpu_are_named() -> None:
    assert compare_paths(split(80), split(90)) == (
        (
            "c: the dot product of a and b: mma m16n8k16 (bf16 x bf16, f32 accumulate) -> "
            "wgmma m64n64k16 (bf16 x bf16, f32 accumulate)"
        ),
        "c: the dot product of a and b: summed as on a100 -> as on h100",
    )


def test_a_split_sum_is_named() -> None:
    path = split(80, splits=2)
    (dot,) = path.outputs[0].products
    assert (dot.joined, dot.tiles, dot.start) == ("atomics", (8, 8), "c")
    assert any("order of atomics" in each for each in path.caveats)
    moved = compare_paths(split(80), path)
    assert "c: the dot product of a and b: now split over 2 blocks, joined by atomics" in moved
    assert any("k is taken in the order 0 1 4 5" in each for each in moved)


def promoted(most: int, *, scaled: bool = False) -> NumericPath:
    """A product in fp8."""
    types = {"a_ptr": "*fp8e4nv", "b_ptr": "*fp8e4nv", "c_ptr": "*fp32", "scale_ptr": "*fp32",
             "n": "i32", "k": "i32"}  # fmt: skip
    constants = {"TILE": 64, "TILE_K": 128, "MOST": most, "SCALED": int(scaled)}
    return path_of("machine/sums.py", "promoted_matmul", types, constants, 90)


def test_where_sums_of_fp8_leave_the_unit() -> None:
    half, whole, scaled = promoted(64), promoted(128), promoted(128, scaled=True)
    (dot,) = half.outputs[0].products
    assert (dot.unit, dot.k, dot.types, dot.accumulator) == ("wgmma", 32, ("e4m3", "e4m3"), "f32")
    assert (dot.tiles, dot.joined) == ((2, 2, 2, 2), "added")
    (moved,) = compare_paths(half, whole)
    assert moved.endswith("in 4 stretches of 2 steps; now in 2 stretches of 4 steps")
    (dot,) = scaled.outputs[0].products
    assert (dot.tiles, dot.joined, dot.factor) == ((4, 4), "scaled", "scale")
    lines = compare_paths(whole, scaled)
    assert any(
        each.endswith("now each tile's sum is multiplied by scale and then added in f32")
        for each in lines
    )


def test_attention_is_an_online_softmax() -> None:
    types = {"q_ptr": "*bf16", "k_ptr": "*bf16", "v_ptr": "*bf16", "out_ptr": "*bf16",
             "stride": "i32", "scale": "fp32"}  # fmt: skip
    constants = {"DIM": 64, "TILE_M": 64, "TILE_N": 64}
    path = path_of("ampere_hopper/kernels.py", "attention_kernel", types, constants, 80)
    lines = [each.strip() for each in describe_path(path)]
    assert lines[0] == "out = bf16(dot(bf16(p), v) /~ sum(p))"
    assert lines[1].startswith("with s = ")
    assert lines[1].endswith("p = exp2~(s - max(s))")
    rescaled = "exp2~(maximum before - maximum now)"
    assert any(
        each.startswith("dot product of bf16(p) and v: k = ")
        and each.endswith(f"before each next tile the sum is multiplied by {rescaled}")
        for each in lines
    )
    assert any(each.startswith("maximum of s in f32") for each in lines)
    assert any(each.startswith("sum of p in f32") and rescaled in each for each in lines)
    assert len(lines) < 12
