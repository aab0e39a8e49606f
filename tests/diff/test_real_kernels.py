"""One kernel of our own compiled again and again: each change lands in its tier."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import pytest

from sassay.capture import CodeArchive, build_state
from sassay.diff import DiffOptions, code_diff, compare
from sassay.isa.sass import Disassembler
from sassay.model.layers import Layer, Tier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sassay.model.change import Change, Diff
    from sassay.model.state import State

triton = pytest.importorskip("triton")

SOURCE = """
import triton
import triton.language as tl

@triton.jit
def norm(x, w, o, n, eps, B: tl.constexpr):
    row = tl.program_id(0)
    c = tl.arange(0, B)
    m = c < n
    v = tl.load(x + row * n + c, mask=m, other=0.0).to(tl.float32)
    s = tl.sum(v * v, 0) / n
    y = v * tl.math.rsqrt(s + eps)
    tl.store(o + row * n + c, y.to(tl.bfloat16) * tl.load(w + c, mask=m), mask=m)

@triton.jit
def matmul(a, b, c, k, B: tl.constexpr):
    i = tl.arange(0, B)
    acc = tl.zeros((B, B), tl.float32)
    for step in range(0, k, B):
        x = tl.load(a + i[:, None] * k + step + i[None, :])
        y = tl.load(b + (step + i[:, None]) * B + i[None, :])
        acc += tl.dot(x, y)
    tl.store(c + i[:, None] * B + i[None, :], acc)
"""
SIGNATURES = {
    "norm": {"x": "*bf16", "w": "*bf16", "o": "*bf16", "n": "i32", "eps": "fp32", "B": "constexpr"},
    "matmul": {"a": "*bf16", "b": "*bf16", "c": "*fp32", "k": "i32", "B": "constexpr"},
}


class Bench:
    """Compiles into caches of their own and reads them back."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = CodeArchive()
        self.disassembler = Disassembler(None)
        self._folder = folder
        self._patch = monkeypatch

    def module(self, place: str, lines_above: int = 0) -> Any:
        path = self._folder / place / "kernels.py"
        path.parent.mkdir(parents=True)
        path.write_text("\n" * lines_above + SOURCE)
        spec = importlib.util.spec_from_file_location(place.replace("/", "_"), path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def state(self, label: str, *variants: tuple[Any, int, int, dict[str, Any]]) -> State:
        from triton.backends.compiler import GPUTarget
        from triton.compiler import ASTSource

        cache = self._folder / f"cache-{label}"
        self._patch.setenv("TRITON_CACHE_DIR", str(cache))
        for function, block, arch, options in variants:
            signature = SIGNATURES[function.__name__]
            constant = {(len(signature) - 1,): block}
            aligned = {(i,): [["tt.divisibility", 16]] for i in range(4)}
            source = ASTSource(function, signature, constant, aligned)
            triton.compile(source, target=GPUTarget("cuda", arch, 32), options=options)
        return build_state(
            str(cache), label=label, store=self.store, disassembler=self.disassembler
        )

    def diff(self, *states: State, **options: Any) -> Diff:
        return compare(states, self.store, self.disassembler, DiffOptions(**options))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = Bench(tmp_path, monkeypatch)
    yield bench
    bench.disassembler.close()
    bench.store.close()


def only_change(result: Diff) -> Change:
    (change,) = result.changes
    return change


def test_another_path_and_other_lines_leave_a_kernel_identical(bench: Bench) -> None:
    one, other = bench.module("here"), bench.module("elsewhere/deeper", lines_above=9)
    before = bench.state("before", (one.norm, 1024, 90, {}))
    after = bench.state("after", (other.norm, 1024, 90, {}))
    result = bench.diff(before, after, strict=True)
    assert result.pairs[0].tiers == {"identical": 1}
    assert (result.changes, result.comparability) == ((), ())


@pytest.mark.parametrize(
    ("options", "check"),
    [
        ({"num_warps": 8}, lambda c: c.deltas.metadata["num_warps"].after == 8),
        ({"maxnreg": 24}, lambda c: c.deltas.resources["registers"] < 0),
        ({"enable_fp_fusion": False}, lambda c: c.deltas.sass["FADD"] > 0),
    ],
)
def test_other_options_are_changes_that_say_what_moved(
    bench: Bench, options: dict[str, Any], check: Callable[[Change], bool]
) -> None:
    module = bench.module("here")
    before = bench.state("before", (module.norm, 1024, 90, {}))
    after = bench.state("after", (module.norm, 1024, 90, options))
    change = only_change(bench.diff(before, after))
    assert check(change)
    assert next(iter(options)) in change.specialization
    assert change.location is not None
    assert change.location.file.endswith("kernels.py")


def test_uncontracted_multiply_adds_lead_the_suspects(bench: Bench) -> None:
    module = bench.module("here")
    before = bench.state("before", (module.norm, 1024, 90, {}), (module.matmul, 32, 90, {}))
    after = bench.state(
        "after", (module.norm, 1024, 90, {"enable_fp_fusion": False}), (module.matmul, 32, 90, {})
    )
    (suspect,) = bench.diff(before, after).suspects
    assert suspect.family == "norm"
    assert suspect.why.startswith("multiply-adds no longer contracted: fma.rn.f32 ")


def test_instances_of_other_constants_pair_by_census(bench: Bench) -> None:
    module = bench.module("here")
    before = bench.state("before", *((module.norm, size, 90, {}) for size in (1024, 4096)))
    fewer = {"maxnreg": 64}
    after = bench.state("after", *((module.norm, size, 90, fewer) for size in (1024, 4096)))
    result = bench.diff(before, after, all=True)
    sizes = {k.id: k.code_bytes or 0 for s in (before, after) for k in s.kernels}
    for change in result.changes:
        assert change.before is not None
        assert change.after is not None
        assert abs(sizes[change.before] - sizes[change.after]) < 2000


def test_ampere_to_hopper_says_which_family_moved(bench: Bench) -> None:
    module = bench.module("here")
    state = bench.state(
        "m",
        *((module.matmul, 64, arch, {}) for arch in (80, 90)),
        *((module.norm, 1024, arch, {}) for arch in (80, 90)),
    )
    result = bench.diff(state, across_arch=("sm_80", "sm_90a"))
    assert result.pairs[0].compared == 2
    moved = {m.family: m for m in result.migrations}
    assert moved["matmul"].tensor_path == "yes"
    assert moved["matmul"].before["mma.sync"] > 0
    assert moved["matmul"].after["wgmma.mma_async"] > 0
    assert moved["matmul"].memory_path == "no"
    assert moved["norm"].tensor_path == "not applicable"


def test_aligned_code_shows_only_what_differs(bench: Bench) -> None:
    one, other = bench.module("here"), bench.module("there", lines_above=3)
    before = bench.state("before", (one.norm, 1024, 90, {}))
    same = bench.state("same", (other.norm, 1024, 90, {}))
    after = bench.state("after", (one.norm, 2048, 90, {}))
    for layer in Layer:

        def code(state: State, layer: Layer = layer) -> Any:
            return code_diff(
                before.kernels[0], state.kernels[0], layer, bench.store, bench.disassembler
            )

        assert (code(same).tier, code(same).hunks) == (Tier.IDENTICAL, ())
        changed = code(after)
        assert changed.tier is Tier.RECOMPOSED
        census = before.kernels[0].instructions.of(layer)
        assert census is not None
        assert changed.before_instructions == sum(census.values())
        for hunk in changed.hunks:
            assert hunk.before_count == sum(line.before is not None for line in hunk.lines)
            assert hunk.after_count == sum(line.after is not None for line in hunk.lines)
