"""The file beside a kernel's cache entry that says what Triton's cache cannot."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = "sassay/compile-info/1"
SUFFIX = ".sassay.json"
MAX_SIDECAR_BYTES = 1024 * 1024

_KEY = re.compile(r"[A-Z2-7]{52}")  # base32 of SHA-256, as Triton names an entry

Scalar = str | int | float | bool | None


class Location(msgspec.Struct, frozen=True):
    """Where the kernel is defined, relative to the root; `line` is that of its `def`."""

    file: str
    line: int


class Sidecar(msgspec.Struct, frozen=True):
    """What one compilation was asked for.

    Attributes:
        schema: `SCHEMA`.
        name: The kernel's function name.
        signature: Parameter to type, in order; `constexpr` for constants.
        constants: Constant by parameter; text for what is no scalar.
        divisibility: Known divisor by parameter.
        options: Options as Triton settled on them.
        location: Where the source function is defined.
        variant: The manifest's name for it; empty where there is one only.
        kernel: The manifest's name for the kernel.
        arch: `sm_90`.
        digest: Of everything that the compilation depends on; unchanged means reusable.
    """

    schema: str
    name: str
    signature: Mapping[str, str]
    constants: Mapping[str, Scalar]
    divisibility: Mapping[str, int]
    options: Mapping[str, Scalar]
    location: Location
    variant: str
    kernel: str
    arch: str
    digest: str


def write_sidecar(cache_dir: Path, key: str, sidecar: Sidecar) -> None:
    """Writes the record into the entry's folder, whole or not at all."""
    folder = cache_dir / key
    path = folder / f"{sidecar.name[:150]}{SUFFIX}"
    part = folder / f".{path.name}.part"
    part.write_bytes(msgspec.json.format(msgspec.json.encode(sidecar), indent=1) + b"\n")
    part.replace(path)


def read_sidecars(cache_dir: Path) -> Iterator[tuple[Path, Sidecar]]:
    """Every readable record below a cache folder with its entry's folder, sorted by path."""
    for path in sorted(cache_dir.glob(f"*/*{SUFFIX}")):
        try:
            if path.stat().st_size > MAX_SIDECAR_BYTES:
                continue
            yield path.parent, msgspec.json.decode(path.read_bytes(), type=Sidecar)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            continue  # not ours, or cut short: the kernel is compiled again


def remove_entry(folder: Path) -> None:
    """Removes a cache entry that no variant of the manifest stands for any more."""
    shutil.rmtree(folder, ignore_errors=True)


def remove_halves(cache_dir: Path) -> None:
    """Removes what kernels that failed, or a run that was killed, left of an entry."""
    for folder in sorted(cache_dir.iterdir()):
        if _KEY.fullmatch(folder.name) and not any(folder.glob(f"*{SUFFIX}")):
            remove_entry(folder)
