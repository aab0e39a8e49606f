"""The kinds of cache entry that sassay recognizes in a folder; a new one is one row here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sassay.sources import deepgemm, triton
from sassay.sources.context import Context
from sassay.sources.entry import Folder, Found

Reader = Callable[[Folder, Context], Iterator[Found]]

READERS: tuple[Reader, ...] = (
    deepgemm.read,  # before Triton: its folder's name is unmistakable
    triton.read,
)
