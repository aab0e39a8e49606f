from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING
from unittest import mock

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sassay.capture import demangle as demangle_module
from sassay.capture import names as names_module
from sassay.capture import qualify_families, unwrap_families
from sassay.capture.demangle import demangle
from sassay.capture.families import cxx_family, triton_family
from sassay.capture.names import parse_name
from sassay.capture.shorten import Shortened
from sassay.model.artifact import SourceLocation
from sassay.model.kernel import Kernel, Launch, Resources, Specialization
from sassay.model.layers import Layered
from sassay.model.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator

ANONYMOUS = "_ZN7cutlass13device_kernelIN49_GLOBAL__N__{}_16_scaled_mm_c3x_cu_{}15cutlass_3x_gemmIaNS_6half_tEE10GemmKernelEEEvNT_6ParamsE"  # noqa: E501 - one symbol
ENABLED = (
    "_ZN7cutlass13device_kernelIN5flash11enable_sm90INS1_16FlashAttnFwdSm90IfLi3EEEEEEEvNT_6ParamsE"
)

FAMILIES = {
    "_Z12dQuantizeNF4f": "dQuantizeNF4",
    "_Z14gemm_4bit_simtI13__nv_bfloat16Li1EEvPKT_PKhPKfS5_S7_S7_PS1_S3_iiiii": "gemm_4bit_simt",
    "_ZN39_GLOBAL__N__17d0da55_7_cubt_cu_dac848fc4anonILi3EEEvPi": "(anonymous namespace)::anon",
    "_ZN3cub17CUB_300001_SM_9006detail11EmptyKernelIvEEvv": "cub::detail::EmptyKernel<void>",
    "_ZN3cub41_V_300200_SM_750_800_860_890_900_1000_12006detail11EmptyKernelIvEEvv": (
        "cub::detail::EmptyKernel<void>"
    ),
    "_ZN3cub47CUB_200700_700_750_800_860_890_900_1000_1200_NS11EmptyKernelIvEEvv": (
        "cub::EmptyKernel<void>"
    ),
    "_ZN3cub17CUB_300001_SM_9006detail4scan20DeviceScanInitKernelINS0_13ScanTileStateIfLb1EEEEEvT_i": (  # noqa: E501 - one symbol
        "cub::detail::scan::DeviceScanInitKernel"
    ),
    "_Z5withfIL1E0EZ2goPfS1_iPvmEUlffE_Lb1EEvT0_S1_": "withf",
    "_ZN7cutlass6KernelIN5flash16FlashAttnFwdSm90I2OpA4_dLi1ELb0EEEEEvNT_6ParamsE": (
        "cutlass::Kernel<flash::FlashAttnFwdSm90>"
    ),
    ENABLED: "cutlass::device_kernel<flash::FlashAttnFwdSm90>",
    ANONYMOUS.format("8bf0e19b", "2bec3df9"): (
        "cutlass::device_kernel<(anonymous namespace)::cutlass_3x_gemm::GemmKernel>"
    ),
    "__cuda_sm70_warpsync": "__cuda_sm70_warpsync",
    "_Zgarbage": "_Zgarbage",
    "_Z" + "N1a" * 30_000: "_Z" + "N1a" * 30_000,
}


@pytest.mark.parametrize(("symbol", "family"), list(FAMILIES.items()))
def test_cxx_families(symbol: str, family: str) -> None:
    assert cxx_family(symbol) == family


def test_families_hide_what_changes_from_build_to_build() -> None:
    one, two = ANONYMOUS.format("8bf0e19b", "2bec3df9"), ANONYMOUS.format("00000000", "11111111")
    assert one != two
    assert cxx_family(one) == cxx_family(two)


def test_both_demanglers_spell_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [symbol for symbol in FAMILIES if "ZN" in symbol and len(symbol) < 1000]
    native = [demangle(symbol) for symbol in known]
    assert native != known
    monkeypatch.setattr(demangle_module, "_native", lambda: None)
    demangle.cache_clear()
    try:
        slow = [demangle(symbol) for symbol in known]
    finally:
        demangle.cache_clear()
    assert [name for name in slow if not name.startswith("_Z")] == [
        fast for name, fast in zip(slow, native, strict=True) if not name.startswith("_Z")
    ]
    assert len([name for name in slow if name.startswith("_Z")]) <= 1, "local names alone"


def test_symbols_too_long_for_the_runtime_are_shortened_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    native = demangle_module._native()
    if native is None:
        pytest.fail("the C++ runtime of this machine has no demangler")
    for symbol in FAMILIES:
        with contextlib.suppress(ValueError):
            short = Shortened(symbol)
            assert len(short.symbol) < len(symbol)
            assert short.restored(native(short.symbol) or "") == native(symbol)
    parts = "".join(f"N2ns{len(f'operand_{i:040}')}operand_{i:040}ILi{i}EEE" for i in range(30))
    long = f"_ZN2ns6launchI{parts}LNS_5ColorE2EJaSt4lessvEEEvPKNS_6half_tET_"
    assert native(long) is None
    monkeypatch.setattr(demangle_module, "_python", lambda _: None)
    fast = demangle(long)
    assert fast.startswith("void ns::launch<ns::operand_0000")
    assert fast.endswith(
        "29>, (ns::Color)2, signed char, std::less, void>(ns::half_t const*, "
        f"ns::operand_{0:040}<0>)"
    )
    with pytest.raises(ValueError, match="Ul"):
        Shortened("_ZN1aIZ1bvEUlvE_EE")


@pytest.mark.parametrize(
    ("name", "qualified", "arguments", "parameters"),
    [
        ("f(int, char)", "f", (), ("int", "char")),
        ("void a::f<b<int>, 3>(b<int>*)", "a::f", ("b<int>", "3"), ("b<int>*",)),
        ("void operator<< <int>(int)", "operator<<", ("int",), ("int",)),
        ("X::operator()(int) const", "X::operator()", (), ("int",)),
        ("(anonymous namespace)::k(int)", "(anonymous namespace)::k", (), ("int",)),
        ("void f<(E)1, (a > b)>()", "f", ("(E)1", "(a > b)"), ()),
        ("void g<int (*)(char)>(int (*)(char))", "g", ("int (*)(char)",), ("int (*)(char)",)),
        ("k", "k", (), ()),
        ("void h<f()::{lambda(int)#1}>(f()::{lambda(int)#1})", "h", ("f()::{lambda(int)#1}",),
         ("f()::{lambda(int)#1}",)),
        ("cuda::std::__4::plus<int>::go()", "cuda::std::plus::go", ("int",), ()),
    ],
)  # fmt: skip
def test_names(
    name: str, qualified: str, arguments: tuple[str, ...], parameters: tuple[str, ...]
) -> None:
    parts = parse_name(name)
    assert (parts.qualified, parts.template_arguments, parts.parameters) == (
        qualified, arguments, parameters,
    )  # fmt: skip


@given(st.text("ab<>(),:{}[]*& -operator", max_size=60))
def test_any_name_is_survived(name: str) -> None:
    parse_name(name)


def test_triton_families() -> None:
    assert triton_family("triton_red_fused_add_mul_12") == "triton_red_fused_add_mul"
    assert triton_family("triton_tem_fused_0") == "triton_tem_fused"
    assert triton_family("my_kernel_2") == "my_kernel_2"


def kernel(name: str, file: str | None, number: int) -> Kernel:
    return Kernel(
        id=f"{number:012x}",
        name=name,
        symbol=name,
        family=triton_family(name),
        specialization=Specialization(options={"num_warps": 4}),
        arch="sm_90a",
        sources=(),
        launch=Launch(),
        resources=Resources(),
        code_bytes=16,
        digest="",
        instructions=Layered(),
        categories=Layered(),
        location=SourceLocation(file, 1) if file is not None else None,
    )


def families(*groups: list[tuple[str, str | None]]) -> list[list[str]]:
    numbers: Iterator[int] = itertools.count()
    states = [
        State("s", tuple(kernel(name, file, next(numbers)) for name, file in group))
        for group in groups
    ]
    again = qualify_families(qualify_families(states))
    named = qualify_families(states)
    assert again == named, "naming twice changes nothing"
    return [sorted(item.family for item in state.kernels) for state in named]


def test_namesakes_get_the_shortest_end_that_tells_them_apart() -> None:
    assert families([("norm", "/r/a/k.py"), ("norm", "/r/b/k.py"), ("soft", "/r/a/k.py")]) == [
        ["norm@a/k.py", "norm@b/k.py", "soft"]
    ]


def test_states_agree_on_names() -> None:
    assert families([("norm", "/r/a.py"), ("norm", "/r/b.py")], [("norm", "/q/a.py")]) == [
        ["norm@a.py", "norm@b.py"], ["norm@a.py"],
    ]  # fmt: skip


def test_another_checkout_is_no_namesake() -> None:
    assert families([("norm", "/r/a.py")], [("norm", "/q/a.py")]) == [["norm"], ["norm"]]


def test_inductor_files_are_hashes_and_never_qualify() -> None:
    name = "triton_poi_fused_add_0"
    assert families([(name, "/t/aa/caa.py"), (name, "/t/bb/cbb.py")]) == [
        ["triton_poi_fused_add", "triton_poi_fused_add"]
    ]


PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(lambda x: "/" + "/".join(x))


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(["f", "g"]), st.none() | PATHS), max_size=5),
        min_size=1,
        max_size=3,
    )
)
def test_families_of_one_state_tell_all_files_apart(
    groups: list[list[tuple[str, str | None]]],
) -> None:
    numbers: Iterator[int] = itertools.count()
    states = [
        State("s", tuple(kernel(name, file, next(numbers)) for name, file in group))
        for group in groups
    ]
    named = qualify_families(states)
    assert qualify_families(named) == named
    for state in named:
        located = {
            (item.name, item.location.file, item.family) for item in state.kernels if item.location
        }
        places = {(name, file) for name, file, _ in located}
        assert len({family for _, _, family in located}) == len(places)
    shuffled = qualify_families(
        [msgspec.structs.replace(state, kernels=state.kernels[::-1]) for state in states]
    )
    assert shuffled == named


def test_users_name_further_wrappers() -> None:
    kernels = tuple(
        msgspec.structs.replace(
            kernel(symbol, None, number), symbol=symbol, family=cxx_family(symbol)
        )
        for number, symbol in enumerate(
            ("_Z5scaleI6__halfEvPT_S1_i", "_Z5scaleIfEvPT_S0_i", "_Z5otherIfEvPT_")
        )
    )
    state = State(label="s", kernels=kernels)
    assert [item.family for item in unwrap_families(state, ()).kernels] == [
        "scale", "scale", "other",
    ]  # fmt: skip
    named = unwrap_families(state, ["scale"])
    assert [item.family for item in named.kernels] == ["other", "scale<__half>", "scale<float>"]


@given(st.text(alphabet="ab:<>(){}[], -*1", max_size=60), st.sampled_from(("", "operator()", "->")))
def test_long_names_are_taken_apart_as_short_ones(text: str, odd: str) -> None:
    name = f"void n::f<{text}, g<int>{odd}>({text}, (anonymous namespace)::h<a>)"
    expected = parse_name(name)
    with mock.patch.object(names_module, "_MANY", 0):
        assert parse_name(name) == expected
