"""What goes to which stream: reports, progress, colours, closed pipes, full disks, Ctrl-C."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.cli.running import command, environment, run, spawn

ESCAPE = "\x1b["
_PROGRESS = "starting|analyzing|reading|comparing"
"""Which of them is seen depends on how fast the machine is."""


def in_terminal(*arguments: str, cwd: Path, **env: str) -> tuple[str, int]:
    """Everything that a terminal shows of one command line, and its exit status."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*arguments),
        cwd=cwd,
        env=environment(TERM="xterm-256color", COLUMNS="132", **env),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            part = os.read(ours, 1 << 16)
        except OSError:  # Linux: the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    return shown.decode("utf-8", "replace"), process.wait(60)


def test_a_terminal_gets_colours_and_progress_that_goes_away(inputs: Path) -> None:
    shown, status = in_terminal("diff", "before", "after", "--summary", cwd=inputs)
    assert status == 0
    assert ESCAPE in shown
    progress, _, report = shown.partition("sassay diff")
    assert re.search(_PROGRESS, progress)
    assert f"{ESCAPE}2K" in progress, "the progress line is erased"
    assert not re.search(_PROGRESS, report)
    assert f"{ESCAPE}?25h" in shown, "the cursor is back"


@pytest.mark.parametrize(
    ("env", "option", "coloured"),
    [
        ({"NO_COLOR": "1"}, [], False),
        ({}, ["--no-color"], False),
        ({"NO_COLOR": "1"}, ["--color"], True),
    ],
)
def test_colours_in_a_terminal(
    env: dict[str, str], option: list[str], coloured: bool, inputs: Path
) -> None:
    shown, _ = in_terminal("show", "before.sassay", "--summary", *option, cwd=inputs, **env)
    report = shown.partition(f"{ESCAPE}?25h")[2]
    assert (f"{ESCAPE}1m" in report) is coloured


@pytest.mark.parametrize(
    ("env", "option", "coloured"),
    [
        ({}, [], False),
        ({"FORCE_COLOR": "1"}, [], True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, [], False),
        ({}, ["--color"], True),
        ({"FORCE_COLOR": "1"}, ["--no-color"], False),
    ],
)
def test_colours_in_a_pipe(
    env: dict[str, str], option: list[str], coloured: bool, inputs: Path
) -> None:
    result = run("diff", "before.sassay", "after.sassay", *option, cwd=inputs, env=env)
    assert (ESCAPE in result.stdout) is coloured
    assert result.stderr == ""


@pytest.mark.parametrize("format_", ["json", "markdown", "html"])
def test_only_the_terminal_format_has_colours(format_: str, inputs: Path) -> None:
    line = ("diff", "before.sassay", "after.sassay", "--color", "--format", format_)
    assert ESCAPE not in run(*line, cwd=inputs).stdout


def test_a_file_never_gets_colours_by_itself(workplace: Path) -> None:
    shown, _ = in_terminal("show", "before.sassay", "-o", "out.txt", cwd=workplace)
    assert ESCAPE not in (workplace / "out.txt").read_text()
    assert "kernels" not in shown


@pytest.mark.parametrize("columns", [60, 100, 160])
def test_a_report_fits_its_columns(columns: int, inputs: Path) -> None:
    env = {"COLUMNS": str(columns)}
    for line in (["diff", "before.sassay", "after.sassay", "--all", "--full"], ["show", "before"]):
        text = run(*line, cwd=inputs, env=env).stdout
        widest = max(text.splitlines(), key=len)
        assert len(widest) <= columns, widest


def test_standard_output_carries_only_the_report(inputs: Path) -> None:
    result = spawn("show", "mixed", "--format", "json", cwd=inputs)
    assert result.status == 0
    assert result.stdout.startswith("{")
    assert result.stdout.endswith("}\n")
    assert re.fullmatch(r"sassay: error: [^\n]*gemm_tile\.cubin: [^\n]*\n", result.stderr)


def closed_pipe(*arguments: str, cwd: Path) -> tuple[int, str]:
    """Run a command line whose reader is gone before the first byte."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        command(*arguments), cwd=cwd, env=environment(), stdout=writer, stderr=subprocess.PIPE,
        timeout=60, check=False,
    )  # fmt: skip
    os.close(writer)
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("show before.sassay", 0),
        ("policy list", 0),
        ("--help", 0),
        ("check after.sassay --policy gate.yaml", 1),
        ("check after.sassay", 2),
    ],
)
def test_a_reader_that_leaves_changes_nothing(line: str, status: int, inputs: Path) -> None:
    assert closed_pipe(*line.split(), cwd=inputs) == (status, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("line", ["show before.sassay", "policy list", "--help"])
def test_a_full_disk_is_an_error(line: str, inputs: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command(*line.split()), cwd=inputs, env=environment(), stdout=full,
            stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    said = done.stderr.decode()
    assert said.count("\n") == 1
    assert said.startswith("sassay: error: ")
    assert "No space left on device" in said


@pytest.mark.parametrize("delay", [0.0, 0.2, 0.6])
def test_ctrl_c_ends_at_once_and_leaves_no_child(
    delay: float, workplace: Path, tmp_path: Path
) -> None:
    """A tool that hangs stands for nvdisasm, so that there is a child to end."""
    sleeper = tmp_path / "nvdisasm"
    sleeper.write_text(
        "#!/bin/sh\n"
        'case "$1" in\n'
        "--version) echo 'Cuda compilation tools, release 99.0, V99.0.1';;\n"
        "--help) printf 'x\\n--binary <SM>\\n Allowed values: '\"'SM80','SM90a'\"'\\n--z\\n';;\n"
        f"*) touch {tmp_path}/started; exec sleep 60;;\n"
        "esac\n"
    )
    sleeper.chmod(0o755)
    process = subprocess.Popen(
        command("show", "before", "gemm_tile", "--arch", "sm_80", "--layer", "sass"),
        cwd=workplace,
        env=environment(SASSAY_NVDISASM=str(sleeper), SASSAY_CACHE_DIR=str(tmp_path / "cache")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    until = time.monotonic() + 60
    while not (tmp_path / "started").exists() and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.02)
    time.sleep(delay)
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert (out, err) == (b"", b"sassay: error: interrupted\n")
    assert time.monotonic() - sent < 5
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
