"""The programs that teach: every nvdisasm and ptxas at hand, and older ones from a package."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sassay.errors import ToolError
from sassay.isa.sass.tools import Tool, ask, find_tools, newest_first

if TYPE_CHECKING:
    from collections.abc import Sequence

OLDER = "triton==3.6.0"
"""Bundles nvdisasm and ptxas 12.8, the last that know sm_70."""
_FIRST = ("sm_70", "sm_80", "sm_90a", "sm_100a", "sm_120a")
"""Learned before the others of their generation."""
_BUNDLED = "triton/backends/nvidia/bin/"
_COMPILERS = ("ptxas", "ptxas-blackwell")


@dataclass(frozen=True)
class Programs:
    """What is asked and what compiles the seeds.

    Attributes:
        disassemblers: Newest first.
        compilers: Every ptxas.
    """

    disassemblers: tuple[Tool, ...]
    compilers: tuple[Path, ...]

    def teacher(self, arch: str) -> Tool | None:
        """The newest nvdisasm that knows an architecture."""
        return next((tool for tool in self.disassemblers if arch in tool.archs), None)

    def groups(self) -> tuple[tuple[str, ...], ...]:
        """Every architecture that some nvdisasm here knows, in groups of one generation.

        The most common ones first, then newest first, so that what is learned of them hints at
        what others may know; and those with most features first: `sm_90a` before `sm_90`, so that
        the table of a family is learned where nothing is refused for want of a suffix.
        """
        found = sorted({arch for tool in self.disassemblers for arch in tool.archs}, key=_order)
        groups: dict[int, list[str]] = {}
        for arch in found:
            groups.setdefault(_generation(arch), []).append(arch)
        return tuple(tuple(group) for group in groups.values())


def at_hand(folder: Path, *, download: bool) -> Programs:
    """Find the programs on this machine.

    Args:
        folder: Where downloaded ones are unpacked.
        download: Fetch the older ones from the package index.

    Raises:
        ToolError: if there is no nvdisasm, or the download fails.
    """
    tools = list(find_tools(None))
    compilers: list[Path] = []
    spec = importlib.util.find_spec("triton")
    for root in (spec.submodule_search_locations or ()) if spec else ():
        compilers += _existing(Path(root) / "backends" / "nvidia" / "bin")
    if download:
        older = _download(folder)
        tool = ask(older / "nvdisasm")
        if tool is not None:
            tools.append(tool)
        compilers += _existing(older)
    if not tools:
        raise ToolError("no nvdisasm was found")
    return Programs(newest_first(tools), tuple(compilers))


def _existing(folder: Path) -> Sequence[Path]:
    return [path for name in _COMPILERS if (path := folder / name).is_file()]


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", OLDER, "--no-deps", "--quiet"]
    command += ["--only-binary=:all:", "--disable-pip-version-check", "--dest", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        raise ToolError(f"pip cannot download {OLDER}: {done.stderr.strip()[-200:]}")
    with zipfile.ZipFile(wheels[0]) as wheel:
        for name in ("nvdisasm", *_COMPILERS):
            target = folder / name
            target.write_bytes(wheel.read(_BUNDLED + name))
            target.chmod(0o755)
    return folder


def _order(arch: str) -> tuple[bool, int, int]:
    return arch not in _FIRST, -_number(arch), "af".find(arch[-1]) % 3


def _number(arch: str) -> int:
    return int(arch.removeprefix("sm_").rstrip("af"))


def _generation(arch: str) -> int:
    """Blackwell and later, Turing to Hopper, Volta: within them most encodings are shared."""
    number = _number(arch)
    return 2 if number >= 100 else 1 if number >= 75 else 0
