"""Source lines of two versions of a kernel: which are the same, and what each gained or lost."""

from __future__ import annotations

from sassay.capture.texts import NO_TEXT, SourceReader
from sassay.diff.line_align import Side, align_lines
from sassay.diff.lines import line_moves
from sassay.model.artifact import SourceLocation as At
from sassay.model.layers import Layered
from sassay.model.lines import KernelLines, LineCensus, LineCounts
from sassay.model.text import TextRun

OLD = """@jit
def norm(x):
    x = load(x)
    total = sum(x * x)
    store(x * total)"""
NEW = """import new

@jit
def norm(x, scale):
    x = load(x)
    scale = load(scale)
    total = sum(x * x, axis=0)
    store(x * total * scale)"""


def side(text: str | None, *lines: int, first: int = 1, file: str = "a/k.py") -> Side:
    """A kernel whose instructions come from some lines of a file."""
    texts = {}
    if text is not None:
        texts[file] = {first + i: line for i, line in enumerate(text.splitlines())}
    return Side(frozenset(At(file, line) for line in lines), At(file, first + 1), texts)


def lines(found: dict[At, At]) -> dict[int, int]:
    """Line numbers of an alignment."""
    return {one.line: two.line for one, two in found.items()}


def test_lines_are_the_same_by_their_text_and_edited_ones_by_their_place() -> None:
    found = align_lines(side(OLD, 3, 4, 5), side(NEW, 5, 6, 7, 8, file="b/k.py"))
    assert found.how == "text"
    assert lines(dict(found.pairs)) == {3: 5, 4: 7, 5: 8}


def test_without_text_lines_count_from_the_definition() -> None:
    before, after = side(None, 11, 13, 30, first=10), side(None, 21, 23, 30, first=20)
    found = align_lines(before, after)
    assert found.how == "number"
    assert lines(dict(found.pairs)) == {11: 21, 13: 23}
    library = Side(frozenset({At("lib/standard.py", 5)}), At("a/k.py", 10), {})
    moved = Side(frozenset({At("/venv/lib/standard.py", 5)}), At("b/k.py", 90), {})
    assert lines(dict(align_lines(library, moved).pairs)) == {5: 5}


def test_files_of_one_name_twice_are_not_guessed_at() -> None:
    before = Side(frozenset({At("a/u.py", 1), At("b/u.py", 1)}), None, {})
    after = Side(frozenset({At("c/u.py", 1)}), None, {})
    assert not align_lines(before, after).pairs


def census(place: At, own: dict[str, int], inclusive: dict[str, int]) -> LineCensus:
    """A line with SASS counts; categories are the opcodes in small letters."""

    def counts(opcodes: dict[str, int]) -> LineCounts:
        return LineCounts(opcodes, {name.lower(): count for name, count in opcodes.items()})

    return LineCensus(
        place, (), own=Layered(sass=counts(own)), inclusive=Layered(sass=counts(inclusive))
    )


def kernel(*found: LineCensus) -> KernelLines:
    """Lines of one kernel, SASS alone."""
    return KernelLines(found, Layered(sass=LineCounts()), Layered(sass=1))


def test_each_line_says_what_it_gained_and_lost() -> None:
    before = kernel(
        census(At("k.py", 3), {"LDG": 2}, {"LDG": 2}),
        census(At("k.py", 4), {"FMUL": 1}, {"FMUL": 1, "SHFL": 4}),
        census(At("k.py", 5), {"STG": 1}, {"STG": 1}),
    )
    after = kernel(
        census(At("k.py", 5), {"LDG": 2}, {"LDG": 2}),
        census(At("k.py", 6), {"LDG": 1}, {"LDG": 1}),
        census(At("k.py", 7), {"FMUL": 1}, {"FMUL": 1, "SHFL": 16, "BAR": 4}),
        census(At("k.py", 8), {"STG": 1}, {"STG": 1}),
    )
    readers = tuple(
        SourceReader({"k.py": (TextRun(1, text),)}) for text in (OLD, NEW)
    )  # fmt: skip
    moves = line_moves(before, after, (At("k.py", 2), At("k.py", 4)), (readers[0], readers[1]))
    assert moves.aligned == "text"
    grown, new = moves.lines
    assert (grown.before, grown.after) == (At("k.py", 4), At("k.py", 7))
    assert grown.text == "    total = sum(x * x, axis=0)"
    assert grown.inclusive.sass is not None
    assert grown.inclusive.sass.categories == {"bar": 4, "shfl": 12}
    assert grown.inclusive.sass.total == 16
    assert grown.own.sass is not None
    assert grown.own.sass.opcodes == {}
    assert grown.own.ptx is None
    assert (new.before, new.after) == (None, At("k.py", 6))
    # Without text, the same lines from the definition on; the new line takes an old one's place.
    blind = line_moves(before, after, (At("k.py", 2), At("k.py", 4)), (NO_TEXT, NO_TEXT))
    assert blind.aligned == "number"
    assert all(line.text is None for line in blind.lines)
