"""What contracts ask beside equality: roles of buffers, races, how far values can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sassay.errors import ContractError
from sassay.machine.parity import Chooser, KernelCode, Sides, check_contracts, load_contracts

if TYPE_CHECKING:
    from pathlib import Path

    from sassay.model.parity import ContractResult

_ENTRY = """\
.visible .entry {name}(.param .u64 x, .param .u64 out)
{{
    .reg .pred %p<4>;
    .reg .b32 %r<12>;
    .reg .b64 %d<8>;
    ld.param.u64 %d1, [x];
    ld.param.u64 %d2, [out];
    mov.u32 %r1, %ctaid.x;
    mov.u32 %r2, %tid.x;
    mad.lo.s32 %r3, %r1, 32, %r2;
    mul.wide.u32 %d3, %r3, 4;
    add.s64 %d4, %d1, %d3;
    add.s64 %d5, %d2, %d3;
    setp.eq.u32 %p1, %r2, 0;
    ld.global.f32 %r5, [%d4];
    {body}
    ret;
}}
"""
_BODIES = {
    "copy": "st.global.f32 [%d5], %r5;",
    "adds": "ld.global.f32 %r6, [%d5]; add.rn.f32 %r6, %r6, %r5; st.global.f32 [%d5], %r6;",
    "scribbles": "st.global.f32 [%d4], %r5; st.global.f32 [%d5], %r5;",
    "races": "st.global.f32 [%d5], %r5; st.global.f32 [%d2], %r5; @%p1 st.global.f32 [%d5], %r5;",
    "agrees": "st.global.f32 [%d5], %r5; mov.b32 %r6, 0; st.global.f32 [%d2+512], %r6;",
    "sine": "sin.approx.f32 %r6, %r5; st.global.f32 [%d5], %r6;",
    "power": "ex2.approx.ftz.f32 %r6, %r5; st.global.f32 [%d5], %r6;",
    "chosen_by_sine": "sin.approx.f32 %r6, %r5; setp.gt.f32 %p2, %r6, 0f00000000;"
    "selp.b32 %r6, 1, 0, %p2; st.global.u32 [%d5], %r6;",
}
_ENTRIES = "".join(_ENTRY.format(name=name, body=body) for name, body in _BODIES.items())
_TARGETS = {"sine": 80, "chosen_by_sine": 80}
"""An H100's approximations are known bit for bit, those of other GPUs are not."""
_SHAPES = {"agrees": 256}


def _judge(
    folder: Path, kernel: str, *, x: str = "", out: str = "", more: str = 'claim = "bitwise"'
) -> ContractResult:
    size = _SHAPES.get(kernel, 64)
    text = f"""
from = "m.ptx"
[[contract]]
name = "c"
{more}
inputs = ["normal", "wide"]
[contract.buffers]
x = {{ type = "fp32", shape = [64]{x} }}
out = {{ type = "fp32", shape = [{size}]{out} }}
[contract.left]
kernel = "{kernel}"
grid = [2]
block = [32]
[contract.right]
kernel = "{kernel}"
grid = [2]
block = [32]
"""
    file = folder / "c.toml"
    file.write_text(text)
    target = f"sm_{_TARGETS.get(kernel, 90)}"
    module = f".version 8.0\n.target {target}\n.address_size 64\n{_ENTRIES}"
    codes = [KernelCode(name, (name,), target, module, "m.ptx") for name in _BODIES]
    (found,) = check_contracts(
        load_contracts(file), Sides(Chooser(lambda _origin, _names: codes))
    ).contracts
    return found


def test_an_output_holds_nothing_unless_the_contract_says_so(tmp_path: Path) -> None:
    assert _judge(tmp_path, "copy").outcome == "holds"
    broken = _judge(tmp_path, "adds")
    assert broken.outcome == "broken"
    why = broken.cases[0].why
    assert "adds: uninitialised: a read of byte 0 of out, which nobody wrote" in why
    assert 'role = "inout"' in why
    for content in (', role = "inout"', ', fill = "zeros"'):
        assert _judge(tmp_path, "adds", out=content).outcome == "holds"
    said = _judge(tmp_path, "adds", out=', role = "out"').cases[0].why
    assert "which nobody wrote" in said
    assert "inout" not in said


def test_identical_looks_as_closely(tmp_path: Path) -> None:
    assert _judge(tmp_path, "adds", more='claim = "identical"').outcome == "broken"
    assert _judge(tmp_path, "races", more='claim = "identical"').outcome == "broken"


def test_nobody_may_write_what_is_only_in(tmp_path: Path) -> None:
    free = _judge(tmp_path, "scribbles", x=', role = "inout"')
    assert free.outcome == "holds"
    broken = _judge(tmp_path, "scribbles", x=', role = "in"')
    assert 'scribbles writes x, whose role is "in"' in broken.cases[0].why


def test_a_race_breaks_a_contract_and_names_both_accesses(tmp_path: Path) -> None:
    found = _judge(tmp_path, "races")
    assert found.outcome == "broken"
    case = found.cases[0]
    assert case.why == "threads of the left side race for out"
    race = case.races[0]
    assert (race.kind, race.side, race.kernel, race.buffer) == ("race", "left", "races", "out")
    assert race.first.does == race.second.does == "writes"
    assert (race.first.block, race.first.thread) != (race.second.block, race.second.thread)
    assert race.first.instruction.startswith("st.global.f32")
    off = _judge(tmp_path, "races", more='claim = "bitwise"\nraces = "off"')
    assert (off.outcome, off.cases[0].races) == ("holds", ())


def test_writes_of_one_value_are_listed_where_all_races_are_asked_for(tmp_path: Path) -> None:
    quiet = _judge(tmp_path, "agrees", out=', role = "out"')
    assert (quiet.outcome, quiet.cases[0].races) == ("holds", ())
    found = _judge(
        tmp_path, "agrees", out=', role = "out"', more='claim = "bitwise"\nraces = "all"'
    )
    assert found.outcome == "holds"
    assert {each.kind for each in found.cases[0].races} == {"same-value"}


@pytest.mark.parametrize(
    ("kernel", "label"),
    [("copy", "exact"), ("power", "modelled"), ("chosen_by_sine", "approximate")],
)
def test_each_output_has_a_label_and_the_verdict_its_worth(
    kernel: str, label: str, tmp_path: Path
) -> None:
    found = _judge(tmp_path, kernel)
    assert (found.outcome, found.labels) == ("holds", {"out": label})
    assert all(case.labels == {"out": label} for case in found.cases)
    assert {"exact": "IEEE 754 decides", "modelled": "models", "approximate": "little for out"}[
        label
    ] in found.worth
    assert set(found.forms.values()) <= {label}


def test_a_contract_may_require_a_label(tmp_path: Path) -> None:
    exact = 'claim = "bitwise"\nlabel = "exact"'
    modelled = 'claim = "close"\nulp = 1\nlabel = "modelled"'
    assert _judge(tmp_path, "copy", more=exact).outcome == "holds"
    assert _judge(tmp_path, "power", more=modelled).outcome == "holds"
    for kernel, more in (("power", exact), ("sine", modelled)):
        found = _judge(tmp_path, kernel, more=more)
        assert found.outcome == "broken"
        assert "the values agree, but out is" in found.cases[0].why
        assert f"{_BODIES[kernel].split()[0]}" in found.cases[0].why
    with pytest.raises(ContractError, match="label: `identical` compares expressions"):
        _judge(tmp_path, "copy", more='claim = "identical"\nlabel = "exact"')


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (', role = "both"', "unknown role 'both'"),
        (', role = "out", fill = "zeros"', "`out` holds nothing"),
        (', role = "in", fill = "poison"', "`in` holds something"),
    ],
)
def test_roles_that_do_not_fit_are_refused(out: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=message):
        _judge(tmp_path, "copy", out=out)
