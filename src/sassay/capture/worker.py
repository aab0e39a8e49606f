"""Reads cubins that another process puts into shared memory, until nobody asks any more.

Run as `python -m sassay.capture.worker DESCRIPTOR BYTES FOLDER`; see `readers`.
"""

from __future__ import annotations

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
from sassay.errors import SassayError
from sassay.model.artifact import ArtifactKind
from sassay.sources.record_cache import RecordCache


def answer(job: Job, memory: memoryview, records: RecordCache[CubinFacts]) -> Answer:
    """Read one cubin.

    Args:
        job: Which, and what of it.
        memory: What both sides map.
        records: Where complete answers are kept.
    """
    try:
        data = unpack_entry(
            memory[job.offset : job.offset + job.stored],
            kind=ArtifactKind.CUBIN,
            compressed=job.compressed,
            size=job.size,
            artifact=job.place,
        )
        facts = analyze_cubin(data, artifact=job.place, locations=job.locations, tables=job.tables)
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
    jobs = msgspec.msgpack.Decoder(Job)
    gc.disable()  # nothing here makes cycles, and looking for them takes time
    while (job := receive(sys.stdin.buffer, jobs)) is not None:
        send(sys.stdout.buffer, answer(job, memory, records))


if __name__ == "__main__":
    main()
