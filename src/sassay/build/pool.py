"""Runs compile workers; one that dies takes only its kernel with it."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import sassay
from sassay.build.messages import from_noise
from sassay.build.wire import Answer, Failed, Job

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TIMEOUT_S = 600.0
"""Longest time one kernel may take; ptxas needs minutes for the largest."""

MAX_PRINTED = 1 << 20

_KEPT_ENVIRONMENT = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")


def run_jobs(
    jobs: Sequence[Job],
    *,
    cache_dir: Path,
    workers: int,
    done: Callable[[int, Answer], None],
    timeout: float = TIMEOUT_S,
) -> None:
    """Compiles all jobs.

    Args:
        jobs: What to compile.
        cache_dir: Triton's cache folder.
        workers: Most processes at a time.
        done: Told the number of a job and its answer, from one thread at a time.
        timeout: Seconds for one job.

    Raises:
        Exception: Whatever `done` or the start of a worker raised; jobs may be left then.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(jobs)):
        waiting.put(number)
    lock = threading.Lock()
    faults: list[BaseException] = []

    def drive() -> None:
        try:
            drain()
        except BaseException as fault:  # noqa: BLE001 - raised again in the caller's thread
            faults.append(fault)

    def drain() -> None:
        worker: _Worker | None = None
        try:
            while True:
                try:
                    number = waiting.get_nowait()
                except queue.Empty:
                    return
                worker = worker if worker is not None and worker.alive else _Worker(cache_dir)
                answer = worker.compile(jobs[number], timeout)
                with lock:
                    done(number, answer)
        finally:
            if worker is not None:
                worker.close()

    threads = [
        threading.Thread(target=drive, daemon=True) for _ in range(max(1, min(workers, len(jobs))))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]


class _Worker:
    """One worker process in a private folder."""

    def __init__(self, cache_dir: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sassay-worker-")
        # Triton reads some forty variables that change what it emits; none of the caller's count.
        environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
        environment |= {
            "TRITON_CACHE_DIR": str(cache_dir.resolve()),
            "PYTHONPATH": str(Path(sassay.__file__).resolve().parents[1]),
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self._printed = (Path(self._folder.name) / "printed").open("a+b")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "sassay.build.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._printed,
            cwd=self._folder.name,
            env=environment,
        )
        self.alive = True

    def compile(self, job: Job, timeout: float) -> Answer:
        """The worker's answer, or what became of the worker."""
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        if pipe_in is None or pipe_out is None:  # both were asked for above
            return Failed("the compile worker has no pipes")
        late = threading.Event()

        def stop() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(timeout, stop)
        timer.start()
        try:
            pipe_in.write(msgspec.json.encode(job) + b"\n")
            pipe_in.flush()
            line = pipe_out.readline()
        except OSError:
            line = b""
        finally:
            timer.cancel()
        if line.endswith(b"\n"):
            return msgspec.json.decode(line, type=Answer)  # type: ignore[no-any-return]  # a union is no type to mypy
        self._process.wait()
        said = from_noise(
            os.pread(self._printed.fileno(), MAX_PRINTED, 0).decode("utf-8", "replace")
        )
        self.close()
        if late.is_set():
            return Failed(f"the compiler took longer than {timeout:.0f} s and was stopped")
        ending = f"the compiler crashed ({_ending(self._process.returncode)})"
        return Failed(f"{ending}: {said}" if said else ending)

    def close(self) -> None:
        """Ends the process and removes its folder."""
        self.alive = False
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):  # it died with bytes in the pipe
                self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._printed.close()
        self._folder.cleanup()


def _ending(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
