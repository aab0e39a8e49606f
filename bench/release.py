"""Reads and compares two releases of a wheel of 1.7 GB, beside NVIDIA's text tools.

Downloads the wheels with pip if they are not there (1.1 GB together) and unpacks one of them
(1.6 GB of temporary space); neither is timed. The text tools read one small cubin only, since the
whole wheel would take them the better part of an hour: their figure is instructions a second of
processor time, nothing is extrapolated from it.

Usage: python -m bench.release [BEFORE.whl AFTER.whl] [--parts limits,census,diff,peer,...]
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import mmap
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import lz4.block
import numpy as np

from bench import measure
from bench.tree import TreeRun, run_tree
from sassay import jit
from sassay.capture.cubin_facts import CubinFacts, analyze_cubin, facts_of
from sassay.capture.demangle import demangle
from sassay.capture.families import cxx_family, parsed_name
from sassay.containers import FatbinEntry, find_fatbins, inflate, map_file, read_cubin
from sassay.containers.content_key import content_key
from sassay.isa.sass.tables import TableDecoder
from sassay.isa.sass.tables.compiled import Meter
from sassay.isa.sass.tables.shipped import shipped_columns
from sassay.isa.sass.tools import find_tools
from sassay.sources import pypi

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RELEASES = ("pypi:sgl-kernel==0.3.20", "pypi:sgl-kernel==0.3.21")
PARTS = ("limits", "census", "diff", "peer", "stages", "workers", "curve", "kernel")
WORD = 16
MIB = 1 << 20


def row(*cells: object) -> None:
    """One row of a Markdown table."""
    print(f"| {' | '.join(str(cell) for cell in cells)} |", flush=True)


def head(title: str, *columns: str) -> None:
    """A table's title and heading."""
    print(f"\n{title}\n")
    row(*columns)
    row("---", *["---:"] * (len(columns) - 1))


def seconds(work: Callable[[], object], runs: int = 3) -> float:
    """The fastest of some runs, in seconds of this process's own processor time."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def limits(wheel: Path) -> None:
    """What one core of this machine can do with bytes."""
    head("What one core can do", "", "MB/s of output")
    block = os.urandom(64 * MIB)
    target = bytearray(len(block))
    with zipfile.ZipFile(wheel) as archive:
        largest = max(archive.infolist(), key=lambda info: info.file_size)
        with archive.open(largest) as stream:
            plain = stream.read(64 * MIB)
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    deflated = packer.compress(plain) + packer.flush()
    fastest = inflate.library()
    packed = lz4.block.compress(plain, store_size=False)
    words = np.frombuffer(plain, "<u8").reshape(-1, 2)
    table = shipped_columns("sm_80")
    by_numpy, compiled = (TableDecoder(table, Meter(worth)) for worth in (sys.maxsize, 0))
    looked_up = [("decode by table (numpy)", lambda: by_numpy.decode(words))]
    if jit.available():
        compiled.decode(words[:1])  # what compiling costs is no matter of bytes
        looked_up.append(("decode by table (compiled)", lambda: compiled.decode(words)))

    def copy() -> None:
        memoryview(target)[:] = block

    for name, work in (
        ("copy", copy),
        ("SHA-256", lambda: hashlib.sha256(block).digest()),
        ("keys of content (BLAKE3 where it is installed)", lambda: content_key(block)),
        ("CRC-32", lambda: zlib.crc32(block)),
        ("LZ4", lambda: lz4.block.decompress(packed, uncompressed_size=len(plain))),
        ("inflate (zlib)", lambda: zlib.decompressobj(-15).decompress(deflated)),
        (
            f"inflate ({getattr(fastest, '__name__', 'zlib')})",
            lambda: fastest.decompressobj(-15).decompress(deflated, len(plain)),
        ),
        *looked_up,
    ):
        row(name, f"{len(plain) / 1e6 / seconds(work):,.0f}")


def sassay(arguments: Sequence[str], cache: Path) -> TreeRun:
    """One run of the command line."""
    return run_tree([sys.executable, "-m", "sassay", *arguments], {"SASSAY_CACHE_DIR": str(cache)})


def said(name: str, run: TreeRun, target: str = "") -> None:
    """A row of the runs of whole commands."""
    row(name, f"{run.wall:.1f}", f"{run.cpu:.1f}", f"{run.peak:,.0f}", target)


def census(wheel: Path, unpacked: Path, cache: Path) -> None:
    """The census of one wheel, from its files and from the zip."""
    head(
        "Census of a wheel, nothing cached",
        "",
        "wall s",
        "CPU s",
        "peak MB of all processes",
        "goal s",
    )
    for name, state, goal in (
        ("unpacked libraries", str(unpacked), "10"),
        ("wheel", str(wheel), "18"),
    ):
        shutil.rmtree(cache, ignore_errors=True)
        said(name, sassay(["show", state, "--summary"], cache), goal)
    shutil.rmtree(cache, ignore_errors=True)


def diff(wheels: Sequence[Path], cache: Path) -> None:
    """The comparison of two wheels, and again."""
    head("Diff of two wheels", "", "wall s", "CPU s", "peak MB of all processes", "goal s")
    shutil.rmtree(cache, ignore_errors=True)
    command = ["diff", *map(str, wheels)]
    first = sassay(command, cache)
    said("nothing cached", first, "40")
    again = sassay(command, cache)
    said("cached", again, "3")
    if first.output != again.output:
        raise SystemExit("the cached diff prints something else")
    shutil.rmtree(cache, ignore_errors=True)


def peer(entries: Sequence[FatbinEntry], folder: Path) -> None:
    """One core: the largest cubins beside what the text tools do with a small one."""
    head(
        "One core, reading and ELF parsing included",
        "", "instructions", "CPU s", "million a second",
    )  # fmt: skip
    tools = find_tools(None)
    small = min(entries, key=lambda entry: abs(entry.uncompressed_size - 2 * MIB))
    path = folder / "one.cubin"
    path.write_bytes(small.data())
    count = _instructions(
        analyze_cubin(path.read_bytes(), artifact="x", locations=False, tables=True)
    )
    slowest = 0.0
    for tool in tools[:1]:
        dump = Path(tool.path).with_name("cuobjdump")
        for name, command in (
            ("nvdisasm -c", [str(tool.path), "-c", str(path)]),
            ("cuobjdump -sass", [str(dump), "-sass", str(path)]),
        ):
            if not Path(command[0]).exists():
                continue
            before = os.times()
            subprocess.run(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
            )
            after = os.times()
            spent = after.children_user + after.children_system
            spent -= before.children_user + before.children_system
            slowest = max(slowest, count / spent)
            row(name, f"{count:,}", f"{spent:.2f}", f"{count / spent / 1e6:.3f}")
    largest = max(entries, key=lambda entry: entry.uncompressed_size)
    # What takes a few milliseconds is measured more often.
    for name, entry, runs in (
        ("sassay, the same cubin", small, 20),
        ("sassay, the largest", largest, 5),
    ):
        path.write_bytes(entry.data())

        def read() -> CubinFacts:
            # As a library is read: mapped, its pages given back.
            return analyze_cubin(map_file(path), artifact="x", locations=False, tables=True)

        found = _instructions(read())
        spent = seconds(read, runs)
        row(name, f"{found:,}", f"{spent:.3f}", f"{found / spent / 1e6:.1f}")
        if slowest:
            row(f"{name}: times the fastest text tool", "", "", f"{found / spent / slowest:,.0f}")


def _instructions(facts: CubinFacts) -> int:
    codes = [kernel.code_bytes for kernel in facts.kernels]
    return sum(codes + [function.code_bytes for function in facts.functions]) // WORD


def stages(entries: Sequence[FatbinEntry]) -> None:
    """Where the time of one core goes, over every eighth cubin."""
    some = entries[::8]
    datas = [entry.data() for entry in some]
    size = sum(map(len, datas)) / 1e6
    cubins = [read_cubin(data, artifact="x") for data in datas]
    symbols = sorted({kernel.symbol for cubin in cubins for kernel in cubin.kernels})
    kernels = sum(len(cubin.kernels) for cubin in cubins)

    def names() -> None:
        for cached in (demangle, cxx_family, parsed_name):
            cached.cache_clear()
        for symbol in symbols:
            cxx_family(symbol)

    head(
        f"Stages on one core, {len(some)} cubins of {size:,.0f} MB with {kernels:,} kernels",
        "", "s", "MB/s", "us a kernel",
    )  # fmt: skip
    for name, work in (
        ("unpack (LZ4, copies)", lambda: [entry.data() for entry in some]),
        ("keys of entries", lambda: [content_key(entry.stored) for entry in some]),
        ("read ELF, resources, code digests", lambda: [read_cubin(d, artifact="x") for d in datas]),
        ("count opcodes", lambda: [
            facts_of(cubin, artifact="x", locations=False, tables=True) for cubin in cubins
        ]),
        (f"names ({len(symbols):,} symbols)", names),
    ):  # fmt: skip
        spent = seconds(work)
        row(name, f"{spent:.2f}", f"{size / spent:,.0f}", f"{spent / kernels * 1e6:.0f}")


def workers(entries: Sequence[FatbinEntry]) -> None:
    """Threads against processes, over every fourth cubin: reading and counting alone."""
    datas = [entry.data() for entry in entries[::4]]

    def read(number: int) -> None:
        analyze_cubin(datas[number], artifact="x", locations=False, tables=True)

    def some(first: int, step: int) -> None:
        for number in range(first, len(datas), step):
            read(number)

    def threads() -> None:
        with ThreadPoolExecutor(2) as pool:
            for number in range(len(datas)):
                pool.submit(read, number)

    def processes() -> None:
        # Forked, so that the cubins are there: as cheap as processes come.
        context = multiprocessing.get_context("fork")
        jobs = [context.Process(target=some, args=(first, 2)) for first in (0, 1)]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()

    some(0, 8)  # lays the tables out, once
    head(f"Threads and processes, {len(datas)} cubins", "", "wall s", "CPU s")
    works: tuple[tuple[str, Callable[[], None]], ...] = (
        ("one thread", lambda: some(0, 1)),
        ("two threads", threads),
        ("two processes", processes),
    )
    for name, work in works:
        before, start = os.times(), time.perf_counter()
        work()
        wall, after = time.perf_counter() - start, os.times()
        row(name, f"{wall:.2f}", f"{sum(after[:4]) - sum(before[:4]):.2f}")


def curve(library: Path, folder: Path, cache: Path) -> None:
    """Time by bytes: parts of one library as bare fatbins."""
    head(f"Census of parts of {library.name}", "part", "MB", "wall s", "CPU s", "MB/s of wall")
    view = map_file(library)
    entries = list(find_fatbins(view, artifact=library.name))
    first = entries[0].offset - 16
    start = bytes(view[: entries[0].offset]).rfind((0xBA55ED50).to_bytes(4, "little"))
    for part in (8, 4, 2, 1):
        last = entries[len(entries) // part - 1]
        end = last.offset + last.size
        # Up to the next fatbin, so that the last one is whole.
        following = bytes(view[end : end + 4096]).find((0xBA55ED50).to_bytes(4, "little"))
        end = end + following if following >= 0 else end + 64
        path = folder / f"part{part}.fatbin"
        path.write_bytes(view[min(first, start) : end] if start < 0 else view[start:end])
        shutil.rmtree(cache, ignore_errors=True)
        run = sassay(["show", str(path), "--summary"], cache)
        size = path.stat().st_size / 1e6
        row(
            f"1/{part}",
            f"{size:,.0f}",
            f"{run.wall:.1f}",
            f"{run.cpu:.1f}",
            f"{size / run.wall:,.0f}",
        )
        path.unlink()


def kernel(library: Path, folder: Path, cache: Path) -> None:
    """One kernel out of a large library: how much of the file comes into memory."""
    head(f"One kernel of {library.name}", "", "wall s", "CPU s", "MB of the file read", "of MB")
    entry = next(iter(find_fatbins(map_file(library), artifact="x")))
    symbol = read_cubin(entry.data(), artifact="x").kernels[0].symbol
    copy = folder / library.name
    shutil.copyfile(library, copy)
    with copy.open("rb") as stream:
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    shutil.rmtree(cache, ignore_errors=True)
    run = sassay(["show", str(copy), symbol, "--arch", entry.arch, "--layer", "sass"], cache)
    resident = _resident(copy) / 1e6
    size = copy.stat().st_size / 1e6
    row(
        "show KERNEL --layer sass",
        f"{run.wall:.1f}",
        f"{run.cpu:.1f}",
        f"{resident:,.0f}",
        f"{size:,.0f}",
    )
    copy.unlink()


def _resident(path: Path) -> int:
    """Bytes of a file that are in memory (mincore(2)), what was read ahead among them."""
    with path.open("rb") as stream:
        mapped = mmap.mmap(
            stream.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE
        )
    pages = -(-len(mapped) // mmap.PAGESIZE)
    seen = (ctypes.c_ubyte * pages)()
    address = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
    library = ctypes.CDLL(None, use_errno=True)
    if library.mincore(ctypes.c_void_p(address), ctypes.c_size_t(len(mapped)), seen):
        raise OSError(ctypes.get_errno(), "mincore")
    return sum(value & 1 for value in bytes(seen)) * mmap.PAGESIZE


def main() -> int:
    """Run the parts that are asked for and print a table of each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wheels", nargs="*", type=Path, help="before and after")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    args = parser.parse_args()
    wheels = args.wheels or [pypi.fetch(release) for release in RELEASES]
    parts = args.parts.split(",")
    print(f"{' and '.join(wheel.name for wheel in wheels)}; {measure.load()}")
    with tempfile.TemporaryDirectory(prefix="sassay-bench-") as name:
        folder = Path(name)
        cache, unpacked = folder / "cache", folder / "unpacked"
        with zipfile.ZipFile(wheels[-1]) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith(".so")]
            for info in members:
                archive.extract(info, unpacked)
        libraries = sorted(unpacked.rglob("*.so"), key=lambda path: path.stat().st_size)
        entries = [
            entry
            for library in libraries[-3:]
            for entry in find_fatbins(map_file(library), artifact=library.name)
        ]
        works: tuple[tuple[str, Callable[[], None]], ...] = (
            ("limits", lambda: limits(wheels[-1])),
            ("census", lambda: census(wheels[-1], unpacked, cache)),
            ("diff", lambda: diff(wheels, cache)),
            ("peer", lambda: peer(entries, folder)),
            ("stages", lambda: stages(entries)),
            ("workers", lambda: workers(entries)),
            ("curve", lambda: curve(libraries[-1], folder, cache)),
            ("kernel", lambda: kernel(libraries[-1], folder, cache)),
        )
        for part, work in works:
            if part in parts:
                work()
    return 0


if __name__ == "__main__":
    sys.exit(main())
