"""A file or folder is known again while nothing of it changed, and only then."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from sassay.sources import unchanged
from sassay.sources.unchanged import identity

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of this test count although they were written just now."""
    for clock in ("SETTLED_NS", "FINE_NS"):
        monkeypatch.setattr(unchanged, clock, -(10**18))


def _rewrite(file: Path) -> None:
    """Other content of the same size, with the old times put back."""
    status = file.stat()
    file.write_bytes(b"B" * status.st_size)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def _replace(file: Path) -> None:
    status = file.stat()
    other = file.with_name("other")
    other.write_bytes(b"C" * status.st_size)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(file)


def _age(path: Path) -> None:
    """Wait for the next tick of the clock that the file system uses."""
    first = path.stat().st_ctime_ns
    probe = path.parent / "probe"
    while True:
        probe.write_bytes(b"")
        if probe.stat().st_ctime_ns != first:
            probe.unlink()
            return
        time.sleep(0.001)


@pytest.mark.usefixtures("_settled")
@pytest.mark.parametrize("change", [_rewrite, _replace, os.utime, lambda file: file.chmod(0o600)])
def test_every_change_is_noticed(tmp_path: Path, change: Callable[[Path], None]) -> None:
    file = tmp_path / "a.whl"
    file.write_bytes(b"A" * 100)
    before = identity(file)
    assert before is not None
    assert identity(file) == before
    _age(file)
    change(file)
    assert identity(file) not in {before, None}


@pytest.mark.usefixtures("_settled")
def test_a_folder_is_all_that_lies_in_it(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "below").mkdir(parents=True)
    outside.write_bytes(b"1")
    (root / "below" / "a.so").write_bytes(b"A")
    (root / "link").symlink_to(outside)
    seen = {identity(root)}
    (root / "below" / "b.so").write_bytes(b"B")
    seen.add(identity(root))
    (root / "below" / "b.so").rename(root / "b.so")
    seen.add(identity(root))
    _age(root / "b.so")
    _rewrite(root / "b.so")
    seen.add(identity(root))
    assert len(seen) == 4
    assert None not in seen
    for name in ("__pycache__", ".git", "tmp.pid_1_x"):  # what the walk leaves out
        (root / name).mkdir()
        (root / name / "file").write_bytes(b"")
    outside.write_bytes(b"2")
    assert identity(root) in seen


def test_what_changed_just_now_is_not_relied_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.whl"
    file.write_bytes(b"A")
    os.utime(file, ns=(0, 0))  # only the time of its last change can be set
    status = file.stat()
    for clock, later, known in (
        ("fine", unchanged.FINE_NS // 2, False),
        ("fine", unchanged.FINE_NS * 2, True),
        ("coarse", unchanged.FINE_NS * 2, False),
        ("coarse", unchanged.SETTLED_NS * 2, True),
        ("coarse", -unchanged.SETTLED_NS * 2, False),
    ):
        changed = status.st_ctime_ns // 1_000_000 * 1_000_000 + (7 if clock == "fine" else 0)
        seen = _Status(status, changed)
        monkeypatch.setattr(unchanged, "_files", lambda _, seen=seen: iter([("", seen)]))
        monkeypatch.setattr("time.time_ns", lambda now=changed + later: now)
        assert (identity(file) is not None) is known


class _Status:
    """What the system says of a file, but for the time of its last change of status."""

    def __init__(self, status: os.stat_result, changed: int) -> None:
        self._status = status
        self.st_ctime_ns = changed

    def __getattr__(self, name: str) -> object:
        return getattr(self._status, name)


@pytest.mark.usefixtures("_settled")
def test_what_is_missing_or_too_large_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert identity(tmp_path / "none") is None
    for name in "abc":
        (tmp_path / name).write_bytes(b"")
    assert identity(tmp_path) is not None
    monkeypatch.setattr(unchanged, "MAX_FILES", 2)
    assert identity(tmp_path) is None
