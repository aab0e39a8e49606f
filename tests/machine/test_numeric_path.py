"""The numeric path of Triton kernels, in words, and what moved between two of them."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from sassay.machine import load_program
from sassay.machine.path import compare_paths, describe_path, numeric_path
from sassay.machine.path.launch import NoLaunchError
from sassay.machine.path.reduce import joins
from sassay.model.kernel import Kernel, Launch, Resources, Specialization
from sassay.model.layers import Layered
from sassay.model.numeric_path import Level, NumericPath

ROUTER = Path(__file__).parents[2] / "examples" / "router"


@lru_cache
def _module(path: str) -> Any:
    name = path.replace("/", "_").removesuffix(".py")
    spec = importlib.util.spec_from_file_location(f"path_{name}", ROUTER / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@lru_cache
def path_of(
    file: str,
    function: str,
    types: tuple[tuple[str, str], ...],
    constants: tuple[tuple[str, Any], ...],
    warps: int = 4,
    arch: int = 90,
) -> NumericPath:
    """The numeric path of a kernel of the router example."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    signature = {**dict(types), **{name: "constexpr" for name, _ in constants}}
    place = {name: index for index, name in enumerate(signature)}
    values = {(place[name],): value for name, value in constants}
    aligned = {(place[name],): [["tt.divisibility", 16]] for name, kind in types if kind != "fp32"}
    source = ASTSource(getattr(_module(file), function), signature, values, aligned)
    options = {"num_warps": warps}
    built = triton.compile(source, target=GPUTarget("cuda", arch, 32), options=options)
    kernel = Kernel(
        id="", name=function, symbol=function, family=function,
        specialization=Specialization(signature=dict(types), constants=dict(constants)),
        arch=f"sm_{arch}", sources=(), launch=Launch(warps=warps), resources=Resources(),
        code_bytes=None, digest="", instructions=Layered(), categories=Layered(),
        metadata={"shared": built.metadata.shared},
    )  # fmt: skip
    return numeric_path(kernel, load_program(built.asm["ptx"], artifact=function))


NORM = (
    ("x_ptr", "*bf16"), ("weight_ptr", "*bf16"), ("out_ptr", "*bf16"), ("stride_x", "i32"),
    ("stride_out", "i32"), ("hidden", "i32"), ("eps", "fp32"),
)  # fmt: skip


def norm(block: int = 1024, warps: int = 4, arch: int = 90) -> NumericPath:
    """RMSNorm."""
    constants = (("BLOCK", block),)
    return path_of("common/norms.py", "_rmsnorm_kernel", NORM, constants, warps, arch)


def test_rmsnorm() -> None:
    path = norm()
    (output,) = path.outputs
    assert output.name == "out_ptr"
    assert output.formula == "bf16(rsqrt~(eps + sum(x * x) /~ 1024) * x * weight)"
    (total,) = output.reductions
    assert (total.what, total.term, total.operation) == ("sum", "x * x", "add.rn.f32")
    assert (total.terms, total.fused, total.spacing) == (1024, True, 1)
    assert total.levels == (
        Level("serial", 2),
        Level("pairwise", 4),
        Level("shuffle", 32, (16, 8, 4, 2, 1)),
        Level("shared", 1),
        Level("shuffle", 4, (2, 1)),
    )
    (rounding,) = output.roundings
    assert (rounding.to, rounding.then) == ("bf16", "store")
    assert output.approximations == {"div.full.f32": 1, "rsqrt.approx.ftz.f32": 1}
    assert not path.caveats
    assert describe_path(path)[-1].startswith("seen in a launch of grid 2, block 128,")


def test_the_same_kernel_has_the_same_path() -> None:
    again = path_of.__wrapped__("common/norms.py", "_rmsnorm_kernel", NORM, (("BLOCK", 1024),))
    assert again == norm()
    assert compare_paths(again, norm()) == ()


def test_another_number_of_warps_in_words() -> None:
    (moved,) = compare_paths(norm(), norm(warps=8))
    assert moved == (
        "out: the sum of x * x was 2 terms in a row of neighbours, then 4 pairwise in a thread, "
        "then shuffles 16..1, then one value a lane through shared memory, then shuffles 2 1; "
        "now it is 2 terms in a row of neighbours, then 2 pairwise in a thread, then shuffles "
        "16..1, then one value a lane through shared memory, then shuffles 4..1"
    )


COMBINE = (
    ("experts_ptr", "*bf16"), ("weights_ptr", "*bf16"), ("out_ptr", "*bf16"), ("hidden", "i32"),
)  # fmt: skip


def test_the_router_s_combine_loses_a_rounding() -> None:
    constants = (("K", 8), ("BLOCK", 1024))
    base, pre_revert, accepted = (
        path_of(f"{state}/router.py", "_moe_combine_kernel", COMBINE, constants)
        for state in ("base", "pre_revert", "accepted")
    )
    assert compare_paths(base, accepted) == ()
    moved = compare_paths(base, pre_revert)
    assert moved[0] == (
        "out: was bf16(sum(bf16(experts * weights))); now bf16(sum(experts * weights))"
    )
    assert "out: the BF16 rounding of experts * weights before the sum is gone" in moved
    assert any("now fused into it" in line for line in moved)


def test_softmax_names_its_reductions_and_approximations() -> None:
    types = (("x_ptr", "*bf16"), ("out_ptr", "*bf16"), ("width", "i32"))
    (output,) = path_of("common/moe.py", "_softmax_kernel", types, (("BLOCK", 16),), 1).outputs
    assert [each.what for each in output.reductions] == ["maximum", "sum"]
    assert output.reductions[0].levels == (Level("shuffle", 16, (8, 4, 2, 1)),)
    assert set(output.approximations) == {"div.full.f32", "ex2.approx.f32"}


def test_positions_are_a_caveat() -> None:
    types = (
        ("x_ptr", "*bf16"), ("positions_ptr", "*i64"), ("cos_sin_ptr", "*fp32"),
        ("stride_token", "i32"),
    )  # fmt: skip
    path = path_of("common/tokens.py", "_rope_kernel", types, (("HALF", 64), ("NEOX", True)))
    assert any("positions_ptr" in each for each in path.caveats)


def test_without_a_signature_there_is_no_launch() -> None:
    with pytest.raises(NoLaunchError, match=r"neither \.reqntid nor \.maxntid"):
        path_of("common/norms.py", "_rmsnorm_kernel", NORM, (("BLOCK", 1024),)) and _bare()


def _bare() -> NumericPath:
    text = ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k()\n{\nret;\n}\n"
    kernel = Kernel(
        id="", name="k", symbol="k", family="k", specialization=Specialization(), arch="sm_80",
        sources=(), launch=Launch(), resources=Resources(), code_bytes=None, digest="",
        instructions=Layered(), categories=Layered(),
    )  # fmt: skip
    return numeric_path(kernel, load_program(text))


def test_what_joins() -> None:
    assert joins("fma.rn.f32") == joins("add.rn.f32") == "add.rn.f32"
    assert joins("atom.global.gpu.acq_rel.add.f32") == "add.rn.f32"
    assert joins("max.NaN.f32") == "max.NaN.f32"
    assert joins("mul.rn.f32") is None
