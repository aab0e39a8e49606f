"""Where compiled code lies: caches, wheels, libraries, folders and package index releases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lazy import export

if TYPE_CHECKING:
    from sassay.sources.discover import Discovery as Discovery
    from sassay.sources.discover import discover as discover
    from sassay.sources.entry import Withdrawn as Withdrawn
    from sassay.sources.paths import cache_dir as cache_dir

export(
    __name__,
    {
        ".discover": "Discovery discover",
        ".entry": "Withdrawn",
        ".paths": "cache_dir",
    },
)
