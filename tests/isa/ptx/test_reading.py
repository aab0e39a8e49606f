"""Reading, normal forms, tiers and listings of PTX."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sassay.isa.categories import summarize
from sassay.isa.ptx import (
    Module,
    PtxFunction,
    census,
    listing,
    normal_digest,
    print_module,
    read_module,
    tier,
)
from sassay.model.layers import Layer, Tier

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD = ".version 8.7\n.target sm_90a\n.address_size 64\n"


def module(body: str, *, before: str = "", directives: str = "") -> Module:
    text = f"{HEAD}{before}.visible .entry k(.param .u64 k_param_0, .param .u32 k_param_1)\n"
    return read_module(f"{text}{directives}{{\n{body}\n}}\n", artifact="k.ptx")


def entry(body: str, *, before: str = "", directives: str = "") -> PtxFunction:
    return module(body, before=before, directives=directives).entries[0]


def independent(text: str) -> Counter[str]:
    """Counts opcodes by splitting at semicolons, with string methods only."""
    lines = (line.partition("//")[0].strip() for line in text.rstrip("\0").splitlines())
    skipped = (".loc", ".file", ".version", ".target", ".address_size")
    flat = " ".join(line for line in lines if not line.startswith(skipped))
    counts: Counter[str] = Counter()
    for chunk in flat.split(";"):
        rest = chunk.strip()
        if ".entry" in rest or ".func" in rest:
            rest = rest.rpartition("{")[2]
        words = rest.split()
        while words and (words[0] in {"{", "}"} or words[0].endswith(":") or words[0][0] == "@"):
            words.pop(0)
        if words:
            opcode = words[0].lstrip("{}")
            if opcode and not opcode.startswith("."):
                counts[opcode] += 1
    return counts


@pytest.mark.parametrize("arch", [75, 80, 90, 100, 120])
def test_triton_census_equals_an_independent_count(
    triton_ptx: Callable[[int], str], arch: int
) -> None:
    text = triton_ptx(arch)
    read = read_module(text, artifact="k.ptx")
    counts = census(read.entries[0])
    assert counts == independent(text)
    assert sum(summarize(Layer.PTX, counts).values()) == len(read.entries[0].instructions)
    assert "other" not in summarize(Layer.PTX, counts)
    printed = print_module(read)
    again = read_module(printed, artifact="print.ptx")
    assert print_module(again) == printed
    assert normal_digest(again.entries[0]) == normal_digest(read.entries[0])
    assert tier(read.entries[0], again.entries[0]) is Tier.IDENTICAL
    location = read.entries[0].location
    assert location is not None
    assert location.file.endswith("kernels.py")
    assert read.entries[0].launch.block == (128, 1, 1)
    assert read.entries[0].launch.warps == 4


def test_everything_a_compiler_writes_is_read() -> None:
    body = """
    .reg .pred %p<3>; .reg .b32 %r<9>;
    .local .align 16 .b8 __local_depot0[64];
    .pragma "nounroll";
    .loc 1 10 3
    // begin inline asm
    { .reg .b16 low,high;
      mov.b32 {low, high}, %r1; @!%p1 add.s32 %r2, %r3, -4; }
    // end inline asm
    .loc 1 11 5, function_name $L__info_string0, inlined_at 1 12 7
$L__BB0_1:
    @%p1 bra $L__BB0_1;
    wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16
      {%r1, %r2},
      %rd1, %rd2, p, 1, 1;
    { // callseq 0, 0
    .param .b64 param0;
    st.param.b64 [param0+0], %rd1;
    call.uni (retval0),
    vprintf,
    (
    param0
    );
    }
    prototype_0 : .callprototype (.param .b32 _) _ (.param .b64 _);
    call (retval0), %rd1, (param0), prototype_0;
    $L_brx_0: .branchtargets
      $L__BB0_1;
    brx.idx %r1, $L_brx_0;
    ld.global.b32 /* a comment; with { */ %r1, [%rd1 + 16];
    frobnicate.b32 %r1;
    ret;
"""
    before = (
        '.file 1 "/src/k.cu", 17, 42\n.global .align 1 .b8 $str[3] = {1, 2, 0};\n'
        ".extern .func (.param .b32 r) vprintf (.param .b64 a);\n"
        ".section .debug_info { .b8 1 // }\n.b32 2\n }\n.weak .shared .b8 smem[];\n"
    )
    read = module(body, before=before, directives=".maxntid 256, 1\n.minnctapersm 2\n")
    function = read.entries[0]
    assert [each.opcode for each in function.instructions] == [
        "mov.b32",
        "add.s32",
        "bra",
        "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16",
        "st.param.b64",
        "call.uni",
        "call",
        "brx.idx",
        "ld.global.b32",
        "frobnicate.b32",
        "ret",
    ]
    assert census(function) == Counter(each.opcode for each in function.instructions)
    assert function.launch.max_block == (256, 1, 1)
    assert function.directives["minnctapersm"] == (2,)
    assert [row.name for row in read.variables] == ["$str", "smem"]
    assert [row.name for row in read.declared] == ["vprintf"]
    assert function.instructions[1].predicate == "!%p1"
    loc = function.instructions[2].loc
    assert loc is not None
    assert loc.inlined_at == (1, 12, 7)
    assert function.instructions[2].labels == ("$L__BB0_1",)
    printed = print_module(read)
    assert print_module(read_module(printed, artifact="p")) == printed


def test_crlf_and_nul_do_not_matter() -> None:
    text = f"{HEAD}.entry k()\n{{\nadd.s32 %r1, %r2, %r3;\nret;\n}}\n"
    plain = read_module(text, artifact="a").entries[0]
    other = read_module(text.replace("\n", "\r\n") + "\0\0", artifact="b").entries[0]
    assert normal_digest(plain) == normal_digest(other)


def test_own_name_labels_and_line_tables_are_identical() -> None:
    before = entry(
        "$L__tmp0: .loc 1 1 1\n$L__BB0_1: ld.param.u64 %rd1, [k_param_0];\n@%p1 bra $L__BB0_1;"
    )
    text = f"{HEAD}.entry other(.param .u64 other_param_0, .param .u32 other_param_1) {{ "
    text += "L: ld.param.u64 %rd1, [other_param_0]; @%p1 bra L; }"
    after = read_module(text, artifact="b").entries[0]
    assert tier(before, after) is Tier.IDENTICAL
    assert normal_digest(before) == normal_digest(after)


def test_a_label_that_moves_is_no_identity() -> None:
    before = entry("L: add.s32 %r1, %r1, 1; add.s32 %r2, %r2, 1; @%p1 bra L;")
    after = entry("add.s32 %r1, %r1, 1; L: add.s32 %r2, %r2, 1; @%p1 bra L;")
    assert tier(before, after) is Tier.REORDERED


def test_labels_belong_to_their_scope() -> None:
    body = "{ W: add.s32 %r1, %r1, 1; @%p1 bra W; } { W: sub.s32 %r1, %r1, 1; @%p1 bra W; }"
    keys = [line.key for line in listing(entry(body))]
    assert keys[1] == keys[3] == "@%p1 bra -1"
    assert tier(entry(body), entry(body.replace("{ W:", "{ V:", 1).replace("bra W", "bra V", 1)))


def test_constants_belong_to_the_code_that_reads_them() -> None:
    body = "ld.global.b8 %r1, [$str];"
    one = entry(body, before=".global .b8 $str[2] = {1, 2};\n")
    two = entry(body, before=".global .b8 $str[2] = {1, 3};\n")
    renamed = entry(body.replace("$str", "$s2"), before=".global .b8 $s2[2] = {1, 2};\n")
    assert normal_digest(one) != normal_digest(two)
    assert tier(one, renamed) is Tier.RENAMED
    assert tier(two, renamed) is Tier.REORDERED


def test_launch_directives_are_in_the_digest_and_not_in_the_tier() -> None:
    one, two = entry("ret;"), entry("ret;", directives=".reqntid 64\n")
    assert normal_digest(one) != normal_digest(two)
    assert tier(one, two) is Tier.IDENTICAL


REGISTERS = st.integers(0, 9)
ROWS = st.lists(
    st.tuples(st.sampled_from(["add.s32", "mul.f32", "xor.b32"]), REGISTERS, REGISTERS, REGISTERS),
    min_size=2,
    max_size=30,
)


def body_of(rows: list[tuple[str, int, int, int]], names: list[int]) -> str:
    lines = [f"{op} %r{names[a]}, %r{names[b]}, %r{names[c]};" for op, a, b, c in rows]
    return ".reg .b32 %r<10>;\n" + "\n".join(lines)


@settings(max_examples=50, deadline=None)
@given(ROWS, st.permutations(range(10)))
def test_renaming_registers_is_renamed(
    rows: list[tuple[str, int, int, int]], names: list[int]
) -> None:
    before, after = entry(body_of(rows, list(range(10)))), entry(body_of(rows, names))
    used = {register for row in rows for register in row[1:]}
    same = all(names[register] == register for register in used)
    assert tier(before, after) is (Tier.IDENTICAL if same else Tier.RENAMED)
    assert (normal_digest(before) == normal_digest(after)) is same


@settings(max_examples=50, deadline=None)
@given(st.permutations([f"mov.b32 %r{i}, {i * i};" for i in range(8)]))
def test_shuffling_is_reordered(lines: list[str]) -> None:
    before = entry("\n".join(sorted(lines)))
    expected = Tier.IDENTICAL if lines == sorted(lines) else Tier.REORDERED
    assert tier(before, entry("\n".join(lines))) is expected
    assert tier(before, entry("\n".join([*lines, "ret;"]))) is Tier.RECOMPOSED


@settings(max_examples=50, deadline=None)
@given(ROWS, st.data())
def test_blanks_and_comments_are_identical(
    rows: list[tuple[str, int, int, int]], data: st.DataObject
) -> None:
    blanks = st.sampled_from([" ", "\t", "\n", " // ; {\n", " /* } ; */ ", "\r\n"])
    body = body_of(rows, list(range(10)))
    after = "".join(data.draw(blanks) + ch if ch in ",;[" else ch for ch in body)
    assert tier(entry(body), entry(after)) is Tier.IDENTICAL
    assert normal_digest(entry(body)) == normal_digest(entry(after))
