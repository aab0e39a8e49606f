"""Control flow, values and what they depend on: against brute force, and on what strangers send."""

from __future__ import annotations

import random
import re
import time
from itertools import pairwise

import pytest
from tests.lint.cases import FOLDER, kernel_of, subject_of

from sassay.errors import FormatError
from sassay.isa import ptx
from sassay.lint import RULE_IDS, find_rule, graph
from sassay.lint.limits import TooLargeError
from sassay.lint.subject import Subject

HEAD = ".version 8.4\n.target sm_90\n.address_size 64\n"


def entry(body: str, params: str = ".param .u64 out, .param .u32 n") -> Subject:
    registers = ".reg .pred %p<9>; .reg .b32 %r<99>; .reg .f32 %f<99>; .reg .b64 %rd<99>;"
    return subject_of(f"{HEAD}.visible .entry k({params})\n{{\n{registers}\n{body}\n}}\n")


def reaches(targets: list[list[int]], start: int, without: int) -> set[int]:
    seen: set[int] = set()
    stack = [start] if start != without else []
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack += [each for each in targets[node] if each != without]
    return seen


@pytest.mark.parametrize("seed", range(40))
def test_dominators_are_what_removing_a_node_shows(seed: int) -> None:
    rng = random.Random(seed)
    count = rng.randrange(2, 14)
    targets = [[rng.randrange(count) for _ in range(rng.randrange(3))] for _ in range(count)]
    above = graph.dominators(targets, 0)
    tree = graph.Tree(above, 0)
    everything = reaches(targets, 0, -1)
    for below in range(count):
        if below not in everything:
            assert above[below] == -1
            continue
        expected = {n for n in everything if n == below or below not in reaches(targets, 0, n)}
        assert {n for n in range(count) if tree.dominates(n, below)} == expected
        if below:
            strict = expected - {below}
            assert above[below] in strict
            assert all(tree.dominates(n, above[below]) for n in strict)


def test_definitions_meet_where_ways_do() -> None:
    subject = entry(
        "ld.param.u32 %r1, [n];\nsetp.eq.u32 %p1, %r1, 0;\n@%p1 bra other;\nmov.u32 %r2, %tid.x;\n"
        "bra.uni join;\nother:\nmov.u32 %r2, %ctaid.y;\njoin:\nld.param.u64 %rd1, [out];\n"
        "mad.wide.u32 %rd2, %r2, 4, %rd1;\nst.global.u32 [%rd2], %r2;\nret;"
    )
    store = subject.ops[-2]
    roots = subject.dependence.roots.spell(subject.dependence.far[subject.values.address(store)])
    assert roots == ("%ctaid.y", "%tid.x", "out")
    assert subject.dependence.pointers(subject.values.address(store)) == ("out",)


def test_a_guarded_write_keeps_the_old_value() -> None:
    subject = entry(
        "mov.u32 %r1, %tid.x;\nmov.u32 %r2, %ctaid.x;\nsetp.eq.u32 %p1, %r2, 3;\n"
        "@%p1 mov.u32 %r1, %laneid;\nld.param.u64 %rd1, [out];\nmad.wide.u32 %rd2, %r1, 4, %rd1;\n"
        "st.global.u32 [%rd2], %r1;\nret;"
    )
    store = subject.ops[-2]
    roots = subject.dependence.roots.spell(subject.dependence.far[subject.values.address(store)])
    assert roots == ("%ctaid.x", "%laneid", "%tid.x", "out")


def test_an_overwritten_definition_does_not_reach() -> None:
    subject = entry(
        "mov.u32 %r1, %tid.x;\nmov.u32 %r1, %ctaid.x;\nld.param.u64 %rd1, [out];\n"
        "mad.wide.u32 %rd2, %r1, 4, %rd1;\nst.global.u32 [%rd2], 1;\nret;"
    )
    address = subject.values.address(subject.ops[-2])
    assert subject.dependence.roots.spell(subject.dependence.far[address]) == ("%ctaid.x", "out")


def test_loops_carry_what_they_change() -> None:
    subject = entry(
        "mov.u32 %r1, 0;\nmov.u32 %r3, %tid.y;\nld.param.u64 %rd1, [out];\nloop:\n"
        "mad.wide.u32 %rd2, %r1, 4, %rd1;\nst.global.u32 [%rd2], 1;\nadd.u32 %r1, %r1, %r3;\n"
        "setp.lt.u32 %p1, %r1, 100;\n@%p1 bra loop;\nret;"
    )
    address = subject.values.address(next(op for op in subject.ops if op.opcode.is_store))
    assert subject.dependence.roots.spell(subject.dependence.far[address]) == ("%tid.y", "out")
    (loop,) = subject.flow.loops
    assert loop.blocks == {subject.flow.block_of[3]}


def test_far_and_near_part_at_a_load() -> None:
    subject = entry(
        "mov.u32 %r1, %ctaid.x;\nld.param.u64 %rd1, [table];\nmad.wide.u32 %rd2, %r1, 4, %rd1;\n"
        "ld.global.u32 %r2, [%rd2];\nld.param.u64 %rd3, [out];\nmad.wide.u32 %rd4, %r2, 4, %rd3;\n"
        "st.global.u32 [%rd4], 1;\nret;",
        ".param .u64 table, .param .u64 out",
    )
    dependence = subject.dependence
    address = subject.values.address(subject.ops[-2])
    assert dependence.roots.spell(dependence.near[address]) == ("loaded:table", "out")
    assert "%ctaid.x" in dependence.roots.spell(dependence.far[address])


def test_an_indexed_branch_goes_to_every_label_of_its_list() -> None:
    subject = entry(
        "ld.param.u32 %r1, [n];\nlist: .branchtargets one, two;\nbrx.idx %r1, list;\none:\nret;\n"
        "two:\nbar.sync 0;\nret;"
    )
    assert len(subject.flow.targets[0]) == 2
    assert all(subject.runs(op) for op in subject.ops)


def lint_all(subject: Subject) -> list[str]:
    found = []
    for name in RULE_IDS:
        rule = find_rule(name)
        found += [hit.message for hit in rule.check(subject, rule.options())]
    return found


def timed(subject: Subject, seconds: float) -> set[str]:
    """What analyses say they are too large for; all rules end within the time."""
    start = time.process_time()
    refused = set()
    for name in RULE_IDS:
        rule = find_rule(name)
        try:
            list(rule.check(subject, rule.options()))
        except TooLargeError as error:
            refused.add(str(error))
    assert time.process_time() - start < seconds
    return refused


def test_fifty_thousand_instructions() -> None:
    lines = ["ld.param.u64 %rd1, [out];", "mov.u32 %r1, %tid.x;"]
    for number in range(6_250):
        lines += [
            f"setp.gt.u32 %p1, %r1, {number};", f"@%p1 bra L{number};",
            "add.u32 %r1, %r1, 3;", "mul.lo.u32 %r2, %r1, %r1;", f"L{number}:",
            "mad.wide.u32 %rd2, %r2, 4, %rd1;", "ld.global.f32 %f1, [%rd2];",
            "add.f32 %f1, %f1, %f1;", "st.global.f32 [%rd2], %f1;",
        ]  # fmt: skip
    subject = entry("\n".join([*lines, "ret;"]))
    assert len(subject.ops) == 50_003
    assert timed(subject, 20) == set()


def test_deep_nests_end() -> None:
    depth = 3_000
    lines = ["mov.u32 %r1, %tid.x;"]
    lines += [f"L{n}:\nadd.u32 %r1, %r1, 1;" for n in range(depth)]
    lines += [f"setp.gt.u32 %p1, %r1, {n};\n@%p1 bra L{n};" for n in reversed(range(depth))]
    assert timed(entry("\n".join([*lines, "ret;"])), 20) == {"branches are nested too deeply"}
    lines = ["mov.u32 %r1, %tid.x;"]
    lines += [f"setp.gt.u32 %p1, %r1, {n};\n@%p1 bra E{n};" for n in range(depth)]
    lines += [f"bar.sync 0;\nE{n}:" for n in reversed(range(depth))]
    refused = timed(entry("\n".join([*lines, "ret;"])), 20)
    assert refused == {"too many branches depend on the thread"}


def test_a_future_version_reads_as_far_as_it_is_like_todays() -> None:
    text = (
        ".version 12.3\n.target sm_150a\n.address_size 64\n.visible .entry k(.param .u64 out)\n{\n"
        ".reg .b32 %r<9>;\n.reg .b64 %rd<9>;\nld.param.u64 %rd1, [out];\n"
        "quantum.entangle.sync.b32 %r1, %r2, {%r3, %r4}, [%rd1], 7;\n"
        "ld.global.v16.e1m0.teleport %r5, [%rd1];\nst.global.u32 [%rd1], %r1;\nret;\n}\n"
    )
    assert lint_all(subject_of(text)) is not None


def test_code_that_control_never_reaches_and_labels_that_are_not_there() -> None:
    subject = entry("bra nowhere;\nbar.sync 0;\nst.global.u32 [%rd9], %r8;\nret;")
    assert lint_all(subject) == []
    assert lint_all(entry("L: bra L;")) == []
    assert lint_all(entry("ret;")) == []
    assert lint_all(entry("")) == []


def test_lines_without_a_table_have_no_place() -> None:
    body = ".loc 9 12 3\nst.global.u32 [%rd1], 1;\n.loc 1 0 0\nst.global.u32 [%rd1+4], 1;\nret;"
    subject = entry(body)
    assert [subject.location(op) for op in subject.ops] == [None, None, None]


def test_scopes_have_registers_of_their_own() -> None:
    subject = entry(
        "mov.u32 %r1, %tid.x;\n{\n.reg .b32 %r1;\nmov.u32 %r1, 7;\n}\n"
        "ld.param.u64 %rd1, [out];\nmad.wide.u32 %rd2, %r1, 4, %rd1;\n"
        "st.global.u32 [%rd2], 1;\nret;"
    )
    address = subject.values.address(subject.ops[-2])
    assert "%tid.x" in subject.dependence.roots.spell(subject.dependence.far[address])


def test_equal_text_gives_equal_answers() -> None:
    text = "mov.u32 %r1, %tid.x;\n@%p1 bar.sync 0;\nst.global.u32 [%rd1], %r1;\nret;"
    first, second = entry(text), entry(text)
    for one, other in pairwise([lint_all(first), lint_all(second), lint_all(entry(text))]):
        assert one == other
    assert kernel_of(ptx.read_module(HEAD + ".entry k(){ret;}", artifact="t").entries[0]).id


@pytest.mark.parametrize("seed", range(6))
def test_nonsense_ends_in_one_line_or_an_answer(seed: int) -> None:
    """Instructions of the cases with words taken out, doubled and swapped."""
    rng = random.Random(seed)
    texts = [path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.ptx"))]
    strange = ["", "_", "%p1|%p2", "[]", "{", "99999999999999999999", "@%p1", "%clock", "bfe.s32"]
    judged = 0
    refused: list[str] = []
    for _ in range(40):
        words = re.split(r"(\s+|[,;\[\]{}()])", rng.choice(texts))
        for _ in range(rng.randrange(1, 4)):
            words[rng.randrange(len(words))] = rng.choice([*strange, rng.choice(words)])
        try:
            module = ptx.read_module("".join(words), artifact="nonsense")
            for function in module.entries:
                subject = Subject(kernel_of(function), function)
                subject.before = Subject(kernel_of(function), function)
                assert lint_all(subject) is not None
                judged += 1
        except FormatError as error:
            refused.append(str(error))
    assert all("\n" not in line for line in refused)
    assert judged
