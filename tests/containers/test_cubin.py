"""Cubins: what is read, against what NVIDIA's own tools print of the same bytes."""

from __future__ import annotations

import re

import pytest
from tests.containers.kernels import MODULE, NO_KERNEL, assemble, nvidia
from triton import compile as triton_compile
from triton import jit
from triton import language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from sassay.containers import CubinKernel, read_cubin
from sassay.containers.constants import constant_operands
from sassay.errors import FormatError

OLD, NEW = "ptxas", "ptxas-blackwell"
BUILDS = [
    ("sm_75", OLD), ("sm_80", OLD), ("sm_80", NEW), ("sm_90", OLD), ("sm_90a", OLD),
    ("sm_90a", NEW), ("sm_100", OLD), ("sm_100a", OLD), ("sm_100a", NEW), ("sm_103f", NEW),
    ("sm_120", NEW), ("sm_120a", OLD),
]  # fmt: skip


def kernels_of(data: bytes) -> dict[str, CubinKernel]:
    return {k.symbol: k for k in read_cubin(data, artifact="m.cubin").kernels}


def printed_resources(data: bytes) -> dict[str, tuple[int, ...]]:
    found = re.findall(
        r"Function (\S+):\s+REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)"
        r"(?: CONSTANT\[[1-9]\d*\]:\d+)* CONSTANT\[0\]:(\d+)",
        nvidia("cuobjdump", "-res-usage", data=data),
    )
    return {name: tuple(map(int, numbers)) for name, *numbers in found}


def read_resources(data: bytes) -> dict[str, tuple[int | None, ...]]:
    return {
        symbol: (
            k.resources.registers,
            k.resources.stack_bytes,
            k.resources.static_shared_bytes,
            k.resources.local_bytes,
            k.resources.constant_bytes,
        )
        for symbol, k in kernels_of(data).items()
    }


@pytest.mark.oracle
@pytest.mark.parametrize(("arch", "tool"), BUILDS)
def test_resources_equal_cuobjdump(arch: str, tool: str) -> None:
    data = assemble(arch, tool=tool)
    read = read_resources(data)
    assert read == printed_resources(data)
    assert set(read) == {"everything", "bounded", "nothing"}
    registers, stack, shared, _, constants = read["everything"]
    assert registers
    assert stack == 256
    assert shared is not None
    assert shared >= 512
    assert constants is not None
    assert constants >= 40


@pytest.mark.oracle
@pytest.mark.parametrize(("arch", "tool"), BUILDS)
def test_the_architecture_is_the_one_that_cuobjdump_lists(arch: str, tool: str) -> None:
    data = assemble(arch, tool=tool)
    listed = nvidia("cuobjdump", "-lelf", data=data).strip()
    # cuobjdump does not tell family-specific code apart; the producer note does.
    assert listed.endswith(f".{arch.removesuffix('f')}.cubin")
    if not (arch.endswith("f") and tool == OLD):
        assert read_cubin(data, artifact="m").arch == arch


@pytest.mark.oracle
@pytest.mark.parametrize(("arch", "tool"), BUILDS)
def test_barriers_and_launch_attributes(arch: str, tool: str) -> None:
    data = assemble(arch, tool=tool)
    kernels = kernels_of(data)
    everything, bounded = kernels["everything"], kernels["bounded"]
    assert everything.launch.block == (128, 2, 1)
    assert everything.launch.warps == 8
    assert everything.launch.cluster is None
    assert bounded.launch.block is None
    assert bounded.launch.max_block == (256, 1, 1)
    assert bounded.launch.cluster == (None if arch < "sm_9" and arch[3] != "1" else (2, 1, 1))
    # Barriers 0 and 3 are used: the highest number decides how many are set aside.
    assert everything.resources.barriers == 4
    assert bounded.resources.barriers == 0
    text = nvidia("cuobjdump", "-elf", data=data)
    printed = re.findall(r"EIATTR_NUM_BARRIERS\s+Format:\s+EIFMT_BVAL\s+Value:\s+0x(\w+)", text)
    assert printed == (["4"] if "ABI=8" in text or arch.startswith("sm_1") else printed)


@pytest.mark.oracle
@pytest.mark.parametrize(("arch", "tool"), BUILDS)
def test_constants_are_those_that_the_code_names(arch: str, tool: str) -> None:
    data = assemble(arch, tool=tool)
    printed: dict[str, set[tuple[int, int]]] = {}
    symbol = ""
    for line in nvidia("nvdisasm", "-c", data=data).splitlines():
        if found := re.match(r"\s*\.section\s+\.text\.(\w+)", line):
            symbol = found[1]
        for bank, operand in re.findall(r"c\[0x([1-9a-f])\]\s*\[([^\]]*)\]", line):
            offset = re.search(r"0x[0-9a-f]+", operand)
            place = (int(bank, 16), int(offset[0], 16) if offset else 0)
            printed.setdefault(symbol, set()).add(place)
    kernels = kernels_of(data)
    for symbol, kernel in kernels.items():
        operands = constant_operands(kernel.sass.code)
        assert operands is not None
        named = {(bank, offset) for bank, offsets in operands.items() for offset in offsets}
        assert named == printed.get(symbol, set())
    everything = kernels["everything"].sass
    assert dict(everything.constants)[3].endswith((8).to_bytes(4, "little"))
    assert (4, 0, "table") in everything.constant_symbols
    assert kernels["bounded"].sass.constants == ()


def test_banks_are_shared_not_copied() -> None:
    text = MODULE.replace(
        "    ret;\n}}\n\n.visible .entry nothing()",
        "    ld.const.u32 %r4, [factors + 8];\n    st.global.u32 [%rd1 + 4], %r4;\n"
        "    ret;\n}}\n\n.visible .entry nothing()",
    )
    kernels = kernels_of(assemble("sm_80", text=text))
    first = dict(kernels["everything"].sass.constants)[3]
    assert dict(kernels["bounded"].sass.constants)[3] is first


def test_a_constant_changes_only_the_kernel_that_reads_it() -> None:
    before, after = (kernels_of(assemble("sm_90", factor=f)) for f in (8, 9))
    assert before["everything"].code == after["everything"].code
    assert before["everything"].digest != after["everything"].digest
    assert before["bounded"].digest == after["bounded"].digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (".reqntid 128, 2, 1", ".reqntid 256, 1, 1"),
        (".reqntid 128, 2, 1", ".maxntid 128, 2, 1"),
        (".param .u32 n, .param .align 8 .b8 s[24]", ".param .u32 n, .param .align 8 .b8 s[32]"),
        ("tile[512]", "tile[1024]"),
    ],
)
def test_the_digest_covers_what_a_launch_needs(old: str, new: str) -> None:
    before = kernels_of(assemble("sm_80"))
    after = kernels_of(assemble("sm_80", text=MODULE.replace(old, new)))
    assert before["everything"].digest != after["everything"].digest
    assert before["bounded"].digest == after["bounded"].digest


def test_relocations_and_functions_of_a_cubin_before_linking() -> None:
    helpers = (
        "_ZN43_INTERNAL_0a1b2c3d_9_kernel_cu_e3f91d0f_6456helperEv",
        "_ZN44_INTERNAL_deadbeef_9_kernel_cu_b96781cf_12346helperEv",
    )
    first, second = (
        read_cubin(assemble("sm_90", relocatable=True, helper=helper), artifact="m")
        for helper in helpers
    )
    assert first.relocatable
    assert [len(c.functions) for c in (first, second)] == [1, 1]
    everything = {k.symbol: k for k in first.kernels}["everything"]
    assert any("_INTERNAL_0a1b2c3d" in r.symbol for r in everything.sass.relocations)
    assert list(everything.sass.relocations) == sorted(everything.sass.relocations)
    # Only build-specific parts of the callee's name differ.
    assert everything.digest == {k.symbol: k for k in second.kernels}["everything"].digest
    assert first.functions[0].digest == second.functions[0].digest


def test_the_toolchain_is_read_from_both_flavours() -> None:
    old = read_cubin(assemble("sm_80", tool=OLD), artifact="m").toolchain
    new = read_cubin(assemble("sm_80", tool=NEW), artifact="m").toolchain
    for chain, tool in ((old, OLD), (new, NEW)):
        assert chain.ptxas is not None
        printed = re.search(r"V(\d+\.\d+)\.\d+", nvidia(tool, "--version", data=b""))
        assert printed
        assert chain.ptxas.startswith(f"V{printed[1]}")
    assert new.options == "-arch sm_80"


@pytest.mark.parametrize("tool", [OLD, NEW])
def test_a_cubin_without_kernels_is_fine(tool: str) -> None:
    cubin = read_cubin(assemble("sm_90", tool=tool, text=NO_KERNEL), artifact="m")
    assert (cubin.arch, cubin.kernels, cubin.functions) == ("sm_90", (), ())


def test_a_host_elf_is_no_cubin() -> None:
    data = bytearray(assemble("sm_80"))
    data[18] = 62
    with pytest.raises(FormatError, match=r"m: offset 0x12: ELF machine 62, expected 190"):
        read_cubin(bytes(data), artifact="m")


@jit
def scaled_sum(x, o, n, block: tl.constexpr):  # type: ignore[no-untyped-def]  # the types are Triton's
    columns = tl.arange(0, block)
    values = tl.load(x + tl.program_id(0) * n + columns, mask=columns < n, other=0.0)
    tl.store(o + tl.program_id(0), tl.sum(tl.exp(values.to(tl.float32)), 0))


@pytest.mark.oracle
@pytest.mark.parametrize("arch", [80, 90, 100, 120])
def test_triton_kernels_equal_cuobjdump(arch: int) -> None:
    source = ASTSource(
        scaled_sum, {"x": "*bf16", "o": "*fp32", "n": "i32", "block": "constexpr"}, {(3,): 1024}
    )
    compiled = triton_compile(source, target=GPUTarget("cuda", arch, 32), options={"num_warps": 4})
    data = compiled.asm["cubin"]
    assert read_resources(data) == printed_resources(data)
    kernel = kernels_of(data)["scaled_sum"]
    assert kernel.launch.block == (128, 1, 1)
    assert kernel.resources.barriers == 1
