"""Libraries of a release: every kernel counts where it lies, and every figure adds up."""

from __future__ import annotations

from tests.diff.builders import NoCode, kernel, state

from sassay.diff import DiffOptions, compare, coverage
from sassay.isa.sass import Disassembler
from sassay.model.library import LibraryReport

NOBODY = Disassembler(None, ())
ATTENTION = "pkg/attention.so!fatbin.{}"
OPS = "pkg/ops.so!fatbin.{}"


def _report() -> LibraryReport:
    before = state(
        "before",
        [
            kernel("same", arch="sm_80", place=[ATTENTION.format(0), OPS.format(4)]),
            kernel("grows", arch="sm_80", place=OPS.format(0), sass={"FADD": 4, "EXIT": 1}),
            kernel("goes", arch="sm_90a", place=OPS.format(1), sass={"FMUL": 9}),
            kernel("loose", arch="sm_80", place="loose.cubin"),
        ],
    )
    after = state(
        "after",
        [
            kernel("same", arch="sm_80", place=[ATTENTION.format(0), OPS.format(4)]),
            kernel("grows", arch="sm_80", place=OPS.format(7), sass={"FADD": 90, "EXIT": 1}),
            kernel("comes", arch="sm_90a", place=ATTENTION.format(2), sass={"FADD": 2}),
            kernel("loose", arch="sm_80", place="loose.cubin"),
        ],
    )
    return compare([before, after], NoCode(), NOBODY, DiffOptions()).libraries


def test_every_kernel_counts_where_it_lies() -> None:
    rows = {
        (row.library, row.arch): (
            row.kernels,
            row.unchanged,
            dict(row.tiers),
            row.added,
            row.removed,
        )
        for row in _report().libraries
    }
    assert rows == {
        ("pkg/attention.so", "sm_80"): ((1, 1), 1, {}, 0, 0),
        ("pkg/attention.so", "sm_90a"): ((0, 1), 0, {}, 1, 0),
        ("pkg/ops.so", "sm_80"): ((2, 2), 1, {"recomposed": 1}, 0, 0),
        ("pkg/ops.so", "sm_90a"): ((1, 0), 0, {}, 0, 1),
    }
    for row in _report().libraries:
        assert row.kernels[0] == row.unchanged + row.changed + row.removed
        assert row.kernels[1] == row.unchanged + row.changed + row.added


def test_movers_go_by_the_bytes_that_they_moved() -> None:
    movers = _report().movers
    assert [mover.family for mover in movers] == ["grows", "goes", "comes"]
    moved = [abs(mover.code_bytes[1] - mover.code_bytes[0]) for mover in movers]
    assert moved == sorted(moved, reverse=True)
    assert (movers[0].tier, movers[0].changed) == ("recomposed", 1)


def test_states_without_a_library_have_no_such_report() -> None:
    states = [state("a", [kernel("f")]), state("b", [kernel("g")])]
    assert compare(states, NoCode(), NOBODY, DiffOptions()).libraries == LibraryReport()


def test_every_family_stands_in_one_pattern() -> None:
    kernels = [
        kernel("both", arch="sm_80"),
        kernel("both", arch="sm_90a"),
        kernel("too", arch="sm_90a"),
        kernel("too", arch="sm_80"),
        kernel("old", arch="sm_80"),
        kernel("old", arch="compute_80", ptx={"add.f32": 1}),
    ]
    found = coverage(kernels)
    assert (found.archs, found.ptx) == (("sm_80", "sm_90a"), ("compute_80",))
    assert [(item.families, item.archs, item.ptx) for item in found.patterns] == [
        (("both", "too"), ("sm_80", "sm_90a"), ()),
        (("old",), ("sm_80",), ("compute_80",)),
    ]
    assert found.patterns[0].kernels == {"sm_80": 2, "sm_90a": 2}
