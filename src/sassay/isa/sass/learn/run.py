"""One run of the generator: groups side by side, architectures of a group one after the other."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

from sassay.isa.sass.learn.alike import hold_alike
from sassay.isa.sass.learn.families import Family, learn
from sassay.isa.sass.learn.programs import Programs, at_hand
from sassay.isa.sass.learn.publish import operands_of, table_of
from sassay.isa.sass.learn.shapes import learn_shapes
from sassay.isa.sass.tables.record import OPERAND_SUFFIX, SUFFIX, write_index, write_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sassay.isa.sass.learn.splits import Shapes

WORKERS = 2


def learn_all(
    out: Path,
    wanted: Sequence[str] | None,
    folder: Path,
    *,
    download: bool,
    jobs: int = WORKERS,
) -> None:
    """Learn every architecture, group by group, and write one table a family.

    Args:
        out: Folder of the tables.
        wanted: Only these architectures; None takes all.
        folder: An empty folder for downloaded programs.
        download: Whether older programs may be fetched.
        jobs: Groups at a time; the tables do not depend on it.

    Raises:
        SassayError: if a program is missing or fails.
    """
    programs = at_hand(folder, download=download)
    out.mkdir(parents=True, exist_ok=True)
    chosen = [tuple(a for a in group if not wanted or a in wanted) for group in programs.groups()]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(_learn_group, group, programs, out) for group in chosen if group]
        for job in running:
            job.result()
    write_index(out)


def _learn_group(archs: tuple[str, ...], programs: Programs, out: Path) -> None:
    """Learn architectures one after the other; what one knows is looked for on the next."""
    started = time.monotonic()
    families: list[Family] = []
    for arch in archs:
        tool = programs.teacher(arch)
        if tool is None:
            continue

        def say(text: str, arch: str = arch) -> None:
            sys.stderr.write(f"{time.monotonic() - started:7.1f} s  {arch}: {text}\n")

        family = None
        for known in families:
            reason = known.departs(arch) if known.tool == tool else "another nvdisasm"
            if reason is None:
                family = known
                break
            say(f"not as {known.archs[0]}: {reason}")
        if family is None:
            hints = [word for known in families for word in known.hints()]
            family = learn(arch, programs, tool, hints, say)
            families.append(family)
        else:
            family.archs.append(arch)
    shapes: dict[int, Shapes] = {}
    for family in families:
        leader = family.archs[0]

        def tell(text: str, arch: str = leader) -> None:
            sys.stderr.write(f"{time.monotonic() - started:7.1f} s  {arch}: {text}\n")

        table = table_of(family.explorer.opcodes.values(), family.archs, family.tool.release)
        path = out / f"{leader}{SUFFIX}"
        tell(f"{path.name} for {', '.join(table.archs)}: {write_table(table, path)} bytes")
        found = learn_shapes(table, leader, family.tool, tell, shapes)
        shapes = {**found, **shapes}
        operands = hold_alike(operands_of(found, table), leader, table, family.tool, tell)
        path = out / f"{leader}{OPERAND_SUFFIX}"
        tell(f"{path.name}: {write_table(operands, path)} bytes")
