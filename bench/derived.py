"""Kernels of caches and captures, each once, with launches as for their numeric paths."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.machine import Launch, Program, Result, load_program, run
from sassay.machine.parity.formats import FORMATS, words_of
from sassay.machine.path.launch import SIZES, Plan, plan_launches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.cli.session import Session
    from sassay.model.kernel import Kernel

_ROW = 256
"""Elements from one row, or one plane of rows, to the next."""
_STEPS = 1 << 26


def _array(name: str) -> str:
    """What strides of one array have in common: their names but for the dimension."""
    return name[:-1].rstrip("_") if "stride" in name.lower() else name


def _filled(kernel: Kernel, plan: Plan, launch: Launch) -> Launch:
    """The same launch with random floats, and strides that keep what a kernel writes apart."""
    random = np.random.default_rng(0)
    arguments: list[Any] = list(launch.arguments)
    signature = kernel.specialization.signature
    named = list(enumerate(plan.parameters))
    for at, each in named:
        form = FORMATS.get(str(signature.get(each.name, "")).lstrip("*"))
        old = arguments[at]
        if isinstance(old, np.ndarray) and form is not None and form.is_float:
            arguments[at] = words_of(random.standard_normal(old.size), form).view(old.dtype)
    for _, group in groupby(named, lambda item: _array(item[1].name)):
        strides = [(at, each) for at, each in group if "stride" in each.name.lower()]
        for level, (at, _) in enumerate(reversed(strides)):
            if len(strides) > 1 and isinstance(arguments[at], int):
                arguments[at] = _ROW**level
    return Launch(launch.grid, launch.block, arguments, shared=launch.shared, step_limit=_STEPS)


def distinct_kernels(session: Session, given: str, limit: int | None = None) -> Iterator[Kernel]:
    """Kernels of an input that have PTX, those with equal PTX once; of the first `limit` ones."""
    seen: set[str] = set()
    for kernel in session.open(given).kernels[:limit]:
        if kernel.code.ptx is not None and kernel.code.ptx not in seen:
            seen.add(kernel.code.ptx)
            yield kernel


def program_of(session: Session, kernel: Kernel) -> Program:
    """The program of a kernel of `distinct_kernels`."""
    text = session.store.ptx(str(kernel.code.ptx))
    return load_program(text, kernel.symbol, artifact=kernel.symbol)


def derived_launch(kernel: Kernel, program: Program) -> tuple[Launch, Result]:
    """The first derived launch that stays in bounds, or the last one, and what it gave."""
    plan = plan_launches(kernel, program)
    for size in SIZES:
        launch = _filled(kernel, plan, plan.launch(size).launch)
        plain = run(program, launch)
        if plain.trap is None or plain.trap.kind != "out-of-bounds":
            break
    return launch, plain
