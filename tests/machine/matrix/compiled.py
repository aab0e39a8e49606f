"""Triton kernels of `examples/machine`, compiled once, with changes to their PTX."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from bench.hardware import build_corpus

from sassay.machine import Launch, Result, load_program, run
from sassay.machine.hardware.cases import make

if TYPE_CHECKING:
    from sassay.machine.program import Program

Array = np.ndarray[Any, np.dtype[Any]]


@lru_cache
def _kernels() -> dict[str, build_corpus.Kernel]:
    return {each.name or each.function.strip("_"): each for each in build_corpus.kernels()}


@lru_cache
def built(name: str, arch: int) -> Any:
    return build_corpus.compiled(_kernels()[name], arch)


def launched(
    name: str, arch: int, changes: tuple[tuple[str, str], ...] = ()
) -> tuple[Result, list[Any]]:
    """Runs a kernel of the corpus; each change replaces all of a text, which must be there."""
    program, launch = prepared(name, arch, changes)
    return run(program, launch), list(launch.arguments)


def prepared(
    name: str, arch: int, changes: tuple[tuple[str, str], ...] = ()
) -> tuple[Program, Launch]:
    """A kernel of the corpus with its launch."""
    kernel, what = _kernels()[name], built(name, arch)
    text = what.asm["ptx"]
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    program = load_program(text)
    arguments = [make(each) for each in kernel.arguments]
    blocks = int(np.prod(kernel.grid))
    scratch = np.zeros(max(what.metadata.global_scratch_size * blocks, 16), np.uint8)
    more = [scratch, None][: len(program.params) - len(arguments)]
    return program, Launch(
        kernel.grid, what.metadata.num_warps * 32, [*arguments, *more], shared=what.metadata.shared
    )


def wide(words: Array) -> Array:
    """Words of bf16, or floats, as doubles."""
    if words.dtype == np.uint16:
        return (words.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
    return words.astype(np.float64)
