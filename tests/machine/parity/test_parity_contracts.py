"""Parity contracts over PTX of our own: what holds, what is broken and where, what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sassay.errors import ContractError, SassayError
from sassay.machine.parity import Chooser, KernelCode, Sides, check_contracts, load_contracts
from sassay.machine.parity.arithmetic import value_of
from sassay.machine.parity.fill import POISON, floats, random_of
from sassay.machine.parity.formats import FORMATS, ulps, values_of, words_of
from sassay.model.finding import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from sassay.machine.parity.execute import Reference
    from sassay.model.parity import ContractResult, ParityReport

HEAD = """\
.version 8.0
.target sm_80
.address_size 64
"""
ENTRY = """\
.visible .entry {name}(.param .u64 x, .param .u64 y, .param .u32 n)
{{
    .reg .pred %p<2>;
    .reg .b32 %r<12>;
    .reg .b64 %d<8>;
    ld.param.u64 %d1, [x];
    ld.param.u64 %d2, [y];
    ld.param.u32 %r1, [n];
    mov.u32 %r2, %tid.x;
    setp.ge.u32 %p1, %r2, %r1;
    @%p1 ret;
    mov.u32 %r3, %ctaid.x;
    mad.lo.s32 %r4, %r3, %r1, %r2;
    mul.wide.u32 %d3, %r4, 4;
    add.s64 %d4, %d1, %d3;
    add.s64 %d5, %d2, %d3;
    ld.global.f32 %r5, [%d4];
    {body}
    st.global.f32 [%d5], %r6;
    ret;
}}
"""
BODIES = {
    "one": "mul.rn.f32 %r7, %r5, %r5;\n add.rn.f32 %r6, %r7, %r5;",
    "many_one": "mul.rn.f32 %r7, %r5, %r5;\n add.rn.f32 %r6, %r5, %r7;",
    "fused": "fma.rn.f32 %r6, %r5, %r5, %r5;",
    "other": "ld.global.f32 %r8, [%d1];\n mul.rn.f32 %r7, %r5, %r8;\n add.rn.f32 %r6, %r7, %r5;",
    "wild": "ld.global.f32 %r6, [%d4+65536];",
    "chooses": "setp.gt.f32 %p1, %r5, 0f00000000;\n mov.b32 %r6, %r5;\n@%p1 bra out;\n"
    "neg.f32 %r6, %r5;\nout:",
}
MODULE = HEAD + "".join(ENTRY.format(name=name, body=body) for name, body in BODIES.items())
CONTRACT = """\
from = "m.ptx"
[[contract]]
name = "c"
claim = "{claim}"
dims = {{ M = [0, 1, 3], n = [5, 64] }}
{more}
[contract.buffers]
x = {{ type = "fp32", shape = ["M", "n"] }}
y = {{ type = "fp32", shape = ["M", "n"], fill = "poison" }}
[contract.left]
kernel = "one"
each = {{ row = "M" }}
block = [64]
arguments = ["x[row]", "y[row]", "n"]
[contract.right]
kernel = "{right}"
grid = ["M"]
block = [64]
arguments = ["x", "y", "n"]
"""


def code(name: str) -> KernelCode:
    """One entry of the module."""
    return KernelCode(name, (name,), "sm_80", MODULE, "m.ptx")


def judge(text: str, folder: Path, **references: Reference) -> ParityReport:
    """What a contract file comes to."""
    path = folder / "contracts.toml"
    path.write_text(text)
    sides = Sides(Chooser(lambda *_: [code(name) for name in BODIES]), references)
    return check_contracts(load_contracts(path), sides)


@pytest.mark.parametrize("claim", ["identical", "bitwise"])
def test_the_same_computation_in_one_launch_and_in_many(claim: str, tmp_path: Path) -> None:
    report = judge(CONTRACT.format(claim=claim, right="many_one", more=""), tmp_path)
    (contract,) = report.contracts
    assert report.verdict is Verdict.PASS
    assert contract.outcome == "holds"
    fillings = 1 if claim == "identical" else 4
    assert len(contract.cases) == 6 * fillings
    assert sum(case.compared for case in contract.cases) == (1 + 3) * (5 + 64) * fillings


def test_identical_is_about_all_inputs_and_says_where_they_part(tmp_path: Path) -> None:
    report = judge(CONTRACT.format(claim="identical", right="fused", more=""), tmp_path)
    broken = [case for case in report.contracts[0].cases if case.outcome == "broken"]
    assert report.verdict is Verdict.FAIL
    assert [case.case for case in report.contracts[0].cases if case.outcome == "holds"] == [
        "M=0, n=5",
        "M=0, n=64",
    ]
    found = broken[0].mismatch
    assert found is not None
    assert (found.buffer, found.index, found.count) == ("y", (0, 0), 5)
    assert found.parting is not None
    assert found.parting.left == "add.rn.f32(mul.rn.f32(x[0, 0], x[0, 0]), x[0, 0])"
    assert found.parting.right == "fma.rn.f32(x[0, 0], x[0, 0], x[0, 0])"
    assert found.parting.right_place.startswith("line ")


def test_bitwise_names_the_first_element_and_the_input_that_parts(tmp_path: Path) -> None:
    text = CONTRACT.format(claim="bitwise", right="other", more='inputs = ["normal"]')
    (contract,) = judge(text, tmp_path).contracts
    case = next(each for each in contract.cases if each.case.startswith("M=1, n=5"))
    assert case.mismatch is not None
    assert case.mismatch.index == (0, 1)  # element 0 is its own neighbour
    assert case.mismatch.parting is not None
    assert (case.mismatch.parting.left, case.mismatch.parting.right) == ("x[0, 1]", "x[0, 0]")


def test_close_bounds_the_distance(tmp_path: Path) -> None:
    def contract(bound: str) -> ContractResult:
        more = f'inputs = ["normal"]\n{bound}'
        return judge(CONTRACT.format(claim="close", right="fused", more=more), tmp_path).contracts[
            0
        ]

    assert contract("absolute = 1e-6").outcome == "holds"
    broken = contract("ulp = 0")
    assert broken.outcome == "broken"
    assert any(case.worst.endswith(" ulp") for case in broken.cases)


def test_a_trap_breaks_a_contract(tmp_path: Path) -> None:
    text = CONTRACT.format(claim="bitwise", right="wild", more='inputs = ["normal"]')
    case = judge(text, tmp_path).contracts[0].cases[-1]
    assert case.outcome == "broken"
    assert "the right side trapped: wild: out-of-bounds" in case.why


def test_a_python_reference_runs_only_where_it_is_given(tmp_path: Path) -> None:
    text = CONTRACT.format(claim="bitwise", right="many_one", more='inputs = ["normal"]')
    head, _, tail = text.partition("[contract.left]")
    text = (
        f'{head}[contract.left]\npython = "r.py:square"\n{tail[tail.index("[contract.right]") :]}'
    )

    def square(x: np.ndarray, **_: object) -> dict[str, np.ndarray]:
        return {"y": x * x + x}

    refused = judge(text, tmp_path)
    assert refused.verdict is Verdict.UNKNOWN
    assert "--run-python" in refused.contracts[0].cases[0].why
    assert judge(text, tmp_path, **{"r.py:square": square}).verdict is Verdict.PASS


def test_pairs_by_a_pattern(tmp_path: Path) -> None:
    text = CONTRACT.format(claim="identical", right="many_*", more="pairs = true")
    report = judge(text.replace('kernel = "one"', 'kernel = "*"'), tmp_path)
    assert [each.contract for each in report.contracts] == ["c[one]"]
    assert report.verdict is Verdict.PASS


def test_a_claim_about_nothing_is_unknown(tmp_path: Path) -> None:
    text = CONTRACT.format(claim="bitwise", right="many_one", more="")
    report = judge(text.replace('"x[row]", "y[row]", "n"', '"x[row]", "x[row]", 0').replace(
        '["x", "y", "n"]', '["x", "y", 0]'), tmp_path)  # fmt: skip
    case = report.contracts[0].cases[-1]
    assert (case.outcome, report.verdict) == ("unknown", Verdict.UNKNOWN)
    assert "neither side changed" in case.why


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ('claim = "identical"', 'claim = "identcal"', "line 4, contract[0].claim", "'identical'"),
        ('grid = ["M"]', 'gird = ["M"]', "line 17, contract[0].right.gird", "'grid'"),
        ('["x", "y", "n"]', '["x", "z", "n"]', "line 19", "unknown name 'z'"),
        ('["M", "n"] }', '["M", "q"] }', "line 8, contract[0].buffers.x.shape", "dimension 'q'"),
        ('"fp32", shape', '"fp33", shape', "contract[0].buffers.x.type", "'fp32'"),
        ('each = { row = "M" }', "each = { row = [] }", "line 12", "whole-number expression"),
        ('"y[row]"', '"y[row.imag]"', "line 14", "not allowed"),
        ('name = "c"', 'name = "c"\nulp = 2', "contract[0].ulp", "takes no bound"),
        ("[[contract]]", "[[contracts]]", "contracts", "unknown key"),
        ('from = "m.ptx"', "from = 3", "line 1, from", "has to be a text"),
    ],
)
def test_a_wrong_file_is_refused_by_line_and_key(
    old: str, new: str, place: str, words: str, tmp_path: Path
) -> None:
    text = CONTRACT.format(claim="identical", right="many_one", more="")
    assert old in text
    (tmp_path / "contracts.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(ContractError) as raised:
        load_contracts(tmp_path / "contracts.toml")
    assert "contracts.toml" in str(raised.value)
    assert place in str(raised.value)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    "text", ["__import__('os')", "M ** 99999", "x.y", "lambda: 1", "'a' * 9", "1 // 0", "9" * 300]
)
def test_expressions_are_whole_numbers_and_nothing_else(text: str) -> None:
    with pytest.raises(SassayError):
        value_of(text, {"M": 3, "x": 1})


def test_expressions() -> None:
    assert value_of("ceil(M / 4) + max(M, 2) * -1 % 5 + cdiv(9, 2)", {"M": 9}) == 3 + 1 + 5


@pytest.mark.parametrize("name", ["bf16", "fp16", "fp32", "fp64", "fp8e4nv", "fp8e5"])
def test_words_of_a_type(name: str) -> None:
    form = FORMATS[name]
    words = floats(random_of("t"), form, (4096,), "specials")
    values = values_of(words, form)
    assert np.isnan(values).any()
    assert np.isinf(values).any() == (name != "fp8e4nv")
    assert (values == 0).any()
    tiny = np.nanmin(np.abs(values[values != 0]))
    assert tiny == 2.0 ** (2 - 2 ** (form.exponent - 1) - form.mantissa)
    back = words_of(values, form)
    same = np.isnan(values) | (back == words) | (np.isinf(values) & (name == "fp8e5"))
    assert same.all()
    one = words_of(np.array([1.0]), form)
    after = (one.view(f"u{form.dtype.itemsize}") + 1).astype(f"u{form.dtype.itemsize}")
    assert ulps(one, after.view(form.dtype), form).tolist() == [1.0]
    assert np.unique(words_of(np.zeros(1), form)).tolist() == [0]
    assert POISON == 0xA5
