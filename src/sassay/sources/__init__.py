"""Where compiled code lies: caches, wheels, libraries, folders and package index releases."""

from sassay.sources.discover import Discovery, discover
from sassay.sources.entry import Withdrawn
from sassay.sources.paths import cache_dir

__all__ = ["Discovery", "Withdrawn", "cache_dir", "discover"]
