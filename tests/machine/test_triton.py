"""Kernels of the router example, compiled for two architectures, against numpy."""

from __future__ import annotations

import importlib.util
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.machine.references import to_bf16, widen

from sassay.machine import Launch, Program, Result, load_program, run
from sassay.machine.approximate.models import MODELS
from sassay.machine.symbolic import Leaf, run_symbolic

COMMON = Path(__file__).parents[2] / "examples" / "router" / "common"
Array = np.ndarray[Any, np.dtype[Any]]

pytestmark = pytest.mark.parametrize("arch", [80, 90])


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ.setdefault("TRITON_CACHE_DIR", str(tmp_path_factory.mktemp("triton")))


@lru_cache
def _module(name: str) -> Any:
    folder = Path(__file__).parent if name == "looped_norm" else COMMON
    spec = importlib.util.spec_from_file_location(f"router_{name}", folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Compiled:
    """A Triton kernel as the machine runs it."""

    def __init__(
        self, file: str, function: str, types: dict[str, str], constants: dict[str, Any],
        arch: int, warps: int = 4,
    ) -> None:  # fmt: skip
        import triton
        from triton.backends.compiler import GPUTarget
        from triton.compiler import ASTSource

        kernel = getattr(_module(file), function)
        names = list(types)
        signature = {**types, **dict.fromkeys(constants, "constexpr")}
        place = {name: index for index, name in enumerate(signature)}
        source = ASTSource(
            kernel,
            signature,
            {(place[name],): value for name, value in constants.items()},
            {
                (index,): [["tt.divisibility", 16]]
                for index, name in enumerate(names)
                if types[name][0] == "*"
            },
        )
        built = triton.compile(
            source, target=GPUTarget("cuda", arch, 32), options={"num_warps": warps}
        )
        self.ptx: str = built.asm["ptx"]
        self.program: Program = load_program(self.ptx)
        self.shared = built.metadata.shared
        self.block = warps * 32

    def __call__(self, grid: Any, *arguments: Any) -> Result:
        # Triton adds pointers to scratch memory.
        more = [None] * (len(self.program.params) - len(arguments))
        result = run(
            self.program, Launch(grid, self.block, [*arguments, *more], shared=self.shared)
        )
        assert result.trap is None, str(result.trap)
        return result


def _bf16(shape: tuple[int, ...], seed: int, scale: float = 1.0) -> Array:
    values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32) * np.float32(
        scale
    )
    return (values.view(np.uint32) >> np.uint32(16)).astype(np.uint16)


def _array(result: Result, index: int) -> Array:
    found = result.arrays[index]
    assert found is not None
    return found


_NORM = {
    "x_ptr": "*bf16",
    "weight_ptr": "*bf16",
    "out_ptr": "*bf16",
    "stride_x": "i32",
    "stride_out": "i32",
    "hidden": "i32",
    "eps": "fp32",
}


def test_rmsnorm_bit_for_bit_where_every_order_gives_the_same_sum(arch: int) -> None:
    kernel = Compiled("norms", "_rmsnorm_kernel", _NORM, {"BLOCK": 1024}, arch)
    # Small integers, so that sums of squares are exact in any order, and four times a square
    # as the mean, so that the root is exact too.
    hidden, rows = 768, 5
    values = np.random.default_rng(1).choice([-2.0, 2.0], (rows, hidden)).astype(np.float32)
    values *= np.array([1, 2, 4, 0.5, 16], np.float32)[:, None]
    weight = _bf16((hidden,), 2)
    x = (values.view(np.uint32) >> np.uint32(16)).astype(np.uint16)
    result = kernel(rows, x, weight, np.zeros_like(x), hidden, hidden, hidden, 0.0)
    wanted = to_bf16(np.sign(values) * widen(weight))
    assert (_array(result, 2) == wanted).all()
    # The tables are those of an H100; the rules of sm_80 are an A100's.
    label = "modelled" if arch == 90 else "approximate"
    assert result.label == label
    assert set(result.forms.values()) == {label}


def test_rmsnorm_of_any_rows_is_near(arch: int) -> None:
    kernel = Compiled("norms", "_rmsnorm_kernel", _NORM, {"BLOCK": 1024}, arch)
    x, weight = _bf16((4, 1000), 3), _bf16((1000,), 4)
    result = kernel(4, x, weight, np.zeros_like(x), 1000, 1000, 1000, 1e-6)
    wide = widen(x).astype(np.float64)
    wanted = wide / np.sqrt((wide**2).mean(axis=1, keepdims=True) + 1e-6) * widen(weight)
    np.testing.assert_allclose(widen(_array(result, 2)), wanted, rtol=2**-7)
    assert _array(kernel(0, x[:0], weight, x[:0], 1000, 1000, 1000, 1e-6), 2).shape == (0, 1000)


def _in_its_own_order(x: Array, weight: Array, eps: float) -> Array:
    """RMSNorm as four warps with eight elements a thread reduce it.

    Squares of bf16 are exact in float32, so a fused multiply-add is the sum of two squares.
    """
    rows, hidden = x.shape
    wide = np.zeros((rows, 1024), np.float32)
    wide[:, :hidden] = widen(x)
    squares = (wide * wide).reshape(rows, 4, 32, 8)
    pairs = squares[..., 0::2] + squares[..., 1::2]
    sums = (pairs[..., 0] + pairs[..., 1]) + (pairs[..., 2] + pairs[..., 3])
    for width in (16, 8, 4, 2, 1):
        sums = sums[..., :width] + sums[..., width:]
    warps = sums[..., 0]
    total = (warps[:, 0] + warps[:, 2]) + (warps[:, 1] + warps[:, 3])
    mean = MODELS["rcp"](np.array([hidden], np.float32)) * total
    inverse = MODELS["rsqrt"](mean + np.float32(eps))[:, None]
    return to_bf16(inverse * wide[:, :hidden] * widen(weight))


@pytest.mark.parametrize("hidden", [1024, 1000, 72])
def test_rmsnorm_of_random_rows_bit_for_bit(arch: int, hidden: int) -> None:
    kernel = Compiled("norms", "_rmsnorm_kernel", _NORM, {"BLOCK": 1024}, arch)
    x, weight = _bf16((500, hidden), 21, 3.0), _bf16((hidden,), 22)
    result = kernel(500, x, weight, np.zeros_like(x), hidden, hidden, hidden, 1e-6)
    assert (_array(result, 2) == _in_its_own_order(x, weight, 1e-6)).all()
    weak = "modelled" if arch == 90 else "approximate"
    assert result.labels[:3] == ("exact", "exact", weak)


def test_one_shot_and_looped_differ_symbolically_and_in_some_row(arch: int) -> None:
    once = Compiled("norms", "_rmsnorm_kernel", _NORM, {"BLOCK": 1024}, arch)
    looped = Compiled("looped_norm", "_looped_rmsnorm_kernel", _NORM, {"block": 256}, arch)
    hidden, rows = 1024, 2048
    x, weight = _bf16((rows, hidden), 23), _bf16((hidden,), 24)
    given: list[Any] = [x, weight, np.zeros_like(x), hidden, hidden, hidden, 1e-6]
    pair = []
    for kernel in (once, once, looped):
        scratch = [None] * (len(kernel.program.params) - len(given))
        launch = Launch(1, kernel.block, [*given, *scratch], shared=kernel.shared)
        leaves = {0: Leaf("x"), 1: Leaf("weight")}
        found = run_symbolic(kernel.program, launch, leaves=leaves)
        assert found.trap is None
        hashes = found.outputs[2]
        assert hashes is not None
        pair.append(hashes.reshape(-1)[:hidden])
    assert (pair[0] == pair[1]).all()
    assert (pair[0] != pair[2]).all()
    one, other = (_array(kernel(rows, *given), 2) for kernel in (once, looped))
    differ = (one != other).any(axis=1)
    assert 0 < differ.sum() < rows // 4
    np.testing.assert_allclose(widen(one), widen(other), rtol=2**-7)


def test_rmsnorm_without_its_barrier_is_a_race(arch: int) -> None:
    kernel = Compiled("norms", "_rmsnorm_kernel", _NORM, {"BLOCK": 1024}, arch)
    first, *rest = re.split(r"bar\.sync\s+0;", kernel.ptx)
    kernel.program = load_program(first + "bar.sync 0;".join(rest))
    x = _bf16((2, 1000), 3)
    given: list[Any] = [x, x[0], np.zeros_like(x), 1000, 1000, 1000, 1e-6]
    scratch = [None] * (len(kernel.program.params) - len(given))
    launch = Launch(2, kernel.block, [*given, *scratch], shared=kernel.shared)
    trap = run(kernel.program, launch).trap
    assert trap is not None
    assert trap.kind in {"race", "uninitialised"}
    assert trap.location is not None
    again = re.split(r"(bar\.sync\s+0;)", kernel.ptx)
    assert len(again) > 3
    last = "".join([*again[:-2], again[-1]])
    kernel.program = load_program(last)
    trap = run(kernel.program, launch).trap
    assert trap is not None
    assert trap.kind == "race"


def test_softmax_is_near_and_says_so(arch: int) -> None:
    kernel = Compiled(
        "moe",
        "_softmax_kernel",
        {"x_ptr": "*fp32", "out_ptr": "*fp32", "width": "i32"},
        {"BLOCK": 128},
        arch,
    )
    x = np.random.default_rng(5).standard_normal((6, 100)).astype(np.float32) * 4
    result = kernel(6, x, np.zeros_like(x), 100)
    weight = np.exp(x.astype(np.float64) - x.max(axis=1, keepdims=True))
    np.testing.assert_allclose(
        _array(result, 1), weight / weight.sum(axis=1, keepdims=True), rtol=1e-5
    )
    assert result.label == ("modelled" if arch == 90 else "approximate")


@pytest.mark.parametrize("warps", [1, 4])
def test_topk_exactly(arch: int, warps: int) -> None:
    types = {"logits_ptr": "*bf16", "values_ptr": "*bf16", "ids_ptr": "*i32"}
    kernel = Compiled(
        "moe", "_topk_kernel", types, {"EXPERTS": 120, "BLOCK": 128, "K": 8}, arch, warps
    )
    logits = _bf16((7, 120), 6)
    result = kernel(7, logits, np.zeros((7, 8), np.uint16), np.zeros((7, 8), np.int32))
    order = np.argsort(-widen(logits), axis=1, kind="stable")[:, :8]
    assert (_array(result, 2) == order).all()
    assert (_array(result, 1) == np.take_along_axis(logits, order, axis=1)).all()
    assert result.label == "exact"


def test_expert_alignment_exactly(arch: int) -> None:
    ids = np.random.default_rng(8).integers(0, 32, 700).astype(np.int32)
    types = {"ids_ptr": "*i32", "counts_ptr": "*i32", "count": "i32"}
    count = Compiled("moe", "_expert_count_kernel", types, {"BLOCK": 256}, arch)
    counts = _array(count(3, ids, np.zeros(32, np.int32), 700), 1)
    assert (counts == np.bincount(ids, minlength=32)).all()
    types = {"counts_ptr": "*i32", "offsets_ptr": "*i32"}
    offsets = Compiled("moe", "_expert_offsets_kernel", types, {"EXPERTS": 32, "TILE": 16}, arch)
    starts = _array(offsets(1, counts, np.zeros(32, np.int32)), 1)
    padded = -(-counts // 16) * 16
    assert (starts == np.cumsum(padded) - padded).all()
    types = {"ids_ptr": "*i32", "cursor_ptr": "*i32", "sorted_ptr": "*i32", "count": "i32"}
    scatter = Compiled("moe", "_expert_scatter_kernel", types, {"BLOCK": 256}, arch)
    placed = _array(scatter(3, ids, starts, np.full(int(padded.sum()), -1, np.int32), 700), 2)
    for expert in range(32):
        mine = placed[starts[expert] : starts[expert] + counts[expert]]
        assert sorted(mine.tolist()) == np.flatnonzero(ids == expert).tolist()


def test_elementwise_kernels_bit_for_bit(arch: int) -> None:
    types = {"x_ptr": "*bf16", "residual_ptr": "*bf16", "out_ptr": "*bf16", "count": "i32"}
    add = Compiled("norms", "_residual_add_kernel", types, {"BLOCK": 256}, arch)
    x, y = _bf16((1000,), 9), _bf16((1000,), 10, 100.0)
    result = add(4, x, y, np.zeros_like(x), 1000)
    assert (_array(result, 2) == to_bf16(widen(x) + widen(y))).all()
    assert result.label == "exact"
    types = {
        "x_ptr": "*bf16",
        "scale_ptr": "*bf16",
        "out_ptr": "*bf16",
        "hidden": "i32",
        "factor": "fp32",
    }
    scale = Compiled("norms", "_scale_rows_kernel", types, {"BLOCK": 256}, arch)
    rows = x.reshape(5, 200)
    result = scale(5, rows, y[:200], np.zeros_like(rows), 200, 0.37)
    first = to_bf16(widen(rows) * widen(y[:200]))
    assert (_array(result, 2) == to_bf16(widen(first) * np.float32(0.37))).all()


def test_embedding_and_rope(arch: int) -> None:
    types = {"ids_ptr": "*i64", "table_ptr": "*bf16", "out_ptr": "*bf16", "hidden": "i32"}
    kernel = Compiled("tokens", "_embedding_kernel", types, {"BLOCK": 256}, arch)
    table, ids = _bf16((50, 600), 11), np.random.default_rng(12).integers(0, 50, 9)
    result = kernel((9, 3), ids, table, np.zeros((9, 600), np.uint16), 600)
    assert (_array(result, 2) == table[ids]).all()
    types = {
        "x_ptr": "*bf16",
        "positions_ptr": "*i64",
        "cos_sin_ptr": "*fp32",
        "stride_token": "i32",
    }
    rope = Compiled("tokens", "_rope_kernel", types, {"HALF": 64, "NEOX": True}, arch)
    x, positions = _bf16((9, 256), 13), np.arange(9)[::-1].copy()
    angles = np.random.default_rng(14).standard_normal((9, 64))
    spun = np.concatenate([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    got = widen(_array(rope((9, 2), x, positions, spun, 256), 0)).reshape(9, 2, 2, 64)
    parts = widen(x).reshape(9, 2, 2, 64)
    cos, sin = (spun[positions].reshape(9, 2, 64)[:, at][:, None] for at in (0, 1))
    first = parts[:, :, 0] * cos - parts[:, :, 1] * sin
    second = parts[:, :, 1] * cos + parts[:, :, 0] * sin
    np.testing.assert_allclose(got, np.stack([first, second], axis=2), rtol=2**-7, atol=1e-6)


def test_quantized_rows(arch: int) -> None:
    types = {
        "x_ptr": "*bf16",
        "out_ptr": "*fp8e4nv" if arch >= 89 else "*i8",
        "scale_ptr": "*fp32",
        "width": "i32",
        "limit": "fp32",
    }
    kernel = Compiled("norms", "_quantize_rows_kernel", types, {"BLOCK": 512}, arch)
    x = _bf16((4, 500), 15)
    limit = 448.0 if arch >= 89 else 127.0
    result = kernel(4, x, np.zeros((4, 500), np.uint8), np.zeros(4, np.float32), 500, limit)
    largest = np.abs(widen(x)).max(axis=1)
    np.testing.assert_allclose(_array(result, 2), largest / np.float32(limit), rtol=1e-6)
    if arch < 89:
        wanted = np.trunc(widen(x) / _array(result, 2)[:, None])
        assert (np.abs(_array(result, 1).view(np.int8) - wanted) <= 1).all()
    else:
        # The largest of a row becomes 448, or its lower neighbour if the division rounds down.
        assert set((_array(result, 1) & 0x7F).max(axis=1).tolist()) == {0x7E}
