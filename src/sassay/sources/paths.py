"""Where sassay keeps what it may delete at any time."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_dir() -> Path:
    """The user's cache folder: `SASSAY_CACHE_DIR`, else the platform's convention."""
    if named := os.environ.get("SASSAY_CACHE_DIR"):
        return Path(named).expanduser().absolute()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
        return (Path(base) if base else Path.home() / "AppData" / "Local") / "sassay" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "sassay"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache") / "sassay"
