"""Where compiled code lies: caches, wheels, libraries, folders and package index releases."""

from sassay.sources.discover import Discovery, discover
from sassay.sources.paths import cache_dir

__all__ = ["Discovery", "cache_dir", "discover"]
