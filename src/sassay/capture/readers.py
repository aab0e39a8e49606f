"""Processes that read cubins side by side: the work is Python's and numpy's in equal parts.

Threads would wait for one another at each of the hundred thousand short steps. The bytes of cubins
pass through memory that all of them map.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import subprocess
import sys
import threading
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING

import msgspec

from sassay.capture.wire import Answer, Broken, Job, Read, receive, send
from sassay.errors import ToolError

if TYPE_CHECKING:
    from pathlib import Path

    from sassay.capture.cubin_facts import CubinFacts
    from sassay.model.artifact import Packed

MEMORY_BYTES = 96 << 20
"""Shared memory: what waits to be read, as it is stored."""
MAX_READERS = 16
_ALIGN = 64
_KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
"""The GNU C library gives freed megabytes back at once, and clearing them anew for each cubin is a
tenth of a reader's time (mallopt(3)); other libraries know no such variables."""

_NO_BLAS = {"OPENBLAS_NUM_THREADS": "1"}
"""numpy's linear algebra, which nothing here uses, starts a thread a core that spins."""


def reader_count() -> int:
    """How many processes can work side by side here; 0 where memory cannot be shared."""
    if not hasattr(os, "memfd_create"):
        return 0
    with contextlib.suppress(AttributeError, OSError):
        return min(MAX_READERS, len(os.sched_getaffinity(0)))
    return min(MAX_READERS, os.cpu_count() or 1)


class Readers:
    """Some processes that read cubins.

    Args:
        folder: Where complete answers are kept for later runs; None keeps nothing.
        count: How many.
    """

    def __init__(self, folder: Path | None, count: int) -> None:
        descriptor = os.memfd_create("sassay")
        try:
            os.ftruncate(descriptor, MEMORY_BYTES)
            self._memory = mmap.mmap(descriptor, MEMORY_BYTES)
            self._space = _Space(MEMORY_BYTES)
            self._readers = [_Reader(descriptor, folder, self._space) for _ in range(count)]
        finally:
            os.close(descriptor)

    def submit(
        self, packed: Packed, *, place: str, locations: bool, tables: bool, key: str | None
    ) -> Future[CubinFacts] | None:
        """Ask for the facts of a cubin; waits for room for its bytes.

        Args:
            packed: Its bytes, which may be gone once this returns.
            place: For errors.
            locations: As of `analyze_cubin`.
            tables: As of `analyze_cubin`.
            key: Under which a complete answer is kept.

        Returns:
            None where there is never enough room.
        """
        stored = len(packed.stored)
        offset = 0
        if packed.part is None:
            if stored > MEMORY_BYTES // 2:
                return None
            offset = self._space.take(stored)
            self._memory[offset : offset + stored] = packed.stored
        job = Job(
            place, packed.part, offset, stored, packed.compressed, packed.size, locations, tables,
            key,
        )  # fmt: skip
        return min(self._readers, key=lambda reader: reader.waiting).ask(job)

    def close(self) -> None:
        """End the processes."""
        for reader in self._readers:
            reader.close()


class _Space:
    """Which parts of the shared memory are free."""

    def __init__(self, size: int) -> None:
        self._free = [(0, size)]
        self._changed = threading.Condition()

    def take(self, size: int) -> int:
        """The offset of so many free bytes; waits for them."""
        size = max(_ALIGN, -(-size // _ALIGN) * _ALIGN)
        with self._changed:
            while True:
                for index, (start, length) in enumerate(self._free):
                    if length >= size:
                        self._free[index : index + 1] = (
                            [(start + size, length - size)] if length > size else []
                        )
                        return start
                self._changed.wait()

    def give(self, offset: int, size: int) -> None:
        """Free them again."""
        size = max(_ALIGN, -(-size // _ALIGN) * _ALIGN)
        with self._changed:
            merged: list[tuple[int, int]] = []
            for start, length in sorted([*self._free, (offset, size)]):
                if merged and sum(merged[-1]) == start:
                    merged[-1] = (merged[-1][0], merged[-1][1] + length)
                else:
                    merged.append((start, length))
            self._free = merged
            self._changed.notify_all()


class _Reader:
    """One process, and a thread that hears its answers; they come in the order of the jobs."""

    def __init__(self, descriptor: int, folder: Path | None, space: _Space) -> None:
        self._space = space
        self._asked: deque[tuple[Job, Future[CubinFacts]]] = deque()
        self.waiting = 0
        """Bytes that it was asked to read and has not, once decompressed."""
        self._ended = False
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [
                sys.executable, "-P", "-m", "sassay.capture.worker",
                str(descriptor), str(MEMORY_BYTES), str(folder or ""),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(descriptor,),
            env={
                **os.environ,
                **_KEEP_MEMORY,
                **_NO_BLAS,
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            },
        )  # fmt: skip
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def ask(self, job: Job) -> Future[CubinFacts]:
        """The answer to a job, sooner or later."""
        future: Future[CubinFacts] = Future()
        with self._lock:
            if self._ended:
                raise ToolError("a reader ended early", artifact=job.place)
            self._asked.append((job, future))
            self.waiting += job.size
        stream = self._process.stdin
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):  # whoever listens says that it ended
                send(stream, job)
        return future

    def _listen(self) -> None:
        decoder = msgspec.msgpack.Decoder[Answer](Answer)
        stream = self._process.stdout
        while stream is not None and (answer := receive(stream, decoder)) is not None:
            with self._lock:
                job, future = self._asked.popleft()
                self.waiting -= job.size
            self._give(job)
            if isinstance(answer, Read):
                future.set_result(answer.facts)
            elif isinstance(answer, Broken):
                future.set_exception(ToolError(f"a reader failed: {answer.trace}"))
            else:
                future.set_exception(answer.error())
        with self._lock:
            left, self._asked = list(self._asked), deque()
            self._ended = True
        for job, future in left:
            self._give(job)
            future.set_exception(ToolError("a reader ended early", artifact=job.place))

    def _give(self, job: Job) -> None:
        if job.part is None:
            self._space.give(job.offset, job.stored)

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._thread.join()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
