"""A probe: two sides that select, and the rows that they select from."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sassay.machine.parity.contract import BufferSpec, RaceSearch, SideSpec

ROWS = "rows"
"""Dimension that a probe gives: how many rows run together."""

KINDS: tuple[str, ...] = ("normal", "wide", "outliers", "ties", "near-ties", "constant")
"""How rows are made; see `rows.py`."""


class Bounds(msgspec.Struct, frozen=True):
    """What a probe allows, as shares of rows or choices; None: anything.

    Attributes:
        set_disagreement: Share of rows on which the chosen sets differ.
        order_disagreement: Share of rows on which only their order does.
        expert_flips: Share of choices that the other side did not make.
        weight_difference: Largest difference of a weight, aligned by id.
    """

    set_disagreement: float | None = None
    order_disagreement: float | None = None
    expert_flips: float | None = None
    weight_difference: float | None = None


class ProbeSpec(msgspec.Struct, frozen=True):
    """One probe.

    Attributes:
        path: Of the file.
        folder: Where its paths start.
        input: Buffer whose rows are probed.
        ids: Buffer of chosen ids, a row each.
        weights: Buffer of their weights; None where there are none.
        kinds: How rows are made, in equal shares.
        rows: How many of all kinds together.
        seed: Of everything.
        chunk: Rows that run together.
        races: Which races between threads break it.
    """

    path: str
    folder: str
    name: str
    left: SideSpec
    right: SideSpec
    buffers: Mapping[str, BufferSpec]
    dims: Mapping[str, int]
    scalars: Mapping[str, float]
    input: str
    ids: str
    weights: str | None
    kinds: tuple[str, ...]
    rows: int
    seed: int
    chunk: int
    bounds: Bounds
    races: RaceSearch
