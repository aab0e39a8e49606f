from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from tests.build.record.material_record import environment, project, record, sassay_command

from sassay.capture import CodeArchive, read_capture
from sassay.model.state import Level, State

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = sys.executable


def captured(path: Path) -> State:
    return read_capture(str(path), CodeArchive())


def digests(state: State) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for kernel in state.kernels:
        found.setdefault(kernel.family, []).append(kernel.digest)
    return {family: sorted(each) for family, each in found.items()}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the whole project; its own checkout, as git knows it."""
    folder = project(tmp_path_factory.mktemp("project"))
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=folder, check=True
        )
    done = record(
        folder, "-o", "run.sassay", "--", PYTHON, "-c", "import launch; launch.launch_all()",
        "--api-key=hunter2hunter2", CUDA_VISIBLE_DEVICES="3", HF_TOKEN="s3cr3tvalue",
        KERNEL_SCALE="3.0",
    )  # fmt: skip
    (folder / "stderr").write_bytes(done.stderr)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    return folder


def test_kernels_that_stayed_are_captured_and_rejects_are_counted(recorded: Path) -> None:
    state = captured(recorded / "run.sassay")
    assert {name: len(each) for name, each in digests(state).items()} == {
        "scale": 2, "pair": 1, "tuned": 1, "inner": 1,
    }  # fmt: skip
    assert state.counts["autotuning_rejects"] == 2
    assert not [d for d in state.diagnostics if d.level is Level.ERROR]


def test_the_environment_is_told_without_secrets(recorded: Path) -> None:
    state = captured(recorded / "run.sassay")
    told = dict(state.environment)
    assert str(told["command"]).endswith("'import launch; launch.launch_all()' '--api-key=***'")
    assert told["env.CUDA_VISIBLE_DEVICES"] == "3"
    assert told["exit_status"] == 0
    assert told["git.dirty"] is False
    assert len(str(told["git.revision"])) == 40
    assert told["package.triton"]
    assert told["option.api-key"] == "***"
    everything = b"".join(path.read_bytes() for path in (recorded / "run.sassay").iterdir())
    assert b"hunter2" not in everything
    assert b"s3cr3tvalue" not in everything


def test_the_manifest_compiles_the_same_code_again(recorded: Path) -> None:
    """From the sources alone: no driver, nothing imported, another process."""
    done = subprocess.run(
        sassay_command("compile", "run.toml", "-o", "again.sassay"),
        cwd=recorded, env=environment(recorded), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ran = digests(captured(recorded / "run.sassay"))
    again = digests(captured(recorded / "again.sassay"))
    assert again == {name: each for name, each in ran.items() if name != "inner"}


def test_the_manifest_says_what_it_leaves_out_and_what_the_sources_do_not_tell(
    recorded: Path,
) -> None:
    text = (recorded / "run.toml").read_text()
    assert "#   inner kernels.py: no function `inner` at module level" in text
    # SCALE came from the environment, DEPTH from a call; WIDE is what the file says.
    assert "globals = { DEPTH = 3, SCALE = 3.0 }" in text
    assert (
        b"1 function cannot be compiled again, such as inner" in (recorded / "stderr").read_bytes()
    )


def test_a_changed_source_shows_in_what_the_manifest_compiles(
    recorded: Path, tmp_path: Path
) -> None:
    text = (recorded / "kernels.py").read_text()
    (tmp_path / "kernels.py").write_text(text.replace("constexpr(8)", "constexpr(9)"))
    done = subprocess.run(
        sassay_command(
            "compile", str(recorded / "run.toml"), "--root", ".", "-o", "head.sassay"
        ),
        cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ran, head = (digests(captured(x)) for x in (recorded / "run.sassay", tmp_path / "head.sassay"))
    assert head["scale"] != ran["scale"]
    assert head["pair"] == ran["pair"]


def test_rejects_are_kept_on_request(tmp_path: Path) -> None:
    project(tmp_path)
    code = "import launch as l; l.k.tuned.run(l.Tensor('float32'), 64, grid=(1,), warmup=True)"
    done = record(tmp_path, "-o", "r.sassay", "--rejects", "--", PYTHON, "-c", code)
    assert done.returncode == 0, done.stderr
    kernels = captured(tmp_path / "r.sassay").kernels
    facts = sorted(str(k.facts["autotuning"].value) if k.facts else "kept" for k in kernels)
    assert facts == ["kept", "rejected", "rejected"]


def test_a_failing_command_keeps_its_status_and_its_kernels(tmp_path: Path) -> None:
    project(tmp_path)
    code = "import launch, sys; launch.launch_scale(); print('out'); sys.exit(7)"
    done = record(tmp_path, "-o", "r.sassay", "--", PYTHON, "-c", code)
    assert done.returncode == 7
    assert done.stdout == b"out\n"
    state = captured(tmp_path / "r.sassay")
    assert len(state.kernels) == 2
    assert state.environment["exit_status"] == 7
    errors = [d.message for d in state.diagnostics if d.level is Level.ERROR]
    (error,) = errors
    assert error.startswith("the command ended with status 7: what it emitted until then is")


def test_a_crash_is_marked_and_what_came_before_is_captured(tmp_path: Path) -> None:
    project(tmp_path)
    code = "import launch, os; launch.launch_scale(); os.kill(os.getpid(), 9)"
    done = record(tmp_path, "-o", "r.sassay", "--", PYTHON, "-c", code)
    assert done.returncode == 128 + 9
    state = captured(tmp_path / "r.sassay")
    assert len(state.kernels) == 2
    assert any("was killed by SIGKILL" in d.message for d in state.diagnostics)
    assert (tmp_path / "r.toml").is_file()
    check = subprocess.run(
        sassay_command("check", "r.sassay", "r.sassay"),
        cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert check.returncode == 2, "a state that is not whole is never a pass"


def test_forked_and_spawned_children_tell_what_they_compile(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "run.py").write_text(
        "import multiprocessing as mp, os\n"
        "def one():\n"
        "    import launch as l\n"
        "    l.k.pair.warmup((l.Tensor('float32'), l.Tensor('float32'), 3), 'tl.add', BLOCK=64,"
        " grid=(1,))\n"
        "if __name__ == '__main__':\n"
        "    p = mp.get_context('spawn').Process(target=one)\n"
        "    p.start(); p.join(); assert p.exitcode == 0\n"
        "    import launch\n"
        "    pid = os.fork()\n"
        "    if not pid:\n"
        "        launch.launch_scale()\n"
        "        os._exit(0)\n"
        "    assert os.waitpid(pid, 0)[1] == 0\n"
    )
    done = record(tmp_path, "-o", "r.sassay", "--", PYTHON, "run.py")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "r.toml").read_text()
    assert 'function = "pair"' in text
    assert 'function = "scale"' in text
    assert {k.family for k in captured(tmp_path / "r.sassay").kernels} == {"pair", "scale"}


def test_much_output_passes_untouched(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "block = bytes(range(256)) * 4096\n"
        "for _ in range(100): sys.stdout.buffer.write(block)\n"
        "sys.exit(3)"
    )
    block, total, whole = bytes(range(256)) * 4096, 0, True
    with subprocess.Popen(
        sassay_command("record", "-o", "r.sassay", "--", PYTHON, "-c", code),
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while data := process.stdout.read(len(block)):
            whole = whole and data == block
            total += len(data)
        errors = process.stderr.read()
    assert process.returncode == 3
    assert (total, whole) == (100 << 20, True)
    assert errors.decode().startswith("sassay: error: nothing is captured:")


def test_a_command_that_compiles_nothing_is_no_success(tmp_path: Path) -> None:
    done = record(tmp_path, "-o", "r.sassay", "--", PYTHON, "-c", "print('no GPU here')")
    assert done.returncode == 2
    assert done.stdout == b"no GPU here\n"
    assert b"left no compiled kernel in its caches" in done.stderr
    assert not (tmp_path / "r.sassay").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_goes_through_and_ends_the_recording_well(
    tmp_path: Path, number: signal.Signals
) -> None:
    project(tmp_path)
    (tmp_path / "serve.py").write_text(
        "import signal, sys, time\n"
        "import launch\n"
        "launch.launch_scale()\n"
        "def stop(number, frame):\n"
        "    print('stopped by', signal.Signals(number).name, flush=True)\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "signal.signal(signal.SIGINT, stop)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        sassay_command("record", "-o", "r.sassay", "--", PYTHON, "serve.py"),
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert out == f"stopped by {number.name}\n"
    assert process.returncode == 0, err
    state = captured(tmp_path / "r.sassay")
    assert len(state.kernels) == 2
    assert not [d for d in state.diagnostics if d.level is Level.ERROR]


def test_an_existing_sitecustomize_still_runs(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("import sys\nsys.own_customization = __file__\n")
    source = environment(tmp_path)["PYTHONPATH"]
    code = (
        "import sys, sitecustomize\n"
        "assert sitecustomize.__file__ == sys.own_customization, sitecustomize\n"
        "print('ran')\nsys.exit(5)"
    )
    done = record(
        tmp_path, "-o", "r.sassay", "--", PYTHON, "-c", code, PYTHONPATH=f"{own}:{source}"
    )
    assert (done.returncode, done.stdout) == (5, b"ran\n"), done.stderr


def test_processes_left_behind_are_waited_for(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "late.py").write_text(
        "import time, launch\ntime.sleep(0.5)\nlaunch.launch_scale()\n"
    )
    code = "import subprocess, sys; subprocess.Popen([sys.executable, 'late.py'])"
    done = record(tmp_path, "-o", "r.sassay", "--", PYTHON, "-c", code)
    assert done.returncode == 0, done.stderr
    assert len(captured(tmp_path / "r.sassay").kernels) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "r.sassay", "--", "no-such-command"], "no-such-command: there is no such command"),
        (["-o", "nowhere/r.sassay", "--", "true"], "there is no folder nowhere"),
        (["-o", "r.sassay", "--leave", "x", "--", "true"], "no cache is called 'x'"),
        (["-o", "r.sassay"], "missing argument"),
        (["-o", "data", "--", "true"], "exists and is no capture"),
    ],
)
def test_a_wrong_command_line_is_told_before_anything_runs(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "data").mkdir()
    done = record(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr.decode()
    assert len(done.stderr.decode().splitlines()) == 1


def test_loaded_libraries_with_device_code_are_seen(tmp_path: Path) -> None:
    """A process that maps a library is looked at while it runs."""
    from sassay.build.record.libraries import LibraryWatch, with_device_code

    watch = LibraryWatch()
    watch.poll(os.getpid())
    assert any("libc.so" in path or "libc-" in path for path in watch.paths)
    assert with_device_code(watch.paths, ["*libc.so*"]) == ()
    started = time.monotonic()
    watch.poll(os.getpid())  # looking again at once would take more than its share
    assert time.monotonic() - started < 0.01
