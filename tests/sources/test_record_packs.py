"""Many records lie in few files, and what happens to those costs no more than what it hits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sassay.sources import record_packs
from sassay.sources.record_cache import LOOSE_FROM, LOOSE_RECORDS, RecordCache, trim

if TYPE_CHECKING:
    from pathlib import Path

_MANY = 60
_SAVE = """
import os, resource, signal, sys
from pathlib import Path
from sassay.sources.record_cache import RecordCache
folder, first, last, how = sys.argv[1:]
if how == "full":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
cache = RecordCache(Path(folder), "kind", bytes)
for number in range(int(first), int(last)):
    cache.save(f"{number:064x}", number.to_bytes(4) * 50)
if how == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _process(folder: Path, first: int, last: int, how: str = "end") -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _SAVE, str(folder), str(first), str(last), how],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )


def _found(folder: Path, count: int = _MANY) -> list[int]:
    """Numbers of the records that hold; one that holds something else fails."""
    cache = RecordCache(folder, "kind", bytes)
    found = []
    for number in range(count):
        record = cache.load(_key(number))
        if record is not None:
            assert record == _record(number)
            found.append(number)
    return found


def _key(number: int) -> str:
    return f"{number:064x}"


def _record(number: int) -> bytes:
    return number.to_bytes(4) * 50


def _save(folder: Path, count: int = _MANY) -> None:
    cache = RecordCache(folder, "kind", bytes)
    for number in range(count):
        cache.save(_key(number), _record(number))


def _packs(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.pack"))


def test_a_process_that_keeps_many_makes_few_files(tmp_path: Path) -> None:
    _save(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) <= LOOSE_RECORDS + 3
    assert _found(tmp_path) == list(range(_MANY))
    cache = RecordCache(tmp_path, "kind", bytes)
    assert cache.holds(_key(_MANY - 1))
    assert not cache.holds(_key(_MANY))


def test_large_records_are_files_of_their_own(tmp_path: Path) -> None:
    _save(tmp_path)
    cache = RecordCache(tmp_path, "kind", bytes)
    large = os.urandom(LOOSE_FROM)
    for number in range(LOOSE_RECORDS + 1):
        cache.save(_key(_MANY + number), large)
    assert len(_packs(tmp_path)) == 1
    assert cache.load(_key(_MANY + LOOSE_RECORDS)) == large


def test_a_process_sees_what_it_kept_itself(tmp_path: Path) -> None:
    cache = RecordCache(tmp_path, "kind", bytes)
    for number in range(_MANY):
        assert cache.load(_key(number)) is None
        cache.save(_key(number), _record(number))
        assert cache.load(_key(number)) == _record(number)


def test_a_killed_process_loses_nothing(tmp_path: Path) -> None:
    assert _process(tmp_path, 0, _MANY, "kill").wait() == -signal.SIGKILL
    assert _found(tmp_path) == list(range(_MANY))


def test_processes_do_not_disturb_each_other(tmp_path: Path) -> None:
    started = [_process(tmp_path, first, 40) for first in (0, 10, 20)]
    assert [process.wait() for process in started] == [0, 0, 0]
    assert len(_packs(tmp_path)) == 3
    assert _found(tmp_path) == list(range(40))


def test_a_full_disk_costs_what_does_not_fit(tmp_path: Path) -> None:
    assert _process(tmp_path, 0, 400, "full").wait() == 0
    found = _found(tmp_path, 400)
    assert LOOSE_RECORDS < len(found) < 400
    assert found == list(range(len(found)))


@pytest.mark.parametrize("suffix", [".pack", ".index"])
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.999])
def test_a_cut_file_costs_what_was_cut(tmp_path: Path, suffix: str, kept: float) -> None:
    _save(tmp_path)
    (path,) = tmp_path.rglob(f"*{suffix}")
    os.truncate(path, int(path.stat().st_size * kept))
    packed = _MANY - LOOSE_RECORDS
    assert _found(tmp_path) == list(range(LOOSE_RECORDS + int(packed * kept)))
    _save(tmp_path)
    assert _found(tmp_path) == list(range(_MANY))


@pytest.mark.parametrize("suffix", [".pack", ".index"])
def test_damage_costs_what_it_hits(tmp_path: Path, suffix: str) -> None:
    _save(tmp_path)
    (path,) = tmp_path.rglob(f"*{suffix}")
    data = bytearray(path.read_bytes())
    for place in range(20, len(data), len(data) // 4):
        data[place] ^= 0xFF
    path.write_bytes(data)
    assert _MANY - 5 <= len(_found(tmp_path)) < _MANY
    _save(tmp_path)
    assert _found(tmp_path) == list(range(_MANY))


def test_an_entry_that_points_anywhere_does_not_count(tmp_path: Path) -> None:
    _save(tmp_path)
    (path,) = tmp_path.rglob("*.index")
    entry = path.read_bytes()[:32]
    path.write_bytes(entry + b"\xff" * 16)
    assert _found(tmp_path) == list(range(LOOSE_RECORDS))
    path.with_suffix(".pack").unlink()
    assert _found(tmp_path) == list(range(LOOSE_RECORDS))


def test_the_last_that_was_kept_counts(tmp_path: Path) -> None:
    for word in (b"old", b"new"):
        cache = RecordCache(tmp_path, "kind", bytes)
        for number in range(_MANY):
            cache.save(_key(number), word)
    cache = RecordCache(tmp_path, "kind", bytes)
    assert {cache.load(_key(number)) for number in range(_MANY)} == {b"new"}


def test_packs_are_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_packs, "MAX_PACKS", 3)
    for first in range(5):
        cache = RecordCache(tmp_path, "kind", bytes)
        for number in range(first * 20, first * 20 + 20):
            cache.save(_key(number), _record(number))
    assert len(_packs(tmp_path)) == 3
    assert _found(tmp_path, 100)[-60:] == list(range(40, 100))


def test_old_packs_are_trimmed(tmp_path: Path) -> None:
    for word in (b"old", b"new"):
        cache = RecordCache(tmp_path, word.decode(), bytes)
        for number in range(_MANY):
            cache.save(_key(number), word)
    for path in tmp_path.rglob("old/packs/*"):
        os.utime(path, (1_000_000, 1_000_000))
    sizes = [path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()]
    trim(tmp_path, limit=sum(sizes) - 1000)
    old, new = (RecordCache(tmp_path, name, bytes) for name in ("old", "new"))
    assert old.load(_key(_MANY - 1)) is None
    assert new.load(_key(_MANY - 1)) == b"new"
