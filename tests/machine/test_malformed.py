"""Instructions that no form has: refused by name, whatever is wrong with them; bugs stay bugs."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.machine.harness import entry

from sassay.errors import SassayError
from sassay.machine import UnsupportedInstruction, load_program, lower
from sassay.machine.operands import split

_CORPUS = Path(__file__).parent / "corpus"
_FORMS = """
bar.red.popc.u32 %r1, 0, %p1;
bar.red.and.pred %p1, 1, 64, %p2;
bar.sync 0;
bar.arrive 1, 64;
barrier.sync.aligned 0;
bar.warp.sync -1;
mbarrier.init.shared::cta.b64 [%r1], 1;
mbarrier.inval.shared.b64 [%r1];
mbarrier.arrive.shared::cta.b64 _, [%r1];
mbarrier.arrive.shared::cta.b64 %d1, [%r1], 2;
mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r1], 128;
mbarrier.expect_tx.relaxed.cta.shared.b64 [%r1], 128;
mbarrier.test_wait.parity.shared.b64 %p1, [%r1], %r2;
mbarrier.try_wait.shared.b64 %p1, [%r1], %d2;
cp.async.ca.shared.global [%r1], [%d1], 16;
cp.async.cg.shared.global [%r1], [%d1], 16, %r2;
cp.async.commit_group;
cp.async.wait_group 0;
cp.async.wait_all;
cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%d1], %r2, [%r3];
cp.async.bulk.global.shared::cta.bulk_group [%d1], [%r1], %r2;
cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%d1, {%r2, %r3}], [%r4];
cp.async.bulk.commit_group;
cp.async.bulk.wait_group.read 0;
tensormap.replace.tile.rank.shared::cta.b1024.b32 [%r1], 1;
tensormap.replace.tile.box_dim.shared::cta.b1024.b32 [%r1], 0, 64;
shfl.sync.bfly.b32 %r1|%p1, %r2, 1, 31, -1;
vote.sync.ballot.b32 %r1, %p1, -1;
match.any.sync.b32 %r1, %r2, -1;
redux.sync.add.s32 %r1, %r2, -1;
elect.sync %r1|%p1, -1;
activemask.b32 %r1;
createpolicy.fractional.L2::evict_first.b64 %d1, 1.0;
isspacep.shared %p1, %d1;
atom.global.cas.b32 %r1, [%d1], %r2, %r3;
red.shared.add.u32 [%r1], 1;
prmt.b32 %r1, %r2, %r3, 0x5410;
lop3.b32 %r1, %r2, %r3, %r4, 0x96;
bfe.u32 %r1, %r2, 3, 4;
shf.l.wrap.b32 %r1, %r2, %r3, 5;
setp.lt.and.f32 %p1|%p2, %r1, %r2, %p3;
slct.f32.s32 %r1, %r2, %r3, %r4;
mad.wide.u32 %d1, %r1, 4, %d2;
dp4a.u32.u32 %r1, %r2, %r3, %r4;
cvt.rn.bf16x2.f32 %r1, %r2, %r3;
testp.infinite.f32 %p1, %r1;
trap;
ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r1,%r2,%r3,%r4}, [%r5];
stmatrix.sync.aligned.m8n8.x1.shared.b16 [%r5], {%r1};
add.cc.u32 %r1, %r2, %r3;
bfind.u32 %r1, %r2;
call (%r1), f, (%r2);
"""
_LONG = (
    (
        "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes "
        "[%r1], [%d1, {%r2, %r3}], [%r4];"
    ),
    (
        "tensormap.cp_fenceproxy.global.shared::cta.tensormap::generic.release.gpu.sync.aligned "
        "[%d1], [%r1], 128;"
    ),
    (
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%r1,%r2,%r3,%r4}, {%r5,%r6,%r7,%r8}, {%r9,%r10}, {%r1,%r2,%r3,%r4};"
    ),
)
_OPERANDS = [
    "5",
    "-1",
    "0f3F800000",
    "_",
    "nosuch",
    "%r1",
    "!%p1",
    "%d1",
    "{%r1,%r2}",
    "{}",
    "[%d1]",
    "[%d1+4]",
    "[tile]",
    "(%r1)",
    "%p1|%p2",
    "[tile,{%r1}]",
]
_MODIFIERS = [
    "sync",
    "u32",
    "f32",
    "b64",
    "b128",
    "pred",
    "wide",
    "rn",
    "v4",
    "shared",
    "global",
    "bf16x2",
    "e4m3x2",
    "nosuch",
]


def _lines() -> list[str]:
    found = [*_LONG, *(each.strip() for each in _FORMS.splitlines() if each.strip())]
    for file in sorted(_CORPUS.glob("*.ptx")):
        for line in file.read_text(encoding="utf-8").splitlines():
            text = line.strip()
            if text.endswith(";") and text[0].isalpha() and not text.startswith(("bra", "ret")):
                found.append(text)
    return sorted(set(found))


def _spoil(text: str, rng: random.Random) -> str:
    opcode, _, rest = text.rstrip(";").partition(" ")
    operands, words = split(rest), opcode.split(".")
    what = rng.randrange(8)
    if what == 0 and operands:
        operands.pop(rng.randrange(len(operands)))
    elif what == 1:
        operands = []
    elif what == 2 and operands:
        operands[rng.randrange(len(operands))] = rng.choice(_OPERANDS)
    elif what == 3:
        operands.append(rng.choice(_OPERANDS))
    elif what == 4:
        del words[rng.randrange(1, len(words) + 1) :]
    elif what == 5:
        words.insert(rng.randrange(1, len(words) + 1), rng.choice(_MODIFIERS))
    elif what == 6:
        words[rng.randrange(len(words))] = rng.choice(_MODIFIERS)
    elif operands:
        operands = [rng.choice(operands)] * rng.randrange(1, 8)
    return f"{'.'.join(words)} {', '.join(operands)};"


def test_malformed_instructions_are_refused_and_never_crash() -> None:
    rng = random.Random(4)
    before = ".shared .align 128 .b8 tile[1024];\n"
    refused = 0
    for text in _lines() * 6:
        spoiled = _spoil(text, rng)
        try:
            load_program(entry(f"{spoiled}\nret;", [".u64 p0"], before=before))
        except SassayError:
            refused += 1
    assert refused > 500


@pytest.mark.parametrize(
    "text",
    ["mov.b64 %d1, {};", "ld.global.u32;", "mul.wide.pred %d1, %r1, 4;", "bar.red.popc.u32;"],
)
def test_the_refusal_names_the_instruction_and_its_line(text: str) -> None:
    with pytest.raises(UnsupportedInstruction) as caught:
        load_program(entry(text + " ret;"))
    assert text.split(maxsplit=1)[0].rstrip(";").split(".")[0] in str(caught.value)
    assert caught.value.forms[0][2] == 11


def test_a_bug_of_the_machine_is_not_called_a_malformed_instruction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wrong(*_arguments: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setitem(lower._PLAIN, "mov", wrong)
    with pytest.raises(KeyError, match="a bug"):
        load_program(entry("mov.u32 %r1, 5; ret;"))
