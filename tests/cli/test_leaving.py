"""The process ends at once, and does what its end owes."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import atexit, sys
from sassay.cli.leaving import keep, leave_with

class Large:
    def __del__(self):
        print("taken apart")

def work():
    keep(Large())
    print("said")
    return 3

atexit.register(print, "cleaned up")
{before}
leave_with(work)
"""


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("", "said\ncleaned up\n"),
        # Whoever watches the interpreter sees it end as always: nothing is kept.
        ("sys.setprofile(lambda *_: None)", "taken apart\nsaid\ncleaned up\n"),
    ],
)
def test_nothing_is_taken_apart_and_exit_handlers_run(before: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(before=before)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode, done.stderr) == (said, 3, "")
