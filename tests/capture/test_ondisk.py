from __future__ import annotations

import os
import random
import signal
import sys
import time
from typing import TYPE_CHECKING

import duckdb
import msgspec
import pytest
from tests.capture.helpers import opened
from tests.sources.material import triton_cache

from sassay.capture import (
    CodeArchive,
    is_capture,
    ondisk,
    read_capture,
    verify_capture,
    write_capture,
)
from sassay.errors import InputError, SassayError

if TYPE_CHECKING:
    from pathlib import Path

    from sassay.model.state import State

STEP_EVENTS = {"open", "os.rename", "os.mkdir", "os.chmod", "os.remove", "os.rmdir", "os.scandir"}
KILLED, FAILED, SURVIVED = 9, 7, 5


@pytest.fixture(scope="module")
def store() -> CodeArchive:
    return CodeArchive()


@pytest.fixture(scope="module")
def state(store: CodeArchive) -> State:
    return opened(triton_cache(), store)


def other(state: State) -> State:
    """A state that differs and is smaller."""
    return msgspec.structs.replace(state, label="other", kernels=state.kernels[:1])


def test_what_is_written_is_read(state: State, store: CodeArchive, tmp_path: Path) -> None:
    write_capture(state, store, tmp_path / "x.sassay")
    fresh = CodeArchive()
    back = read_capture(tmp_path / "x.sassay", fresh)
    assert back == state
    for kernel in back.kernels:
        assert kernel.code.sass is not None
        assert kernel.code.ptx is not None
        assert fresh.sass(kernel.code.sass) == store.sass(kernel.code.sass)
        assert fresh.ptx(kernel.code.ptx) == store.ptx(kernel.code.ptx)
    verify_capture(tmp_path / "x.sassay")
    assert opened(tmp_path / "x.sassay") == state


def test_the_same_state_gives_the_same_bytes(
    state: State, store: CodeArchive, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        write_capture(state, store, tmp_path / name)
    files = [
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in "ab"
    ]
    assert files[0] == files[1]
    assert set(files[0]) == {
        "manifest.json", "state.msgpack.zst", "code.bin", "code.index", "kernels.parquet",
        "census.parquet",
    }  # fmt: skip


def test_other_engines_read_the_tables(state: State, store: CodeArchive, tmp_path: Path) -> None:
    write_capture(state, store, tmp_path / "x.sassay")
    connection = duckdb.connect()
    count = connection.execute(
        f"SELECT layer, sum(count) FROM '{tmp_path}/x.sassay/census.parquet' GROUP BY layer"
    ).fetchall()
    expected = {
        layer: sum(
            sum((getattr(kernel.instructions, layer) or {}).values()) for kernel in state.kernels
        )
        for layer in ("ptx", "sass")
    }
    assert dict(count) == expected


def test_a_copy_of_a_capture_can_be_written_from_itself(
    state: State, store: CodeArchive, tmp_path: Path
) -> None:
    place = tmp_path / "x.sassay"
    write_capture(state, store, place)
    fresh = CodeArchive()
    back = read_capture(place, fresh)
    write_capture(back, fresh, place)
    assert read_capture(place, CodeArchive()) == state


def test_reading_needs_no_database(state: State, store: CodeArchive, tmp_path: Path) -> None:
    write_capture(state, store, tmp_path / "x.sassay")
    script = (
        "import sys, pathlib; from sassay.capture import CodeArchive, read_capture;"
        f"read_capture(pathlib.Path({str(tmp_path / 'x.sassay')!r}), CodeArchive());"
        "assert 'duckdb' not in sys.modules"
    )
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", script]) == 0


def test_something_else_is_never_replaced(state: State, store: CodeArchive, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    (tmp_path / "file").write_text("precious")
    for name in ("mine", "file"):
        with pytest.raises(InputError, match="exists and is no capture"):
            write_capture(state, store, tmp_path / name)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"
    assert not is_capture(str(tmp_path / "mine"))


def in_child(work: object, steps: int, *, kill: bool) -> int:
    """Run `work` in a child that is killed, or refused by the system, at one of its steps.

    Returns:
        The child's status: 0 where it needed fewer steps, `SURVIVED` where it did not mind.
    """
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        left = steps

        def hook(event: str, _: object) -> None:
            nonlocal left
            if event in STEP_EVENTS:
                left -= 1
                if left == 0:
                    if kill:
                        os._exit(KILLED)
                    raise OSError(28, "No space left on device")

        sys.addaudithook(hook)
        assert callable(work)
        work()
        status = 0 if left > 0 else SURVIVED
    except SassayError:
        status = FAILED
    finally:
        os._exit(status)


@pytest.mark.parametrize(
    ("kill", "exchange"), [(True, True), (True, False), (False, True), (False, False)]
)
def test_stopped_at_every_step(
    state: State,
    store: CodeArchive,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    kill: bool,
    exchange: bool,
) -> None:
    old = other(state)
    place = tmp_path / "x.sassay"
    if not exchange:
        monkeypatch.setattr(ondisk, "_exchange", lambda *_: False)
    # The database makes no step that Python could see, and is most of the time.
    monkeypatch.setattr(
        ondisk, "write_tables", lambda _, folder, __: (folder / "kernels.parquet").write_bytes(b"x")
    )
    write_capture(old, store, place)
    seen: set[str] = set()
    for step in range(1, 400):
        status = in_child(lambda: write_capture(state, store, place), step, kill=kill)
        if not place.exists():
            assert not exchange, "an exchange leaves no moment without a capture"
            seen.add("none")
        else:
            fresh = CodeArchive()
            back = read_capture(place, fresh)
            verify_capture(place)
            assert back in {old.label: [old], state.label: [state]}[back.label]
            seen.add(back.label)
        if status == 0:
            break
        assert status in ({KILLED} if kill else {FAILED, SURVIVED})
        if status == FAILED:
            assert [item.name for item in tmp_path.iterdir()] == ["x.sassay"], "nothing is left"
        write_capture(old, store, place)
        assert [item.name for item in tmp_path.iterdir()] == ["x.sassay"], "leftovers are removed"
    else:
        pytest.fail("the writer never came to its end")
    assert {old.label, state.label} <= seen


def test_killed_at_random_moments(state: State, store: CodeArchive, tmp_path: Path) -> None:
    old = other(state)
    place = tmp_path / "x.sassay"
    write_capture(old, store, place)
    chance = random.Random(1)
    for _ in range(12):
        child = os.fork()
        if not child:
            try:
                while True:
                    write_capture(state, store, place)
                    write_capture(old, store, place)
            finally:
                os._exit(1)
        time.sleep(chance.uniform(0.0, 0.12))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        back = read_capture(place, CodeArchive())
        verify_capture(place)
        assert back in (old, state)
    write_capture(old, store, place)
    assert [item.name for item in tmp_path.iterdir()] == ["x.sassay"]
