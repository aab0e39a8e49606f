"""numpy is loaded without threads by commands that only read, and nobody else notices."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from tests.cli.running import environment

SCRIPT = """
import json, os, sys
from pathlib import Path
from sassay.cli.session import Session
assert "numpy" not in sys.modules
before = dict(os.environ)
with Session(quiet=True, algebra={algebra}):
    pass
import numpy
threads = len(list(Path("/proc/self/task").iterdir())) if Path("/proc/self/task").exists() else 1
print(json.dumps([threads, dict(os.environ) == before]))
"""


def loaded(variables: dict[str, str], *, algebra: bool) -> list[Any]:
    plain = {k: v for k, v in environment().items() if not k.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(algebra=algebra)],
        env={**plain, **variables},
        capture_output=True,
        check=True,
        text=True,
    )
    found: list[Any] = json.loads(done.stdout)
    return found


def test_reading_starts_no_threads_and_leaves_the_environment() -> None:
    assert loaded({}, algebra=False) == [1, True]


@pytest.mark.parametrize("name", ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"])
def test_the_user_is_obeyed(name: str) -> None:
    asked = loaded({name: "3"}, algebra=False)
    assert asked == loaded({name: "3"}, algebra=True)
    assert asked[1]


def test_commands_that_multiply_load_numpy_as_it_is() -> None:
    plain = subprocess.run(
        [sys.executable, "-c", "import numpy, os; print(len(os.listdir('/proc/self/task')))"],
        env={k: v for k, v in environment().items() if not k.endswith("_NUM_THREADS")},
        capture_output=True,
        check=True,
        text=True,
    )
    assert loaded({}, algebra=True) == [int(plain.stdout), True]
