"""Tiers kept from run to run: the answer for two digests never changes.

The file is one JSON line of header (schema and checksum) and one of body. Anything that does
not fit (another schema, a wrong checksum, a file cut short) is as good as no file: tiers are
computed again.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from sassay.model.layers import Layer, Tier

# Raise it whenever a normal form or a rule of `isa.sass.tier` or `isa.ptx.tier` changes.
_SCHEMA = "sassay-tiers/4"
_FILE = "tiers.json"
_MAX_ENTRIES = 500_000
_MAX_BYTES = 128 << 20


class TierMemo:
    """Tiers by layer and pair of digests, in memory and, with a folder, on disk.

    A tier does not depend on which side is which, so that a pair has one entry.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / _FILE if folder else None
        self._known: dict[str, Tier] = _read(self._path) if self._path else {}
        self._fresh = False

    @staticmethod
    def _key(layer: Layer, one: str, other: str) -> str:
        low, high = sorted((one, other))
        return f"{layer.value} {low} {high}"

    def get(self, layer: Layer, one: str, other: str) -> Tier | None:
        """The tier of two digests, None where nobody computed it."""
        return self._known.get(self._key(layer, one, other))

    def put(self, layer: Layer, one: str, other: str, tier: Tier) -> None:
        """Keeps the tier of two digests."""
        self._known[self._key(layer, one, other)] = tier
        self._fresh = True

    def save(self) -> None:
        """Writes what is new; a folder that cannot be written costs nothing but the next run."""
        if self._path is None or not self._fresh:
            return
        entries = dict(list(self._known.items())[-_MAX_ENTRIES:])
        body = json.dumps(entries, separators=(",", ":")).encode()
        header = json.dumps({"schema": _SCHEMA, "sha256": hashlib.sha256(body).hexdigest()})
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            _replace(self._path, header.encode() + b"\n" + body)
            self._fresh = False


def _replace(path: Path, data: bytes) -> None:
    """Writes beside the file and renames, so that a reader sees all of it or the old one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _read(path: Path) -> dict[str, Tier]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            return {}
        head, _, body = path.read_bytes().partition(b"\n")
        header = json.loads(head)
        if header["schema"] != _SCHEMA or header["sha256"] != hashlib.sha256(body).hexdigest():
            return {}
        return {str(key): Tier(value) for key, value in json.loads(body).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
