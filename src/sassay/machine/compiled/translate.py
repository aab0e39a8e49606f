"""From a program to compiled code: what is refused, and what is kept for the next launch."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from sassay.machine.compiled.code import Unit
from sassay.machine.compiled.divergence import analyse
from sassay.machine.compiled.engine import compile_entry
from sassay.machine.compiled.grid import grid_text
from sassay.machine.compiled.layout import Word
from sassay.machine.compiled.reductions import refuse_by_order
from sassay.machine.compiled.warp import Warp
from sassay.machine.errors import MissingForm

if TYPE_CHECKING:
    from sassay.machine.compiled.access import Site
    from sassay.machine.compiled.engine import Entry
    from sassay.machine.program import Program

MAX_OPS = 20_000
"""Operations beyond which compiling takes longer than it saves."""

MAX_KEPT = 256

_names = count()


@dataclass(frozen=True)
class Translation:
    """A program's code for blocks of one shape.

    Attributes:
        entry: The code.
        sites: Its accesses.
        frame_bytes: Of the frame of a warp.
    """

    entry: Entry
    sites: tuple[Site, ...]
    frame_bytes: int


def write_unit(
    program: Program, block: tuple[int, int, int], shared_bytes: int, name: str
) -> tuple[str, Warp]:
    """The IR of a program.

    Args:
        program: The entry.
        block: Threads of a block by dimension.
        shared_bytes: Shared memory of a block.
        name: Of the function.

    Raises:
        MissingForm: Something in it is not compiled.
    """
    if sum(len(each.ops) for each in program.blocks) > MAX_OPS:
        raise MissingForm(f"more than {MAX_OPS} instructions")
    if any(each.spins for each in program.blocks):
        raise MissingForm("a loop that waits for other threads")
    refuse_by_order(program)
    unit = Unit()
    warp = Warp(unit, program, analyse(program), block)
    threads = block[0] * block[1] * block[2]
    stride = -(-program.local_bytes // 16) * 16
    local = stride * (-(-threads // 32) * 32)
    unit.functions["warp"] = ""
    unit.functions["warp"] = warp.text()
    unit.functions[name] = grid_text(
        unit,
        name,
        threads=threads,
        frame_bytes=warp.frame_bytes,
        cleared={Word.SHARED: shared_bytes, Word.LOCAL: local},
    )
    return unit.text, warp


_Kept = tuple["Program", "Translation | str"]


class Translations:
    """Code by program and block, of the programs that ran last."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[int, tuple[int, int, int], int], _Kept] = OrderedDict()

    def known(self, program: Program, block: tuple[int, int, int], shared_bytes: int) -> bool:
        """Whether `get` needs no compiling."""
        return (id(program), block, shared_bytes) in self._made

    def get(
        self, program: Program, block: tuple[int, int, int], shared_bytes: int
    ) -> Translation | str:
        """The code for a block, or why there is none."""
        key = (id(program), block, shared_bytes)
        found = self._made.get(key)
        if found is None:
            made = self._make(program, block, shared_bytes)
            # Holding the program keeps its identity its own.
            found = self._made[key] = (program, made)
            if len(self._made) > MAX_KEPT:
                self._made.popitem(last=False)
        self._made.move_to_end(key)
        return found[1]

    @staticmethod
    def _make(
        program: Program, block: tuple[int, int, int], shared_bytes: int
    ) -> Translation | str:
        name = f"grid{next(_names)}"
        try:
            text, warp = write_unit(program, block, shared_bytes, name)
        except MissingForm as error:
            return error.form
        try:
            entry = compile_entry(text, name)
        except RuntimeError as error:
            return f"LLVM: {str(error).strip().splitlines()[0]}"
        return Translation(entry, tuple(warp.sites), warp.frame_bytes)
