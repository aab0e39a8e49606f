"""The folder that keeps what a manifest compiled to, so that a second run reuses it."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def kept_folder(cache: Path, *identity: str) -> Iterator[Path]:
    """The folder of what is compiled alike, for this process alone while the context lasts.

    A second process that compiles the same at the same time gets a folder of its own, which goes
    with the context: what reads the folder does so before.

    Args:
        cache: sassay's cache.
        identity: What is compiled, such as the path of a manifest and the root of its sources.
    """
    import fcntl  # POSIX only, as Triton is

    name = hashlib.sha256("\0".join(identity).encode()).hexdigest()[:16]
    kept = cache / "compile" / name
    kept.mkdir(parents=True, exist_ok=True)
    with (kept.parent / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            with tempfile.TemporaryDirectory(prefix="sassay-compile-") as scratch:
                yield Path(scratch)
            return
        yield kept
