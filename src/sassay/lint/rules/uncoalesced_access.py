"""Global accesses whose warp spreads over far more memory than it uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.lint.rule import Hit, Level, Options, Rule, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sassay.lint.forms import Form
    from sassay.lint.program import Op
    from sassay.lint.subject import Subject

_SECTOR = 32
_WARP = 32
_FEWEST = 8
"""Different addresses below which a warp's access is a broadcast, or a scalar one."""


def check(subject: Subject, options: Options) -> Iterator[Hit]:
    """One hit for each access that moves many times the sectors that its bytes need."""
    most = options.number("ratio")
    groups: dict[object, list[tuple[Op, Form, NDArray[np.int64]]]] = {}
    for op in subject.ops:
        opcode = op.opcode
        if not (opcode.is_load or opcode.is_store) or opcode.space != "global":
            continue
        if not opcode.width or not subject.runs(op):
            continue
        form = subject.lanes.address(op)
        if form is None:
            continue
        lanes = form.lanes[:_WARP][subject.lanes.active(op)[:_WARP]]
        if len(lanes) < _FEWEST or _is_dense(lanes, opcode.width, most):
            continue
        if len(np.unique(lanes)) < _FEWEST:
            continue
        key = (opcode.is_load, form.terms)
        groups.setdefault(key, []).append((op, form, lanes))
    for group in groups.values():
        together = np.concatenate([_bytes(lanes, op.opcode.width) for op, _, lanes in group])
        if _ratio(np.unique(together)) < most:
            continue  # what one access leaves out of a sector, a sibling takes
        for op, _, lanes in group:
            ratio = _ratio(np.unique(_bytes(lanes, op.opcode.width)))
            if ratio >= most:
                step = int(abs(lanes[1] - lanes[0]))
                yield Hit(
                    f"`{op.opcode.text}` through `{subject.pointer(subject.values.address(op))}`: "
                    f"neighbouring threads are {step} bytes apart, {ratio:.0f} times the memory "
                    "traffic that is used",
                    op,
                )


def _is_dense(lanes: NDArray[np.int64], width: int, most: int) -> bool:
    """Whether all lanes lie so close together that no more needs to be counted."""
    span = int(lanes.max() - lanes.min()) + width + _SECTOR
    return span < most * width * _FEWEST


def _bytes(lanes: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    spread: NDArray[np.int64] = (lanes[:, None] + np.arange(width)[None, :]).ravel()
    return spread


def _ratio(used: NDArray[np.int64]) -> float:
    """Bytes moved for each byte used, wherever the sectors start."""
    start = int(used.min())
    shifts = [(used - start + shift) // _SECTOR for shift in range(0, _SECTOR, 4)]
    sectors = min(len(np.unique(each)) for each in shifts)
    return sectors * _SECTOR / len(used)


RULE = Rule(
    id="uncoalesced-access",
    level=Level.REVIEW,
    check=check,
    settings=(Setting("ratio", 4, "bytes moved for each byte used, from which on it counts"),),
)
