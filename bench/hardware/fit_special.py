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
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.hardware.measure_special import FRACTIONS, KEPT, unpacked
from sassay.machine.approximate import models, tables, turns, upper

if TYPE_CHECKING:
    from collections.abc import Iterator

Array = np.ndarray[Any, np.dtype[Any]]
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
UPPER_TABLES = {
    "rcp64": ("rcp64", 7),
    "rsqrt64_odd": ("rsqrt64", 7),
    "rsqrt64_even": ("rsqrt64", 6),
}
"""By table: the form, and which exponent of the block from 0x3F800000 on: -0, or -1."""
HALVES = ("ex2.approx.f16", "ex2.approx.ftz.bf16", "tanh.approx.f16", "tanh.approx.bf16")
ARCHIVES = {"rsqrt": "roots", "sqrt": "roots"}


def write_tables(folder: Path) -> None:
    """Writes each table as the differences of neighbours, in as few bytes as hold them."""
    for name, (form, block) in TABLES.items():
        _write(name, _block(folder, form, block))
    for name, (form, exponent) in UPPER_TABLES.items():
        _write(name, _block(folder, form, 127).reshape(8, -1)[exponent])
    parts = [_block(folder, "tanh", each)[:: 1 << step] for each, step in models.TANH_STEPS.items()]
    _write("tanh", np.concatenate(parts))
    _write("sin", _quarter(folder))
    with zipfile.ZipFile(folder / "sums.zip") as archive:
        for form in HALVES:
            _write(form, np.frombuffer(archive.read(f"{form}.bin"), np.uint16))


def _block(folder: Path, form: str, block: int) -> Array:
    with zipfile.ZipFile(folder / f"{ARCHIVES.get(form, form)}.zip") as archive:
        return unpacked(archive.read(f"{form}.{block}.xz"))


def _quarter(folder: Path) -> Array:
    """The sines of a quarter of a turn, collected from sines and cosines of all angles kept."""
    size = 1 << turns.QUARTER
    found, known = np.zeros(size, np.uint32), np.zeros(size, np.bool_)
    for form, ahead in (("sin", 0), ("cos", 1)):
        for block, results in _kept(folder, form):
            words = np.arange(FRACTIONS, dtype=np.uint32) + np.uint32(block * FRACTIONS)
            place, flip = turns.place(words.view(np.float32), ahead)
            sines = results ^ flip
            if (known[place] & (found[place] != sines)).any():
                raise SystemExit(f"{form}, exponent {block}: quarters of a turn differ")
            found[place], known[place] = sines, True
    if not known.all():
        raise SystemExit(f"{size - known.sum()} sines of a quarter were not measured")
    return found


def _kept(folder: Path, form: str) -> Iterator[tuple[int, Array]]:
    with zipfile.ZipFile(folder / f"{form}.zip") as archive:
        names = set(archive.namelist())
        for block in KEPT[form]:
            if f"{form}.{block}.xz" in names:
                yield block, unpacked(archive.read(f"{form}.{block}.xz"))


def _write(name: str, values: Array) -> None:
    content = lzma.compress(tables.packed(values), preset=9 | lzma.PRESET_EXTREME)
    path = tables.FOLDER / f"{name}.xz"
    path.write_bytes(content)
    print(f"{path.name}: {len(content) >> 10} KiB", flush=True)


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
        if form in upper.UPPER:
            found = upper.UPPER[form](words)
        else:
            found = models.MODELS[form](words.view(np.float32))
    return zlib.crc32(np.ascontiguousarray(found).view(np.uint8).data)


def main() -> None:
    """Writes and compares."""
    forms = sorted([*models.MODELS, *upper.UPPER])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--compare-only", action="store_true")
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--form", action="append", choices=forms)
    options = parser.parse_args()
    if not options.compare_only:
        write_tables(options.folder)
        tables.table.cache_clear()
    compare(options.folder, options.form or forms, options.step)


if __name__ == "__main__":
    main()
