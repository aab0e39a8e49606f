from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from tests.report import samples
from tests.report.cases import cases

from sassay.model.state import Diagnostic, Level
from sassay.report.digest import kinds, quiet_notes
from sassay.report.entries import entries, ranked, spell_archs
from sassay.report.select import moved_families, moved_resources, status_word, status_words
from sassay.report.story import story

if TYPE_CHECKING:
    from sassay.model.change import Diff

ARCHS = ("sm_80", "sm_90", "sm_100", "sm_120")


def _wheels(*, lost: str | None = None) -> Diff:
    """A family that changed alike on four architectures, and one that did on one alone."""
    before = [samples.kernel("gemm", {"FFMA": 8, "FADD": 2}, arch=arch) for arch in ARCHS]
    after = [samples.kernel("gemm", {"FFMA": 12, "FADD": 2}, arch=arch) for arch in ARCHS]
    before.append(samples.kernel("norm", {"FMUL": 4}, arch="sm_90"))
    after.append(samples.kernel("norm", {"FMUL": 2}, arch="sm_90"))
    after = [one for one in after if one.arch != lost]
    return samples.compare(samples.state("a", before), samples.state("b", after))


def test_equal_architectures_are_one_entry_with_their_sums() -> None:
    diff = _wheels()
    items = {item.row.family: item for item in entries(diff, diff.families)}
    assert set(items["gemm"].archs) == set(ARCHS)
    assert items["gemm"].row.kernels == (4, 4)
    assert items["gemm"].row.instructions.sass == (40, 56)
    assert items["gemm"].row.per_kernel.sass == (10.0, 14.0)
    assert items["gemm"].row.opcodes.sass == {"FADD": (8, 8), "FFMA": (32, 48)}
    assert len(items["gemm"].changes) == 4
    assert items["norm"].archs == ("sm_90",)
    scores = [item.score for item in ranked(items.values())]
    assert scores == sorted(scores, reverse=True)


def test_architectures_are_listed_or_spanned() -> None:
    assert spell_archs(("sm_80", "sm_90")) == "sm_80, sm_90"
    assert spell_archs(ARCHS) == "sm_80 to sm_120 (4)"
    assert spell_archs(ARCHS, 4) == "all 4 architectures"


def test_a_chapter_names_what_moved_and_where() -> None:
    (chapter,) = story(_wheels())
    assert chapter.kernels == "5 kernels compared: 0 unchanged, 5 changed"
    ((status, families),) = chapter.families
    assert status == "changed"
    assert {one.text for one in families} == {
        "gemm (4 kernels on all 4 architectures)", "norm (on sm_90)"
    }  # fmt: skip


def test_an_architecture_of_one_state_alone_is_no_family_that_went() -> None:
    diff = _wheels(lost="sm_120")
    (chapter,) = story(diff)
    assert chapter.built == ("only a is built for sm_120: 1 kernel of 1 family",)
    assert [status for status, _ in chapter.families] == ["changed"]
    assert "sm_120" not in {row.arch for row in moved_families(diff)}


def test_what_came_and_went_is_told_by_states() -> None:
    diff = cases()["router"].diff
    assert diff is not None
    rows = {row.family: row for row in diff.families}
    topk = rows["_gemma4_topk_softmax_scale_kernel"]
    assert status_words(topk) == "added in pre-revert, gone in accepted"
    assert status_word(topk) == "came and went"
    norm = rows["_gemma_qkv_rmsnorm_kernel"]
    assert status_words(norm) == "changed in pre-revert, expanded in accepted"
    assert status_word(norm) == "expanded"


def test_resources_that_stand_still_or_are_nothing_are_left_out() -> None:
    (row,) = (row for row in _wheels().families if row.family == "norm")
    largest = {
        "registers": (40, 48), "barriers": (1, 1), "local_bytes": (0, 0),
        "constant_bytes": (560, 568), "shared_bytes": (None, 512),
        "spill_load_bytes": (None, 0), "spill_store_bytes": (None, 16),
    }  # fmt: skip
    moved = moved_resources(msgspec.structs.replace(row, resources=largest))
    assert sorted(moved) == [("registers", (40, 48)), ("spill_store_bytes", (None, 16))]


def test_diagnostics_that_say_the_same_are_one() -> None:
    items = (
        Diagnostic(Level.WARNING, "a.so", "no disassembler knows sm_60: 551 sections"),
        Diagnostic(Level.WARNING, "b.so", "no disassembler knows sm_70: 7 sections"),
        Diagnostic(Level.WARNING, "b.so", "cut short"),
        Diagnostic(Level.NOTE, "a.so", "skipped"),
    )
    assert [kind.text for kind in kinds(items)] == [
        "a.so: no disassembler knows sm_60: 551 sections (and 1 like it)", "b.so: cut short"
    ]  # fmt: skip
    assert len(kinds(items, notes=True)) == 3
    assert quiet_notes(items) == "1 note: --all shows it"
