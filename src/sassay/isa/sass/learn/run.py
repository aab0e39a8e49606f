"""One run of the generator: each family by itself, so that its tables do not depend on others."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

from sassay.isa.sass.learn.alike import hold_alike
from sassay.isa.sass.learn.families import learn
from sassay.isa.sass.learn.programs import Programs, at_hand
from sassay.isa.sass.learn.publish import operands_of, table_of
from sassay.isa.sass.learn.shapes import learn_shapes
from sassay.isa.sass.tables.files import OPERAND_SUFFIX, SUFFIX, write_index, write_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WORKERS = 2


def learn_all(
    out: Path,
    wanted: Sequence[str] | None,
    folder: Path,
    *,
    download: bool,
    jobs: int = WORKERS,
) -> None:
    """Learn every architecture and write the tables of each family.

    Args:
        out: Folder of the tables.
        wanted: Only the families of these architectures; None takes all.
        folder: An empty folder for downloaded programs.
        download: Whether older programs may be fetched.
        jobs: Families at a time; the tables do not depend on it.

    Raises:
        SassayError: if a program is missing or fails.
    """
    programs = at_hand(folder, download=download)
    out.mkdir(parents=True, exist_ok=True)
    every = programs.families()
    chosen = [each for each in every if not wanted or set(each) & set(wanted)]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        while chosen:
            running = [pool.submit(learn_family, family, programs, out) for family in chosen]
            chosen = [(arch,) for job in running for arch in job.result()]
    write_index(out)


def learn_family(archs: Sequence[str], programs: Programs, out: Path) -> tuple[str, ...]:
    """Learn the first architecture of a family and write the tables of all that answer alike.

    Returns:
        The architectures that do not.
    """
    started = time.monotonic()
    leader = archs[0]

    def say(text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - started:7.1f} s  {leader}: {text}\n")

    tool = programs.teacher(leader)
    if tool is None:
        return ()
    family = learn(leader, programs, tool, say)
    departed: list[str] = []
    for arch in archs[1:]:
        same = programs.teacher(arch) == tool
        reason = family.departs(arch) if same else "another nvdisasm"
        if reason is None:
            family.archs.append(arch)
        else:
            say(f"{arch} is another family: {reason}")
            departed.append(arch)
    table = table_of(family.explorer.opcodes.values(), family.archs, tool.release)
    path = out / f"{leader}{SUFFIX}"
    say(f"{path.name} for {', '.join(table.archs)}: {write_table(table, path)} bytes")
    shapes = learn_shapes(table, leader, tool, say)
    operands = hold_alike(operands_of(shapes, table), leader, table, tool, say)
    path = out / f"{leader}{OPERAND_SUFFIX}"
    count = f"{len(operands.opcodes)} of {len(table.opcodes)} opcodes"
    say(f"{path.name}: {count}, {write_table(operands, path)} bytes")
    return tuple(departed)
