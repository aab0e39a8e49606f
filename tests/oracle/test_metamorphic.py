"""Edits of PTX whose effect on the code is known, from the compiler to the diff."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.oracle import nvidia_tools as nvidia

from sassay.capture import CodeArchive, build_state
from sassay.diff import DiffOptions, compare
from sassay.isa.sass import Disassembler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sassay.model.change import Diff

pytestmark = pytest.mark.oracle

PTX = """
.version 8.8
.target {arch}
.address_size 64
.const .align 4 .f32 weights[2] = {{0f3F000000, 0f40400000}};
.visible .entry blend(.param .u64 p, .param .u32 n)
{{
    .reg .b32 %r<9>; .reg .b64 %d<9>; .reg .f32 %f<9>; .reg .pred %q<3>;
    .shared .align 4 .b8 tile[512];
    ld.param.u64 %d1, [p]; ld.param.u32 %r2, [n]; mov.u32 %r1, %tid.x;
    mul.wide.u32 %d2, %r1, 4; add.u64 %d1, %d1, %d2; mov.u32 %r3, tile; mov.u32 %r4, 0;
    mov.f32 %f5, 0f00000000;
again:
    ld.global.f32 %f1, [%d1]; st.shared.f32 [%r3], %f1; bar.sync 0;
    ld.shared.f32 %f2, [%r3+4]; ld.const.f32 %f3, [weights+4]; fma.rn.f32 %f5, %f2, %f3, %f5;
    add.u32 %r4, %r4, 1; setp.lt.u32 %q1, %r4, %r2; @%q1 bra again;
    mul.f32 %f6, %f5, %f1; add.f32 %f7, %f6, %f2; st.global.f32 [%d1], %f7; ret;
}}
"""
OTHER = (
    ".visible .entry other(.param .u64 p)\n{ .reg .b64 %d1; ld.param.u64 %d1, [p]; trap; ret; }\n"
)


def _renamed(text: str) -> str:
    """Other names for registers, labels and shared variables."""
    text = re.sub(r"%([rdfq])(\d)", lambda found: f"%{found[1]}x{found[2]}", text)
    text = re.sub(r"%([rdfq])<9>|%(q)<3>", lambda found: f"%{found[1] or found[2]}x<9>", text)
    return text.replace("again", "loop_1").replace("tile", "buffer")


def _with_neighbour(text: str) -> str:
    """Another kernel and another constant in front."""
    return text.replace(".const", OTHER + ".const", 1)


UNCHANGED: dict[str, tuple[Callable[[str], str], tuple[str, ...]]] = {
    "line tables": (lambda text: text, ("-lineinfo",)),
    "the default level by name": (lambda text: text, ("-O3",)),
    "other names": (_renamed, ()),
    "a neighbour": (_with_neighbour, ()),
    "a larger register budget": (lambda text: text, ("--maxrregcount=200",)),
}
CHANGED: dict[str, tuple[Callable[[str], str], tuple[str, ...], set[str]]] = {
    "no fusion": (
        lambda text: text.replace("fma.rn.f32 %f5, %f2, %f3, %f5", "sub.f32 %f5, %f2, %f3"),
        (),
        {"recomposed"},
    ),
    "another immediate": (lambda text: text.replace("[%r3+4]", "[%r3+8]"), (), {"reordered"}),
    "another constant": (lambda text: text.replace("0f40400000", "0f40800000"), (), {"reordered"}),
    "no optimization": (lambda text: text, ("-O0",), {"recomposed"}),
}


class Bench:
    """Compiles two texts and compares the states."""

    def __init__(self, folder: Path, disassembler: Disassembler) -> None:
        self._folder = folder
        self._disassembler = disassembler

    def diff(self, arch: str, edit: Callable[[str], str], options: tuple[str, ...]) -> Diff:
        text = PTX.format(arch=arch)
        edited = edit(text)
        store = CodeArchive()
        states = []
        for name, content, more in (("before", text, ()), ("after", edited, options)):
            folder = self._folder / name
            folder.mkdir()
            ptx = folder / "k.txt"
            ptx.write_text(content)
            nvidia.ask("ptxas-blackwell", f"-arch={arch}", *more, ptx, "-o", folder / "k.cubin")
            ptx.unlink()
            state = build_state(
                str(folder), label=name, store=store, disassembler=self._disassembler
            )
            states.append(state)
        return compare(states, store, self._disassembler, DiffOptions(all=True))


@pytest.fixture(scope="module")
def disassembler(shared_folder: Path) -> Iterator[Disassembler]:
    with Disassembler(shared_folder / "sassay-cache") as found:
        yield found


@pytest.fixture
def bench(tmp_path: Path, disassembler: Disassembler) -> Bench:
    return Bench(tmp_path, disassembler)


@pytest.mark.parametrize("arch", ["sm_80", "sm_90a", "sm_120"])
@pytest.mark.parametrize("name", UNCHANGED)
def test_what_leaves_the_code_as_it_is(bench: Bench, name: str, arch: str) -> None:
    edit, options = UNCHANGED[name]
    (pair,) = bench.diff(arch, edit, options).pairs
    assert (pair.compared, pair.unchanged, pair.changed) == (1, 1, 0), pair.tiers
    assert set(pair.tiers) <= {"identical", "relocated"}, pair.tiers


@pytest.mark.parametrize("arch", ["sm_80", "sm_90a", "sm_120"])
@pytest.mark.parametrize("name", CHANGED)
def test_what_changes_the_code(bench: Bench, name: str, arch: str) -> None:
    edit, options, tiers = CHANGED[name]
    (pair,) = bench.diff(arch, edit, options).pairs
    assert (pair.compared, pair.changed) == (1, 1), pair.tiers
    assert set(pair.tiers) <= tiers
