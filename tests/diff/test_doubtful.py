from __future__ import annotations

from tests.diff.builders import kernel, state

from sassay.diff.doubtful import doubtful
from sassay.model.state import Diagnostic, Level, State


def failed(family: str | None, arch: str = "sm_90a", level: Level = Level.ERROR) -> Diagnostic:
    return Diagnostic(level, "k.py: line 1", f"{family} broke", arch=arch, family=family)


def said(*states: State) -> list[tuple[str, tuple[str, ...]]]:
    return [(note.field, note.values) for note in doubtful(states)]


def test_a_family_that_failed_to_compile_is_not_taken_for_removed() -> None:
    before = state("a", [kernel("norm"), kernel("topk@moe.py"), kernel("kept")])
    after = state("b", [kernel("kept")], diagnostics=[failed("norm"), failed("topk")])
    assert said(before, after) == [("failed", ("nothing", "norm, topk"))]
    assert said(after, before) == [("failed", ("norm, topk", "nothing"))]


def test_what_failed_on_both_sides_or_elsewhere_is_not_told() -> None:
    before = state("a", [kernel("kept")], diagnostics=[failed("norm")])
    after = state("b", [kernel("kept")], diagnostics=[failed("norm"), failed(None)])
    assert said(before, after) == []
    other = state("b", [], diagnostics=[failed("kept", "sm_80"), failed("kept", level=Level.NOTE)])
    assert said(before, other) == []
    # Another variant of the family compiled: it is there.
    partly = state("b", [kernel("kept")], diagnostics=[failed("kept")])
    assert said(before, partly) == []


def test_equal_code_under_another_name_is_a_rename() -> None:
    before = state("a", [kernel("_hc_combine", code="1"), kernel("twin", code="2")])
    after = state("b", [kernel("_mhc_combine", code="1"), kernel("grown", code="2")])
    fields = said(before, after)
    assert fields == [("renamed", ("_hc_combine, twin", "_mhc_combine, grown"))]
    assert said(after, before) == [("renamed", ("_mhc_combine, grown", "_hc_combine, twin"))]


def test_a_rename_needs_all_the_code_and_both_names_gone_and_come() -> None:
    before = state("a", [kernel("f", code="1"), kernel("f", code="2", arch="sm_80")])
    less = state("b", [kernel("g", code="1")])
    assert said(before, less) == []
    both = state("b", [kernel("f", code="1"), kernel("g", code="1")])
    assert said(state("a", [kernel("f", code="1")]), both) == []
    two = state("b", [kernel("g", code="1"), kernel("h", code="1")])
    assert said(state("a", [kernel("f", code="1")]), two) == [("renamed", ("f", "g"))]
