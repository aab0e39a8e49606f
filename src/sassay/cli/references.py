"""Loads Python functions that a contract or a probe names: only where a person asked for it."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from sassay.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


def load_references(names: Iterable[str], folder: Path) -> dict[str, Callable[..., Any]]:
    """Runs Python files and takes functions out of them.

    Args:
        names: `FILE.py:FUNCTION`.
        folder: Where the files lie.

    Raises:
        InputError: A file cannot be run or lacks the function.
    """
    found: dict[str, Callable[..., Any]] = {}
    for name in sorted(set(names)):
        file, _, function = name.rpartition(":")
        path = folder / file
        if not path.is_file():
            raise InputError("no such file", artifact=str(path))
        spec = importlib.util.spec_from_file_location(f"sassay_reference_{path.stem}", path)
        if spec is None or spec.loader is None:
            raise InputError("is no Python file", artifact=str(path))
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise InputError(
                f"fails: {type(error).__name__}: {error}", artifact=str(path)
            ) from error
        loaded = getattr(module, function, None)
        if not callable(loaded):
            raise InputError(f"has no function {function!r}", artifact=str(path))
        found[name] = loaded
    return found
