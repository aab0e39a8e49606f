"""Makes the tables of `sassay.machine.approximate` out of what `measure_special` measured.

Run `python -m bench.hardware.fit_special FOLDER`: it writes the tables, and then compares the
models with the sums of all 2^32 results of each instruction.
"""

from __future__ import annotations

import argparse
import lzma
import zipfile
import zlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from bench.hardware.measure_special import FRACTIONS, unpacked
from sassay.machine.approximate import models, tables

TABLES = {
    "rcp": ("rcp", 127),
    "rsqrt_odd": ("rsqrt", 127),
    "rsqrt_even": ("rsqrt", 128),
    "sqrt_odd": ("sqrt", 127),
    "sqrt_even": ("sqrt", 128),
    "ex2": ("ex2", 127),
    "lg2_above": ("lg2", 127),
    "lg2_below": ("lg2", 126),
}
HALVES = ("ex2.approx.f16", "ex2.approx.ftz.bf16", "tanh.approx.f16", "tanh.approx.bf16")
ARCHIVES = {"rsqrt": "roots", "sqrt": "roots"}


def write_tables(folder: Path) -> None:
    """Writes each table as the differences of neighbours, in as few bytes as hold them."""
    for name, (form, block) in TABLES.items():
        with zipfile.ZipFile(folder / f"{ARCHIVES.get(form, form)}.zip") as archive:
            _write(name, unpacked(archive.read(f"{form}.{block}.xz")))
    with zipfile.ZipFile(folder / "sums.zip") as archive:
        for form in HALVES:
            _write(form, np.frombuffer(archive.read(f"{form}.bin"), np.uint16))


def _write(name: str, values: np.ndarray[Any, np.dtype[Any]]) -> None:
    content = lzma.compress(tables.packed(values), preset=9 | lzma.PRESET_EXTREME)
    path = tables.FOLDER / f"{name}.xz"
    path.write_bytes(content)
    print(f"{path.name}: {len(content) >> 10} KiB")


def compare(folder: Path, forms: list[str], step: int) -> None:
    """Compares the models with the sums of results, every `step`-th exponent."""
    with zipfile.ZipFile(folder / "sums.zip") as archive, ProcessPoolExecutor() as pool:
        for form in forms:
            sums = np.frombuffer(archive.read(f"{form}.crc"), np.uint32)
            blocks = range(0, 512, step)
            found = list(pool.map(_sum, [form] * len(blocks), blocks))
            wrong = [at for at, each in zip(blocks, found, strict=True) if each != sums[at]]
            equal = (len(blocks) - len(wrong)) * FRACTIONS
            print(f"{form}: {equal} results equal; exponents that differ: {wrong}", flush=True)


def _sum(form: str, block: int) -> int:
    words = np.arange(FRACTIONS, dtype=np.uint32) + np.uint32(block * FRACTIONS)
    with np.errstate(all="ignore"):
        found = models.MODELS[form](words.view(np.float32))
    return zlib.crc32(np.ascontiguousarray(found).view(np.uint8).data)


def main() -> None:
    """Writes and compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--compare-only", action="store_true")
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--form", action="append")
    options = parser.parse_args()
    if not options.compare_only:
        write_tables(options.folder)
        tables.table.cache_clear()
    compare(options.folder, options.form or sorted(models.MODELS), options.step)


if __name__ == "__main__":
    main()
