from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sassay.build import pool
from sassay.build.pool import run_jobs
from sassay.build.wire import Answer, Compiled, Extraction, Failed, Job

if TYPE_CHECKING:
    from collections.abc import Callable

JOB = Job(
    extraction=Extraction(file="k.py", function="k", units=()),
    signature=(),
    constants=(),
    divisibility=(),
    options={},
    arch=90,
)
# Answers each job at once, dies at every third by the signal that LLVM's crashes end with.
CRASHES = """
import os, signal, sys
for number, line in enumerate(sys.stdin.buffer):
    if number == 2:
        os.write(2, b"LLVM ERROR: out of registers")
        os.kill(os.getpid(), signal.SIGSEGV)
    sys.stdout.write('{"type": "compiled", "key": "K", "options": {}}\\n')
    sys.stdout.flush()
"""
# Starts a child, as Triton starts ptxas, and waits for it for ever.
HANGS = """
import pathlib, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path({place!r}).write_text(str(child.pid))
child.wait()
"""


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def use(code: str) -> None:
        monkeypatch.setattr(pool, "_COMMAND", ("-c", code))

    return use


def gone(pid: int) -> bool:
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except FileNotFoundError:
            return True
        if state[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def child_of(place: Path) -> int:
    for _ in range(200):
        if place.exists() and place.read_text(encoding="utf-8"):
            return int(place.read_text(encoding="utf-8"))
        time.sleep(0.05)
    raise AssertionError("the worker did not start")


def test_every_job_is_answered_whatever_crashes(
    tmp_path: Path, worker: Callable[[str], None]
) -> None:
    worker(CRASHES)
    answers: dict[int, Answer] = {}
    run_jobs([JOB] * 9, cache_dir=tmp_path, workers=2, done=answers.__setitem__)
    assert sorted(answers) == list(range(9))
    crashed = [answer for answer in answers.values() if isinstance(answer, Failed)]
    assert {answer.message for answer in crashed} == {
        "the compiler crashed (SIGSEGV): LLVM ERROR: out of registers"
    }
    assert len(crashed) >= 2
    assert sum(isinstance(answer, Compiled) for answer in answers.values()) == 9 - len(crashed)


def test_what_the_listener_raises_ends_the_run(
    tmp_path: Path, worker: Callable[[str], None]
) -> None:
    worker(CRASHES)
    told: list[int] = []

    def done(number: int, answer: Answer) -> None:
        told.append(number)
        if len(told) == 2:
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        run_jobs([JOB] * 50, cache_dir=tmp_path, workers=2, done=done)
    assert len(told) == 2


def test_a_worker_that_cannot_start_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    with pytest.raises(FileNotFoundError):
        run_jobs([JOB], cache_dir=tmp_path, workers=1, done=lambda _n, _a: None)


def test_a_hang_is_stopped_with_the_processes_that_it_started(
    tmp_path: Path, worker: Callable[[str], None]
) -> None:
    place = tmp_path / "child"
    worker(HANGS.format(place=str(place)))
    answers: dict[int, Answer] = {}
    run_jobs([JOB], cache_dir=tmp_path, workers=1, done=answers.__setitem__, timeout=3)
    assert answers == {0: Failed("the compiler took longer than 3 s and was stopped")}
    assert gone(child_of(place))


RUN = """
import sys
from pathlib import Path
from sassay.build import pool
from tests.build.test_pool import HANGS, JOB
code = HANGS.format(place=sys.argv[1])
if sys.argv[2] == "follow":
    code = (
        "import os, threading\\nfrom sassay.build.worker import follow\\n"
        "threading.Thread(target=follow, args=(os.getppid(),), daemon=True).start()\\n" + code
    )
pool._COMMAND = ("-c", code)
pool.run_jobs([JOB], cache_dir=Path(sys.argv[1]).parent, workers=1, done=lambda n, a: None)
"""


@pytest.mark.parametrize(("number", "mode"), [(signal.SIGINT, "plain"), (signal.SIGKILL, "follow")])
def test_nothing_outlives_a_run_that_is_ended(tmp_path: Path, number: int, mode: str) -> None:
    place = tmp_path / "child"
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, str(place), mode],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(scratch)},
    )
    child = child_of(place)
    run.send_signal(number)
    run.wait(20)
    assert gone(child)
    for _ in range(100):
        if not list(scratch.iterdir()):
            break
        time.sleep(0.05)
    assert list(scratch.iterdir()) == []
