"""Reads cubins that another process names or puts into shared memory, until nobody asks any more.

Run as `python -m sassay.capture.worker DESCRIPTOR BYTES FOLDER`; see `readers`.
"""

from __future__ import annotations

import contextlib
import gc
import mmap
import signal
import sys
import traceback
from pathlib import Path

import msgspec

from sassay.capture.cubin_facts import CubinFacts, analyze_cubin
from sassay.capture.wire import Answer, Broken, Job, Read, receive, refused, send
from sassay.containers.fatbin import unpack_entry
from sassay.containers.mapped import identity, map_file, release_part
from sassay.errors import FormatError, SassayError
from sassay.model.artifact import ArtifactKind, FilePart
from sassay.sources.record_cache import RecordCache

_MAX_FILES = 4


class _Files:
    """The files that were mapped last."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[tuple[int, ...], memoryview]] = {}

    def part(self, job: Job, part: FilePart) -> memoryview:
        """The bytes of a job that lie in a file.

        Raises:
            SassayError: It is not the file any more that was meant.
        """
        known, view = self._open.get(part.path, (None, memoryview(b"")))
        if known != part.identity:
            view = map_file(part.path, artifact=job.place)
            with contextlib.suppress(OSError):
                known = identity(part.path)
            while len(self._open) >= _MAX_FILES:
                del self._open[next(iter(self._open))]
            self._open[part.path] = (known or (), view)
        if known != part.identity:
            raise FormatError("changed while it was read", artifact=job.place)
        return view[part.offset : part.offset + job.stored]


def answer(job: Job, memory: memoryview, files: _Files, records: RecordCache[CubinFacts]) -> Answer:
    """Read one cubin.

    Args:
        job: Which, and what of it.
        memory: What both sides map.
        files: What lies on disk.
        records: Where complete answers are kept.
    """
    try:
        if job.part is not None:
            stored = files.part(job, job.part)
        else:
            stored = memory[job.offset : job.offset + job.stored]
        data = unpack_entry(
            stored,
            kind=ArtifactKind.CUBIN,
            compressed=job.compressed,
            size=job.size,
            artifact=job.place,
        )
        facts = analyze_cubin(data, artifact=job.place, locations=job.locations, tables=job.tables)
        release_part(stored)
    except SassayError as error:
        return refused(error)
    except Exception:  # noqa: BLE001 - said by the process that asked, which can say it
        return Broken(traceback.format_exc())
    if job.key is not None and facts.complete:
        records.save(job.key, facts)
    return Read(facts)


def main() -> None:
    """Answer jobs from standard input on standard output."""
    descriptor, size, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asked decides when to stop
    memory = memoryview(mmap.mmap(descriptor, size, access=mmap.ACCESS_READ))
    records = RecordCache(Path(folder) if folder else None, "cubins", CubinFacts)
    files = _Files()
    jobs = msgspec.msgpack.Decoder(Job)
    gc.disable()  # nothing here makes cycles, and looking for them takes time
    while (job := receive(sys.stdin.buffer, jobs)) is not None:
        send(sys.stdout.buffer, answer(job, memory, files, records))


if __name__ == "__main__":
    main()
