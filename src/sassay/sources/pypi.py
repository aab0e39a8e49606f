"""Wheels of a package index release: downloaded by pip, never built, never run, kept for reuse."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from sassay.errors import InputError, ToolError, UsageError
from sassay.sources.paths import cache_dir

PREFIX = "pypi:"
TIMEOUT_SECONDS = 1800
_SPEC = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?)"
    r"==(?P<version>[A-Za-z0-9][A-Za-z0-9.+!_-]{0,98})"
)


def fetch(spec: str) -> Path:
    """The wheel of one release, out of the user's cache or downloaded into it.

    Args:
        spec: `pypi:NAME==VERSION`.

    Raises:
        UsageError: The spec names no single release.
        InputError: The index has no such release as a wheel for this platform.
        ToolError: pip is missing or does not end.
    """
    match = _SPEC.fullmatch(spec.removeprefix(PREFIX))
    if match is None:
        raise UsageError(
            "names no single release", artifact=spec, hint="expected pypi:NAME==VERSION"
        )
    name, version = match["name"], match["version"]
    canonical = re.sub(r"[-_.]+", "-", name).lower()
    folder = cache_dir() / "pypi" / f"{canonical}=={version}"
    if (wheel := _wheel(folder)) is not None:
        return wheel
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".download-", dir=folder.parent))
    except OSError as error:
        raise InputError(
            f"the cache folder cannot be written: {error.strerror}",
            artifact=spec,
            hint="set SASSAY_CACHE_DIR",
        ) from error
    try:
        _download(spec, f"{name}=={version}", scratch)
        if _wheel(scratch) is None:
            raise InputError("pip downloaded no wheel", artifact=spec)
        _move(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    wheel = _wheel(folder)
    if wheel is None:
        raise InputError("the downloaded wheel vanished", artifact=spec)
    return wheel


def _wheel(folder: Path) -> Path | None:
    wheels = sorted(folder.glob("*.whl")) if folder.is_dir() else []
    return wheels[0] if wheels else None


def _move(scratch: Path, folder: Path) -> None:
    """Put a finished download in its place; another run may have been faster."""
    try:
        scratch.rename(folder)
    except OSError:
        if _wheel(folder) is None:
            raise


def _download(spec: str, requirement: str, target: Path) -> None:
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps",
        "--disable-pip-version-check", "--only-binary=:all:", "--dest", str(target),
        "--", requirement,
    ]  # fmt: skip
    # PIP_* settings such as the index stay; what could make pip build is overruled above.
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PIP_NO_COLOR": "1"},
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"pip did not end within {TIMEOUT_SECONDS} s", artifact=spec) from error
    except OSError as error:
        raise ToolError(f"pip cannot be run: {error.strerror}", artifact=spec) from error
    if done.returncode != 0:
        raise InputError(f"pip: {_reason(done.stderr)}", artifact=spec)


def _reason(stderr: str) -> str:
    """The line of pip's output that tells why, without the list of all versions."""
    errors = [
        line.strip().removeprefix("ERROR: ")
        for line in stderr.splitlines()
        if line.strip().startswith("ERROR:")
    ]
    reason = errors[-1] if errors else (stderr.strip().splitlines() or ["no reason given"])[-1]
    return reason[:400]
