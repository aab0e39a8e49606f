"""Which nvdisasm programs this machine holds, and which architectures each of them knows.

One machine often holds several: the `nvidia-cuda-nvdisasm` wheel, the copy inside Triton, a CUDA
toolkit. Newer ones drop old architectures (13.x refuses sm_70), so each is asked, and an
architecture goes to the newest that knows it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sassay.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OVERRIDE = "SASSAY_NVDISASM"
INSTALL_HINT = f"pip install nvidia-cuda-nvdisasm, or set {OVERRIDE} to an nvdisasm program"
PROGRAM = "nvdisasm.exe" if os.name == "nt" else "nvdisasm"
INDEX_NAME = "nvdisasm.json"

OLDEST_SM = 70
"""Volta: the first architecture with 16 bytes an instruction."""

_ARCH = re.compile(r"sm_(\d{2,3})([af]?)")
_ALLOWED = re.compile(r"'SM(\d{2,3})([af]?)'")
_VERSION = re.compile(r"\bV(\d+)\.(\d+)\.(\d+)")
_ASK_SECONDS = 20.0


class Tool(msgspec.Struct, frozen=True):
    """One nvdisasm.

    Attributes:
        path: Where the program lies.
        version: Such as (13, 5, 37).
        archs: What `--binary` accepts, as `sm_90a`, sorted; 16-byte architectures only.
    """

    path: str
    version: tuple[int, int, int]
    archs: tuple[str, ...]

    @property
    def release(self) -> str:
        """The version as text: `13.5.37`."""
        return ".".join(map(str, self.version))


class _Known(msgspec.Struct, frozen=True):
    """What an earlier run learned of a program, valid while the file stays as it is."""

    mtime_ns: int
    size: int
    tool: Tool


def binary_option(arch: str) -> str | None:
    """What `nvdisasm --binary` calls an architecture (`SM90a`); None for no 16-byte one."""
    match = _ARCH.fullmatch(arch)
    if match is None or int(match[1]) < OLDEST_SM:
        return None
    return f"SM{match[1]}{match[2]}"


def candidates() -> Iterator[Path]:
    """Every nvdisasm that can be found, the wheel's first.

    Raises:
        ToolError: if the override names a file that does not exist.
    """
    for root in _package_roots("nvidia"):
        yield from sorted(root.glob(f"*/bin/{PROGRAM}"), reverse=True)
    for root in _package_roots("triton"):
        yield root / "backends" / "nvidia" / "bin" / PROGRAM
    for name in filter(None, os.environ.get(OVERRIDE, "").split(os.pathsep)):
        path = Path(name)
        if not path.is_file():
            raise ToolError(f"{OVERRIDE} names no file", artifact=name, hint=INSTALL_HINT)
        yield path
    if on_path := shutil.which("nvdisasm"):
        yield Path(on_path)
    for variable in ("CUDA_HOME", "CUDA_PATH"):
        if home := os.environ.get(variable):
            yield Path(home) / "bin" / PROGRAM


def find_tools(cache_dir: Path | None) -> tuple[Tool, ...]:
    """Every usable nvdisasm, newest first; empty where there is none.

    Args:
        cache_dir: Where answers of earlier runs are kept, by path, size and time of change.

    Raises:
        ToolError: if the override names a file that does not exist or that is no nvdisasm.
    """
    index = _read_index(cache_dir)
    fresh: dict[str, _Known] = {}
    demanded = set(filter(None, os.environ.get(OVERRIDE, "").split(os.pathsep)))
    for path in dict.fromkeys(candidates()):
        try:
            status = path.stat()
        except OSError:
            continue
        key = str(path)
        known = index.get(key)
        if known is None or (known.mtime_ns, known.size) != (status.st_mtime_ns, status.st_size):
            tool = ask(path)
            if tool is None:
                if key in demanded:
                    raise ToolError(
                        f"{OVERRIDE} names a program that does not answer as nvdisasm does",
                        artifact=key,
                        hint=INSTALL_HINT,
                    )
                continue
            known = _Known(status.st_mtime_ns, status.st_size, tool)
        fresh[key] = known
    if fresh != index:
        _write_index(cache_dir, fresh)
    return newest_first([known.tool for known in fresh.values()])


def newest_first(tools: Sequence[Tool]) -> tuple[Tool, ...]:
    """Tools by version, newest first; of equal versions the one found first."""
    return tuple(sorted(tools, key=lambda tool: tool.version, reverse=True))


def ask(path: Path) -> Tool | None:
    """What a program says of itself; None if it cannot be run or is no nvdisasm."""
    version = _VERSION.search(_output(path, "--version"))
    if version is None:
        return None
    text = _output(path, "--help")
    _, found, binary = text.partition("\n--binary ")
    if not found:
        return None
    # The option's own paragraph ends where the next option starts at the beginning of a line.
    paragraph = re.split(r"\n--", binary, maxsplit=1)[0]
    archs = {
        f"sm_{number}{suffix}"
        for number, suffix in _ALLOWED.findall(paragraph)
        if int(number) >= OLDEST_SM
    }
    if not archs:
        return None
    major, minor, patch = map(int, version.groups())
    return Tool(str(path), (major, minor, patch), tuple(sorted(archs)))


def _output(path: Path, option: str) -> str:
    try:
        done = subprocess.run(
            [str(path), option],
            capture_output=True,
            timeout=_ASK_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")


def _package_roots(name: str) -> list[Path]:
    """Folders of a package, without importing it."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return []
    return [Path(root) for root in (spec.submodule_search_locations or ())] if spec else []


def _read_index(cache_dir: Path | None) -> dict[str, _Known]:
    if cache_dir is None:
        return {}
    try:
        return msgspec.json.decode((cache_dir / INDEX_NAME).read_bytes(), type=dict[str, _Known])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return {}


def _write_index(cache_dir: Path | None, index: dict[str, _Known]) -> None:
    """Keep the answers for the next run; a cache that cannot be written is not an error."""
    if cache_dir is None:
        return
    sibling = cache_dir / f".{INDEX_NAME}.{os.getpid()}"
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        sibling.write_bytes(msgspec.json.encode(index, order="sorted"))
        sibling.replace(cache_dir / INDEX_NAME)
    except OSError:
        with contextlib.suppress(OSError):
            sibling.unlink(missing_ok=True)
