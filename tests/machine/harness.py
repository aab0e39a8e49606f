"""Runs one instruction over many operands, as a kernel of its own."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.machine import Launch, Program, Result, load_program, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.machine.matrix.rules import Gpu

HEADER = ".version 8.7\n.target sm_90a\n.address_size 64\n"
BLOCK = 64
_REGISTER = {1: "r", 2: "s", 4: "w", 8: "d"}


def entry(body: str, params: Sequence[str] = (), name: str = "k", before: str = "") -> str:
    """A module with one entry; registers of all widths are declared."""
    declared = ",\n".join(f".param {each}" for each in params)
    return f"""{HEADER}{before}
.visible .entry {name}({declared})
{{
.reg .pred %p<16>;
.reg .b16 %s<32>;
.reg .b32 %r<64>;
.reg .b64 %d<64>;
{body}
}}
"""


def launch(
    body: str,
    arguments: Sequence[Any] = (),
    *,
    grid: Any = 1,
    block: Any = 32,
    shared: int = 0,
    before: str = "",
    gpu: Gpu | None = None,
    **more: Any,
) -> Result:
    """Runs a body whose parameters p0, p1 ... are pointers, or words for numbers."""
    params = [
        f".{'u64' if isinstance(each, np.ndarray) or each is None else 'b32'} p{index}"
        for index, each in enumerate(arguments)
    ]
    program = load_program(entry(body, params, before=before), gpu=gpu)
    return run(program, Launch(grid, block, arguments, shared=shared, **more))


@lru_cache(maxsize=512)
def _instruction(text: str, sources: tuple[int, ...], results: tuple[int, ...]) -> Program:
    """A kernel that runs an instruction for each thread; `$0` are results, `#0` sources."""
    lines = [
        "mov.u32 %r0, %ctaid.x;",
        "mov.u32 %r1, %tid.x;",
        f"mad.lo.s32 %r2, %r0, {BLOCK}, %r1;",
    ]
    kind = {1: "s", 2: "s", 4: "r", 8: "d"}
    for index, width in enumerate(sources):
        lines += [
            f"ld.param.u64 %d{index}, [p{index}];",
            f"mad.wide.u32 %d{index}, %r2, {width}, %d{index};",
            f"ld.global.b{width * 8} %{kind[width]}{20 + index}, [%d{index}];",
        ]
        text = text.replace(f"#{index}", f"%{kind[width]}{20 + index}")
    tail = []
    for index, width in enumerate(results):
        at = len(sources) + index
        register = f"%{kind[width or 4]}{10 + index}"
        if width == 0:
            text = text.replace(f"${index}", f"%p{index}")
            tail.append(f"selp.b32 {register}, 1, 0, %p{index};")
        text = text.replace(f"${index}", register)
        size = width or 4
        tail += [
            f"ld.param.u64 %d{at}, [p{at}];",
            f"mad.wide.u32 %d{at}, %r2, {size}, %d{at};",
            f"st.global.b{size * 8} [%d{at}], {register};",
        ]
    params = [f".u64 p{index}" for index in range(len(sources) + len(results))]
    return load_program(entry("\n".join([*lines, text, *tail, "ret;"]), params))


def words(values: Sequence[int], width: int) -> np.ndarray[Any, np.dtype[Any]]:
    """Words of a width out of integers of any sign."""
    mask = (1 << width * 8) - 1
    return np.array([value & mask for value in values], f"u{width}")


def apply(
    text: str, sources: Sequence[tuple[int, Sequence[int]]], results: Sequence[int]
) -> list[list[int]]:
    """What an instruction gives for each set of operands.

    Args:
        text: With `$0` for results and `#0` for sources, such as `add.f32 $0, #0, #1;`.
        sources: Width in bytes and words of each source.
        results: Width in bytes of each result; 0 for a predicate.
    """
    count = len(sources[0][1])
    padded = -(-count // BLOCK) * BLOCK
    arrays: list[Any] = []
    for width, values in sources:
        array = np.zeros(padded, f"u{width}")
        array[:count] = words(values, width)
        arrays.append(array)
    arrays += [np.zeros(padded, f"u{width or 4}") for width in results]
    program = _instruction(text, tuple(width for width, _ in sources), tuple(results))
    result = run(program, Launch(padded // BLOCK, BLOCK, arrays))
    assert result.trap is None, result.trap
    found = []
    for written in result.arrays[len(sources) :]:
        assert written is not None
        found.append([int(each) for each in written[:count]])
    return found
