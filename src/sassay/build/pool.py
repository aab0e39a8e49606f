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
from sassay.build.wire import FOLDER_PREFIX, Answer, Failed, Job
from sassay.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TIMEOUT_S = 600.0
"""Longest time one kernel may take; ptxas needs minutes for the largest."""

MAX_PRINTED = 1 << 20

_COMMAND = ("-P", "-m", "sassay.build.worker")
_KEPT_ENVIRONMENT = ("PATH", "HOME", "LD_LIBRARY_PATH", "SYSTEMROOT")


def run_jobs(
    jobs: Sequence[Job],
    *,
    cache_dir: Path,
    workers: int,
    done: Callable[[int, Answer], None],
    timeout: float = TIMEOUT_S,
) -> None:
    """Compiles all jobs; `done` hears of each of them, or this raises.

    Whatever ends this function, an interrupt included, ends every process that it started.

    Args:
        jobs: What to compile.
        cache_dir: Triton's cache folder.
        workers: Most processes at a time.
        done: Told the number of a job and its answer, from one thread at a time.
        timeout: Seconds for one job.

    Raises:
        ToolError: A job was left without an answer.
        Exception: Whatever `done` or the start of a worker raised; no further job starts then.
    """
    pool = _Pool(jobs, cache_dir, timeout, done)
    threads = [
        threading.Thread(target=pool.drive, daemon=True)
        for _ in range(max(1, min(workers, len(jobs))))
    ]
    started = []
    try:
        for thread in threads:
            thread.start()
            started.append(thread)
        for thread in threads:
            thread.join()
    except BaseException as fault:  # an interrupt: nothing that was started outlives it
        pool.stop(fault)
        for thread in started:
            thread.join()
        raise
    pool.finish()


class _Pool:
    """What the threads of one run share; each drives one worker at a time."""

    def __init__(
        self,
        jobs: Sequence[Job],
        cache_dir: Path,
        timeout: float,
        done: Callable[[int, Answer], None],
    ) -> None:
        self._jobs = jobs
        self._cache_dir = cache_dir
        self._timeout = timeout
        self._done = done
        self._waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(len(jobs)):
            self._waiting.put(number)
        self._lock = threading.Lock()
        self._faults: list[BaseException] = []
        self._living: set[_Worker] = set()
        self._told = 0

    def drive(self) -> None:
        """Takes jobs until none is left or something went wrong; runs in a thread."""
        try:
            self._drain()
        except BaseException as fault:  # noqa: BLE001 - raised again in the caller's thread
            self._faults.append(fault)

    def stop(self, fault: BaseException) -> None:
        """Ends the running workers; no further job starts."""
        with self._lock:
            self._faults.append(fault)
            for worker in self._living:
                worker.kill()

    def finish(self) -> None:
        """Raises unless every job was answered."""
        if self._faults:
            raise self._faults[0]
        if self._told != len(self._jobs):
            left = len(self._jobs) - self._told
            raise ToolError(f"{left} of {len(self._jobs)} kernels got no answer")

    def _drain(self) -> None:
        worker: _Worker | None = None
        try:
            while True:
                try:
                    number = self._waiting.get_nowait()
                except queue.Empty:
                    return
                with self._lock:
                    if self._faults:
                        return
                    worker = self._ready(worker)
                answer = worker.compile(self._jobs[number], self._timeout)
                with self._lock:
                    if self._faults:
                        return
                    try:
                        self._done(number, answer)
                    except BaseException as fault:
                        self._faults.append(fault)  # before another thread takes the lock
                        raise
                    self._told += 1
        finally:
            if worker is not None:
                with self._lock:
                    self._living.discard(worker)
                worker.close()

    def _ready(self, worker: _Worker | None) -> _Worker:
        if worker is not None and worker.alive:
            return worker
        fresh = _Worker(self._cache_dir)
        self._living = {*self._living, fresh} - {worker}
        return fresh


class _Worker:
    """One worker process in a private folder."""

    def __init__(self, cache_dir: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX)
        # Triton reads some forty variables that change what it emits; none of the caller's count.
        environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
        environment |= {
            "TMPDIR": self._folder.name,
            "TRITON_CACHE_DIR": str(cache_dir.resolve()),
            "PYTHONPATH": str(Path(sassay.__file__).resolve().parents[1]),
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self._printed = (Path(self._folder.name) / "printed").open("a+b")
        try:
            self._process = subprocess.Popen(
                [sys.executable, *_COMMAND],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._printed,
                cwd=self._folder.name,
                env=environment,
                start_new_session=True,  # ptxas, its child, ends with it
            )
        except OSError:
            self._printed.close()
            self._folder.cleanup()
            raise
        self.alive = True

    def compile(self, job: Job, timeout: float) -> Answer:
        """The worker's answer, or what became of the worker."""
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        if pipe_in is None or pipe_out is None:  # both were asked for above
            return Failed("the compile worker has no pipes")
        late = threading.Event()

        def stop() -> None:
            late.set()
            self.kill()

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
        # Its ptxas must not outlive it; its number is its own until it has been waited for.
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        self.kill()
        self._process.wait()
        said = from_noise(
            os.pread(self._printed.fileno(), MAX_PRINTED, 0).decode("utf-8", "replace")
        )
        self.close()
        if late.is_set():
            return Failed(f"the compiler took longer than {timeout:g} s and was stopped")
        ending = f"the compiler crashed ({_ending(self._process.returncode)})"
        return Failed(f"{ending}: {said}" if said else ending)

    def kill(self) -> None:
        """Ends the process and those that it started, at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it is gone already
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Ends the process and removes its folder."""
        self.alive = False
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):  # it died with bytes in the pipe
                self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
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
