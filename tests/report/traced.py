"""Traced code for report tests: two versions of a kernel, of any length, friendly or hostile."""

from __future__ import annotations

from tests.report import samples

from sassay.model.change import KernelStatus
from sassay.model.layers import Layered
from sassay.model.lines import Frame
from sassay.model.text import TextRun
from sassay.model.traced import TracedCode, TracedLayer, TracedPair
from sassay.report import Report

FILE, LIBRARY = "router/kernels.py", "site-packages/triton/language/standard.py"
SOURCE = (
    "@triton.jit",
    "def rmsnorm(x, out, n, BLOCK: tl.constexpr):",
    "    x = tl.load(x)",
    "    total = tl.sum(x * x)  # the reduction",
    '    tl.store(out, x * tl.rsqrt(total), "cg")',
)
_SASS = (("LDG.E", "global_memory"), ("FMUL", "float_arithmetic"), ("SHFL.BFLY", "warp_exchange"))
_PTX = (("ld.global.b32", "global_memory"), ("mul.f32", "float_arithmetic"),
        ("shfl.sync.bfly.b32", "warp_exchange"))  # fmt: skip


def code(kernel: str, length: int, *, first: int = 10, note: str = "") -> TracedCode:
    """One kernel of `length` instructions a layer out of three lines, one of them inlined."""
    chains = (
        (Frame(FILE, first + 2),),
        (Frame(FILE, first + 3),),
        (Frame(LIBRARY, 314), Frame(FILE, first + 3)),
    )
    every = range(length)
    ptx = TracedLayer(
        offsets=tuple(20 + 2 * i for i in every),
        texts=tuple(f"{_PTX[i % 3][0]} %r{i}, %r{i + 1}{note};" for i in every),
        categories=tuple(_PTX[i % 3][1] for i in every),
        sites=tuple(i % 3 for i in every),
        chains=chains,
    )
    sass = TracedLayer(
        offsets=tuple(16 * i for i in every),
        texts=tuple(f"@!P0 {_SASS[i % 3][0]} R{i % 255}, R4{note}" for i in every),
        categories=tuple(_SASS[i % 3][1] for i in every),
        sites=tuple(i % 3 for i in every),
        chains=chains,
        ptx=tuple(i - i % 2 for i in every),
    )
    texts = {
        FILE: (TextRun(first, "\n".join(line + note for line in SOURCE)),),
        LIBRARY: (TextRun(314, "    return core.reduce(input, axis)"),),
    }
    return TracedCode(kernel, Layered(ptx=ptx, sass=sass), texts, {FILE: "kept in the capture"})


def pair(before: TracedCode, after: TracedCode, *, shift: int) -> TracedPair:
    """How two of them line up: one row replaced, one inserted, the rest equal."""
    length = len(after.layers.sass.texts) if after.layers.sass else 0
    rows = (("equal", 4), ("replace", 1), ("insert", 1), ("equal", length - 6))
    lines = tuple((FILE, line, FILE, line + shift) for line in (12, 13))
    return TracedPair(before.kernel, after.kernel, Layered(ptx=rows, sass=rows), lines, "text")


def report(length: int = 12) -> Report:
    """The router case with the code of its changed kernel."""
    states, diff = samples.router_states(), samples.router_diff()
    change = next(one for one in diff.changes if one.status is KernelStatus.CHANGED)
    before = code(change.before or "", length - 1)
    after = code(change.after or "", length, first=17)
    return Report(
        command="diff", states=states, diff=diff, check=samples.router_check(diff),
        traced=(before, after), traced_pairs=(pair(before, after, shift=7),),
    )  # fmt: skip


def hostile() -> Report:
    """Code, source and notes in which every text is hostile."""
    states = samples.hostile_states()
    diff = samples.compare(*states)
    change = next(one for one in diff.changes if one.status is KernelStatus.CHANGED)
    note = "".join(samples.HOSTILE_NAMES)
    before = code(change.before or "", 11, note=note)
    after = replaced(code(change.after or "", 12, first=17, note=note), note)
    return Report(
        command="check", states=states, diff=diff, check=samples.hostile_check(diff),
        traced=(before, after), traced_pairs=(pair(before, after, shift=7),),
    )  # fmt: skip


def replaced(item: TracedCode, note: str) -> TracedCode:
    """The same code with a note and origins of somebody else's making."""
    origins = dict.fromkeys(item.texts, samples.HOSTILE_NAMES[0])
    return TracedCode(item.kernel, item.layers, item.texts, origins, note)
