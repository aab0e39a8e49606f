"""`ldmatrix` and `stmatrix`: 8 by 8 tiles of 16-bit elements, spread over a warp.

Lane `8 i + r` holds the address of row `r` of tile `i`; lane `l` holds the elements `2 (l mod 4)`
and the next of row `l / 4`, or of that column if transposed. Source: PTX ISA, "ldmatrix",
"stmatrix".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.errors import MissingForm
from sassay.machine.lanes import WARP
from sassay.machine.memory import read, unread, unwritten, write
from sassay.machine.types import WORDS, constant

if TYPE_CHECKING:
    from sassay.machine.binding import Binder
    from sassay.machine.lanes import Lanes
    from sassay.machine.memory import Memory
    from sassay.machine.operands import Operand
    from sassay.machine.program import Fetch, Run
    from sassay.machine.types import Array

FORM = re.compile(
    r"(?:ld|st)matrix\.sync\.aligned\.m8n8\.x([124])(\.trans)?(?:\.shared(?:::cta)?)?\.b16",
    re.ASCII,
)
_LANE = np.arange(WARP)


def tiles(opcode: str, binder: Binder, operands: list[Operand]) -> tuple[Run, Fetch]:
    """`ldmatrix` or `stmatrix` of one, two or four tiles in shared memory."""
    match = FORM.fullmatch(opcode)
    loads = opcode.startswith("ld")
    place, registers = (operands[1], operands[0]) if loads else (operands[0], operands[1])
    items = binder.items(registers)
    if match is None or len(items) != int(match[1]):
        raise MissingForm(opcode)
    space = "shared" if ".shared" in opcode else ""
    turned = match[2] is not None
    address, _ = binder.address(place)
    everyone = constant(0xFFFFFFFF, WORDS[32])
    if loads:
        stores = [binder.store(each) for each in items]

        def load(lanes: Lanes, memory: Memory, where: Array | None) -> None:
            active = lanes.running(where)
            for number, store in enumerate(stores):
                words = []
                for at, width in spots(lanes, address(lanes), number, turned=turned):
                    (part,) = memory.locate(lanes, space, at, width, active)
                    wrong = unwritten(part, width)
                    if wrong is not None:
                        raise unread(part, wrong, lanes)
                    words.append(read(part, width, 1)[0].astype(np.uint32))
                value = words[0] if len(words) == 1 else words[0] | (words[1] << np.uint32(16))
                store(lanes, value, where)

        return load, lambda _lanes: everyone
    fetches = [binder.fetch(each, "b32") for each in items]

    def save(lanes: Lanes, memory: Memory, where: Array | None) -> None:
        active = lanes.running(where)
        for number, fetch in enumerate(fetches):
            value = np.broadcast_to(fetch(lanes), lanes.shape)
            for half, (at, width) in enumerate(spots(lanes, address(lanes), number, turned=turned)):
                (part,) = memory.locate(lanes, space, at, width, active)
                piece = (value >> np.uint32(16 * half)).astype(f"u{width}")
                write(part, [piece], width, lanes.shape)

    return save, lambda _lanes: everyone


def spots(lanes: Lanes, address: Array, number: int, *, turned: bool) -> list[tuple[Array, int]]:
    """Where the elements of each lane lie, and how many bytes lie there together."""
    rows = lanes.by_warp(np.broadcast_to(address, lanes.shape))

    def spot(row: Array, offset: Array) -> Array:
        return lanes.by_thread(rows[..., 8 * number + row] + offset.astype(address.dtype))

    if not turned:
        return [(spot(_LANE // 4, _LANE % 4 * 4), 4)]
    return [(spot(_LANE % 4 * 2 + half, _LANE // 4 * 2), 2) for half in (0, 1)]
