"""The symbolic mode: what must be equal, what must differ; equal hashes mean equal bits."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.machine.harness import entry

from sassay.errors import UsageError
from sassay.machine import Launch, Pointer, UnsupportedInstruction, load_program, run
from sassay.machine.symbolic import (
    Leaf,
    SymbolicResult,
    first_difference,
    handlers,
    run_symbolic,
)

NORMS = Path(__file__).parents[2] / "examples" / "router" / "common" / "norms.py"
Array = np.ndarray[Any, np.dtype[Any]]


def symbolic(body: str, arguments: list[Any], *, block: int = 32, **more: Any) -> SymbolicResult:
    """Runs a body whose parameters p0, p1 ... are pointers, or words for numbers."""
    params = [
        f".{'u64' if isinstance(each, (np.ndarray, Pointer)) else 'f32'} p{index}"
        for index, each in enumerate(arguments)
    ]
    grid = more.pop("grid", 1)
    program = load_program(entry(body, params))
    result = run_symbolic(program, Launch(grid, block, arguments), **more)
    assert result.trap is None, str(result.trap)
    return result


def hashes(result: SymbolicResult, position: int = -1) -> Array:
    """The hashes of an output."""
    found = result.outputs[position]
    assert found is not None
    return found


HEAD = """
ld.param.u64 %d0, [p0];
ld.param.u64 %d1, [p1];
mov.u32 %r0, %tid.x;
mul.wide.u32 %d2, %r0, 8;
add.s64 %d0, %d0, %d2;
mul.wide.u32 %d3, %r0, 4;
add.s64 %d1, %d1, %d3;
"""


def halves(body: str) -> Array:
    """What a body makes of four 16-bit words a thread; it stores one 32-bit word at [%d1]."""
    x, out = np.zeros(128, np.uint16), np.zeros(32, np.uint32)
    return hashes(symbolic(f"{HEAD}{body}ret;", [x, out]))


LOADED = {
    "as a pair of words": "ld.global.v2.b32 {%r1, %r2}, [%d0]; mov.b32 {%s0, %s1}, %r1;"
    "mov.b32 {%s2, %s3}, %r2;",
    "one by one": "ld.global.b16 %s0, [%d0]; ld.global.b16 %s1, [%d0+2];"
    "ld.global.b16 %s2, [%d0+4]; ld.global.b16 %s3, [%d0+6];",
    "as four": "ld.global.v4.b16 {%s0, %s1, %s2, %s3}, [%d0];",
    "as a double word": "ld.global.b64 %d4, [%d0]; mov.b64 {%s0, %s1, %s2, %s3}, %d4;",
    "by shifts": "ld.global.v2.b32 {%r1, %r2}, [%d0]; shr.u32 %r3, %r1, 16; cvt.u16.u32 %s1, %r3;"
    "cvt.u16.u32 %s0, %r1; shr.u32 %r4, %r2, 16; cvt.u16.u32 %s3, %r4; cvt.u16.u32 %s2, %r2;",
    "through shared memory": ".shared .align 8 .b8 tile[256]; ld.global.b64 %d4, [%d0];"
    "mov.u32 %r9, tile; shl.b32 %r8, %r0, 3; add.u32 %r9, %r9, %r8; st.shared.b64 [%r9], %d4;"
    "ld.shared.b16 %s0, [%r9]; ld.shared.b16 %s1, [%r9+2]; ld.shared.b16 %s2, [%r9+4];"
    "ld.shared.b16 %s3, [%r9+6];",
}
WIDENED = {
    "cvt": "cvt.f32.bf16 %r10, %s1; cvt.f32.bf16 %r11, %s2;",
    "mov": "mov.b16 %s9, 0; mov.b32 %r10, {%s9, %s1}; mov.b32 %r11, {%s9, %s2};",
    "shl": "cvt.u32.u16 %r12, %s1; shl.b32 %r10, %r12, 16; cvt.u32.u16 %r13, %s2;"
    "shl.b32 %r11, %r13, 16;",
    "prmt": "mov.b32 %r12, {%s0, %s1}; mov.b32 %r13, {%s2, %s3}; prmt.b32 %r10, %r12, 0, 0x3244;"
    "and.b32 %r10, %r12, 0xffff0000; mov.b32 %r14, 0; prmt.b32 %r11, %r14, %r13, 0x5410;",
}
TAIL = "mul.f32 %r20, %r10, %r11; st.global.b32 [%d1], %r20;"


@pytest.mark.parametrize("loaded", sorted(LOADED))
@pytest.mark.parametrize("widened", sorted(WIDENED))
def test_moving_halves_changes_nothing(loaded: str, widened: str) -> None:
    wanted = halves(LOADED["one by one"] + WIDENED["cvt"] + TAIL)
    assert len(set(wanted.tolist())) == 32
    assert (halves(LOADED[loaded] + WIDENED[widened] + TAIL) == wanted).all()


def test_a_swapped_half_is_another_expression() -> None:
    wanted = halves(LOADED["one by one"] + WIDENED["cvt"] + TAIL)
    swapped = WIDENED["cvt"].replace("%s2", "%s3")
    assert not (halves(LOADED["one by one"] + swapped + TAIL) == wanted).any()


def test_packed_arithmetic_is_that_of_its_halves() -> None:
    pair = "ld.global.v2.b32 {%r1, %r2}, [%d0]; fma.rn.bf16x2 %r3, %r1, %r2, %r1;"
    single = (
        LOADED["as four"] + "fma.rn.bf16 %s4, %s0, %s2, %s0; fma.rn.bf16 %s5, %s3, %s1, %s1;"
        "mov.b32 %r3, {%s4, %s5};"
    )
    store = "st.global.b32 [%d1], %r3;"
    assert (halves(pair + store) == halves(single + store)).all()
    rounded = "cvt.rn.bf16x2.f32 %r3, %r11, %r10;"
    apart = "cvt.rn.bf16.f32 %s4, %r10; cvt.rn.bf16.f32 %s5, %r11; mov.b32 %r3, {%s4, %s5};"
    before = LOADED["as four"] + WIDENED["cvt"]
    assert (halves(before + rounded + store) == halves(before + apart + store)).all()


def test_a_branch_on_data_is_followed_on_both_sides() -> None:
    before = LOADED["as four"] + WIDENED["cvt"] + "setp.lt.f32 %p0, %r10, %r11;"
    store = "st.global.b32 [%d1], %r20;"
    chosen = before + "add.f32 %r21, %r10, %r11; selp.b32 %r20, %r21, %r10, %p0;" + store
    branched = (
        before + "mov.b32 %r20, %r10; @!%p0 bra over; add.f32 %r20, %r10, %r11; over:" + store
    )
    guarded = before + "mov.b32 %r20, %r10; @%p0 add.f32 %r20, %r10, %r11;" + store
    wanted = halves(chosen)
    assert (halves(guarded) == wanted).all()
    assert (halves(branched) == wanted).all()
    other = chosen.replace("setp.lt", "setp.le")
    assert not (halves(other) == wanted).any()


def test_a_store_under_a_condition_keeps_what_was_there() -> None:
    before = LOADED["as four"] + WIDENED["cvt"] + "setp.lt.f32 %p0, %r10, %r11;"
    stored = before + "@%p0 st.global.b32 [%d1], %r10;"
    merged = before + "ld.global.b32 %r5, [%d1]; selp.b32 %r6, %r10, %r5, %p0;"
    assert (halves(stored) == halves(merged + "st.global.b32 [%d1], %r6;")).all()


def test_an_address_that_depends_on_data_is_said() -> None:
    body = """
    ld.param.u64 %d0, [p0]; ld.param.u64 %d1, [p1]; ld.param.u64 %d2, [p2];
    mov.u32 %r0, %tid.x; mul.wide.u32 %d3, %r0, 4; add.s64 %d4, %d0, %d3;
    ld.global.u32 %r1, [%d4]; mul.wide.u32 %d5, %r1, 4; add.s64 %d6, %d2, %d5;
    mov.b32 %r2, 0f3F800000; add.s64 %d7, %d1, %d3; ld.global.f32 %r3, [%d7];
    add.f32 %r4, %r3, %r2; st.global.f32 [%d6], %r4; ret;
    """
    ids = np.arange(32, dtype=np.int32)[::-1].copy()
    x, out = np.zeros(32, np.float32), np.zeros(32, np.float32)
    result = symbolic(body, [ids, x, out])
    (caveat,) = result.caveats
    assert (caveat.kind, caveat.arguments) == ("given-values", (0,))
    assert caveat.instruction.startswith("st.global.f32")
    assert "argument 0" in caveat.message
    straight = symbolic(body, [ids[::-1].copy(), x, out])
    assert (hashes(result)[::-1] == hashes(straight)).all()


def test_float_atomics_say_that_their_order_is_a_choice() -> None:
    body = HEAD + "ld.global.f32 %r1, [%d0]; ld.param.u64 %d5, [p1]; red.global.add.f32 [%d5], %r1;"
    result = symbolic(body + "ret;", [np.zeros(64, np.float32), np.zeros(1, np.float32)])
    assert [each.kind for each in result.caveats] == ["order"]
    whole = body.replace(".f32 [%d5]", ".u32 [%d5]")
    counted = symbolic(whole + "ret;", [np.zeros(64, np.int32), np.zeros(1, np.int32)])
    assert not counted.caveats


SUM = """
ld.param.u64 %d0, [p0]; ld.param.u64 %d1, [p1];
mov.u32 %r0, %tid.x; mul.wide.u32 %d2, %r0, 16; add.s64 %d0, %d0, %d2;
mul.wide.u32 %d3, %r0, 4; add.s64 %d1, %d1, %d3;
"""


def _sum(order: tuple[int, ...]) -> str:
    loads = "".join(f"ld.global.f32 %r{at + 1}, [%d0+{4 * at}];" for at in range(4))
    first, second, *rest = (f"%r{at + 1}" for at in order)
    adds = f"add.f32 %r9, {first}, {second};" + "".join(
        f"add.f32 %r9, %r9, {each};" for each in rest
    )
    return f"{SUM}{loads}{adds}st.global.f32 [%d1], %r9; ret;"


def test_a_loop_in_the_same_order_is_equal_and_a_planted_reordering_is_not() -> None:
    looped = f"""{SUM}
    ld.global.f32 %r9, [%d0]; mov.u32 %r5, 1;
    again: add.s64 %d0, %d0, 4; ld.global.f32 %r6, [%d0]; add.f32 %r9, %r9, %r6;
    add.u32 %r5, %r5, 1; setp.lt.u32 %p1, %r5, 4; @%p1 bra again;
    st.global.f32 [%d1], %r9; ret;
    """
    arguments = [np.zeros(128, np.float32), np.zeros(32, np.float32)]
    wanted = hashes(symbolic(looped, arguments))
    assert (hashes(symbolic(_sum((0, 1, 2, 3)), arguments)) == wanted).all()
    assert (hashes(symbolic(_sum((1, 0, 2, 3)), arguments)) == wanted).all()
    reordered = symbolic(_sum((0, 1, 3, 2)), arguments)
    assert not (hashes(reordered) == wanted).any()
    mine, other = symbolic(looped, arguments).explain(1, 5), reordered.explain(1, 5)
    assert mine.render() == (
        "add.rn.f32(add.rn.f32(add.rn.f32(argument 0[20], argument 0[21]), argument 0[22]), "
        "argument 0[23])"
    )
    part = first_difference(mine, other)
    assert part is not None
    assert (part.before.hash, part.after.hash) == (mine.hash, other.hash)
    assert first_difference(mine, mine) is None


def test_rounding_and_fusion_tell_apart() -> None:
    before = LOADED["as four"] + WIDENED["cvt"]
    store = "st.global.b32 [%d1], %r20;"
    fused = before + "fma.rn.f32 %r20, %r10, %r11, %r10;" + store
    split = before + "mul.f32 %r21, %r10, %r11; add.f32 %r20, %r21, %r10;" + store
    named = before + "mul.rn.f32 %r21, %r10, %r11; add.rn.f32 %r20, %r21, %r10;" + store
    cut = before + "mul.rz.f32 %r21, %r10, %r11; add.rn.f32 %r20, %r21, %r10;" + store
    assert (halves(split) == halves(named)).all()
    assert not (halves(split) == halves(fused)).any()
    assert not (halves(split) == halves(cut)).any()


def test_scalars_are_leaves_unless_they_are_wanted_as_numbers() -> None:
    body = "ld.param.u64 %d0, [p0]; ld.param.f32 %r1, [p1]; mul.f32 %r2, %r1, %r1;"
    body += "st.global.f32 [%d0], %r2; ret;"
    out = np.zeros(1, np.float32)
    one, two = (symbolic(body, [out, value]) for value in (2.0, 3.0))
    assert (hashes(one, 0) == hashes(two, 0)).all()
    assert one.explain(0).render() == "mul.rn.f32(argument 1, argument 1)"
    fixed = symbolic(body, [out, 2.0], concrete=[1])
    assert fixed.explain(0).render() == "4"


def test_what_is_not_followed_is_refused_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    body = "ld.param.u64 %d0, [p0]; ld.global.b32 %r1, [%d0]; st.global.b32 [%d0], %r1; ret;"
    program = load_program(entry(body, [".u64 p0"]))
    monkeypatch.setattr(handlers, "_FOLLOWED", handlers._FOLLOWED - {"st"})
    with pytest.raises(UnsupportedInstruction, match=r"symbolic mode .* st\.global\.b32.*line"):
        run_symbolic(program, Launch(1, 32, [np.zeros(1, np.uint32)]))
    with pytest.raises(UsageError, match="no argument 3"):
        run_symbolic(load_program(entry("ret;")), Launch(1, 32, []), concrete=[3])


@pytest.mark.parametrize("turned", ["", ".trans"])
@pytest.mark.parametrize("stores", [False, True])
def test_tiles_move_what_the_numbers_say(turned: str, stores: bool) -> None:
    form = f"matrix.sync.aligned.m8n8.x4{turned}.shared.b16"
    tile = "mov.u32 %r9, tile; shl.b32 %r8, %r0, 4; add.u32 %r9, %r9, %r8;"
    words = "{%r1, %r2, %r3, %r4}"
    body = f"""
    .shared .align 16 .b8 tile[512];
    ld.param.u64 %d0, [p0]; ld.param.u64 %d1, [p1]; mov.u32 %r0, %tid.x;
    mul.wide.u32 %d3, %r0, 16; add.s64 %d0, %d0, %d3; add.s64 %d1, %d1, %d3;
    ld.global.v4.b32 {words}, [%d0]; {tile}
    {f"st{form} [%r9], {words};" if stores else f"st.shared.v4.b32 [%r9], {words};"}
    bar.warp.sync -1;
    {f"ld.shared.v4.b32 {words}, [%r9];" if stores else f"ld{form} {words}, [%r9];"}
    st.global.v4.b32 [%d1], {words}; ret;
    """
    x, out = np.arange(256, dtype=np.uint16), np.zeros(256, np.uint16)
    program = load_program(entry(body, [".u64 p0", ".u64 p1"]))
    moved = run(program, Launch(1, 32, [x, out])).arrays[1]
    assert moved is not None
    assert sorted(moved.tolist()) == x.tolist()
    result = symbolic(body, [x, out])
    assert (hashes(result) == hashes(result, 0)[moved]).all()


# Triton's kernels.


@lru_cache
def _rmsnorm(block: int, warps: int) -> tuple[Any, int]:
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    spec = importlib.util.spec_from_file_location("router_norms", NORMS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    types = dict.fromkeys(("x_ptr", "weight_ptr", "out_ptr"), "*bf16")
    types |= dict.fromkeys(("stride_x", "stride_out", "hidden"), "i32")
    signature = {**types, "eps": "fp32", "BLOCK": "constexpr"}
    source = ASTSource(vars(module)["_rmsnorm_kernel"], signature, {(7,): block}, {})
    options = {"num_warps": warps}
    built = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    return load_program(built.asm["ptx"]), built.metadata.shared


def _norm(rows: int, warps: int = 4, leaf: int = 0, hidden: int = 1000) -> SymbolicResult:
    program, shared = _rmsnorm(1024, warps)
    x, out = (np.zeros((rows, hidden), np.uint16) for _ in range(2))
    arguments: list[Any] = [x, np.zeros(hidden, np.uint16), out, hidden, hidden, hidden, 1e-6]
    arguments += [None] * (len(program.params) - len(arguments))
    launch = Launch(rows, warps * 32, arguments, shared=shared)
    names = {0: Leaf("x", leaf * hidden), 1: Leaf("weight"), 6: Leaf("eps")}
    return run_symbolic(program, launch, leaves=names)


def test_one_row_equals_that_row_of_a_batch() -> None:
    batch = _norm(5)
    assert not batch.caveats
    for row in range(5):
        assert (hashes(_norm(1, leaf=row), 2)[0] == hashes(batch, 2)[row]).all()
    assert not (hashes(_norm(1, leaf=1), 2)[0] == hashes(batch, 2)[0]).any()
    assert hashes(_norm(0), 2).shape == (0, 1000)


def test_another_number_of_threads_is_another_sum() -> None:
    four, eight = _norm(2, 4), _norm(2, 8)
    assert not (hashes(four, 2) == hashes(eight, 2)).any()
    part = first_difference(four.explain(2, (1, 3)), eight.explain(2, (1, 3)))
    assert part is not None
    assert part.path[:2] == ("cvt.rn.bf16.f32", "mul.rn.f32")
    assert "standard.py" in part.before.place


# The two modes against each other.

OPERATIONS = [
    "add.f32 {d}, {a}, {b};", "mul.f32 {d}, {a}, {b};", "sub.f32 {d}, {a}, {b};",
    "fma.rn.f32 {d}, {a}, {b}, {c};", "max.f32 {d}, {a}, {b};", "min.NaN.f32 {d}, {a}, {b};",
    "neg.f32 {d}, {a};", "mov.b32 {d}, {a};", "prmt.b32 {d}, {a}, {b}, 0x5410;",
    "prmt.b32 {d}, {a}, {b}, 0x7632;", "and.b32 {d}, {a}, 0xffff0000;", "or.b32 {d}, {a}, {b};",
    "shl.b32 {d}, {a}, 16;", "shr.u32 {d}, {a}, 8;", "add.u32 {d}, {a}, {b};",
    "shfl.sync.bfly.b32 {d}, {a}, 1, 31, 0xffffffff;", "bfe.u32 {d}, {a}, 8, 16;",
    "mov.b32 {{%s1, %s2}}, {a}; mov.b32 {d}, {{%s2, %s1}};",
    "cvt.rn.bf16x2.f32 {d}, {a}, {b};", "add.rn.bf16x2 {d}, {a}, {b};",
    "setp.lt.f32 %p1, {a}, {b}; selp.b32 {d}, {a}, {c}, %p1;",
    "setp.gt.f32 %p1, {b}, {a}; selp.b32 {d}, {a}, {c}, %p1;",
    "setp.lt.f32 %p1, {a}, {b}; @%p1 mov.b32 {d}, {c};",
    "bfi.b32 {d}, {a}, {b}, 16, 16;", "shf.l.wrap.b32 {d}, {a}, {b}, 16;",
    "lop3.b32 {d}, {a}, {b}, {c}, 0xc0;", "mad.lo.s32 {d}, {a}, {b}, {c};",
]  # fmt: skip


@st.composite
def _bodies(draw: st.DrawFn) -> list[str]:
    """A body, and others that are like it but for sources that change places or operations."""
    steps = [
        (draw(st.sampled_from(OPERATIONS)), [draw(st.integers(10, 13)) for _ in range(4)])
        for _ in range(draw(st.integers(1, 4)))
    ]
    bodies = [steps]
    for at, (operation, (d, a, b, c)) in enumerate(steps):
        bodies.append([*steps[:at], (operation, [d, b, a, c]), *steps[at + 1 :]])
        other = draw(st.sampled_from(OPERATIONS))
        bodies.append([*steps[:at], (other, [d, a, b, c]), *steps[at + 1 :]])
    return ["\n".join(_step(*step) for step in body) for body in bodies]


def _step(operation: str, registers: list[int]) -> str:
    names = dict(zip("dabc", (f"%r{each}" for each in registers), strict=True))
    return operation.format(**names)


@settings(max_examples=120, deadline=None)
@given(_bodies(), st.integers(0, 2**32 - 1))
def test_equal_hashes_mean_equal_bits(bodies: list[str], seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.standard_normal(96).astype(np.float32)
    values[random.integers(0, 96, 12)] = random.choice(
        np.array([0.0, -0.0, np.inf, np.nan, 1e-40], np.float32), 12
    )
    loads = (
        "".join(f"ld.global.b32 %r{10 + at}, [%d0+{at * 128}];" for at in range(3))
        + "mov.b32 %r13, 0f3FC00000;"
    )
    head = """ld.param.u64 %d0, [p0]; ld.param.u64 %d1, [p1]; mov.u32 %r0, %tid.x;
    mul.wide.u32 %d3, %r0, 4; add.s64 %d0, %d0, %d3; add.s64 %d1, %d1, %d3;"""
    tail = "".join(f"st.global.b32 [%d1+{at * 128}], %r{10 + at};" for at in range(4))
    found: dict[int, int] = {}
    for body in bodies:
        program = load_program(entry(f"{head}{loads}{body}{tail}ret;", [".u64 p0", ".u64 p1"]))
        launch = Launch(1, 32, [values, np.zeros(128, np.uint32)])
        numbers = run(program, launch).arrays[1]
        names = run_symbolic(program, launch).outputs[1]
        assert numbers is not None
        assert names is not None
        for name, number in zip(names.tolist(), numbers.tolist(), strict=True):
            assert found.setdefault(name, number) == number


GATHER = """
ld.param.u64 %d0, [p0]; ld.param.u64 %d1, [p1]; ld.param.u64 %d2, [p2]; mov.u32 %r0, %tid.x;
mul.wide.u32 %d3, %r0, 4; add.s64 %d4, %d0, %d3; ld.global.f32 %r1, [%d4];
{index} mul.wide.u32 %d5, %r2, 4; add.s64 %d6, %d1, %d5; ld.global.f32 %r3, [%d6];
add.s64 %d7, %d2, %d3; st.global.f32 [%d7], %r3; ret;
"""


def test_a_gather_that_floats_decide_is_an_operation_on_address_and_memory() -> None:
    index = "setp.gt.f32 %p0, %r1, 0f00000000; selp.u32 %r2, 3, 1, %p0;"

    def gathered(index: str, table: str = "table") -> Array:
        arrays = [np.zeros(32, np.float32) for _ in range(3)]
        result = symbolic(GATHER.format(index=index), list(arrays), leaves={1: Leaf(table)})
        (caveat,) = result.caveats
        assert caveat.kind == "assumption"
        assert caveat.instruction.startswith("ld.global.f32 %r3")
        return hashes(result)

    wanted = gathered(index)
    assert len(set(wanted.tolist())) == 32
    assert (gathered(index) == wanted).all()
    other = index.replace("3, 1", "2, 1")
    assert not (gathered(other) == wanted).any()
    assert not (gathered(index, "another table") == wanted).any()
