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
FAMILIES = (
    ("sm_120a", "sm_120f", "sm_120", "sm_121a", "sm_121f", "sm_121"),
    ("sm_110a", "sm_110f", "sm_110", "sm_101a", "sm_101f", "sm_101"),
    ("sm_107a", "sm_107f", "sm_107"),
    ("sm_103a", "sm_103f", "sm_103"),
    ("sm_100a", "sm_100f", "sm_100"),
    ("sm_90a", "sm_90"),
    ("sm_89",),
    ("sm_88", "sm_87", "sm_86"),
    ("sm_80",),
    ("sm_75",),
    ("sm_70", "sm_72"),
)
"""Architectures that are expected to read the same words as the same mnemonics.

The first is learned, the one with most features, so that nothing is refused for want of a suffix;
whether the table holds for the others is asked. Those of one generation were compared with one
another, on words of every opcode: no two of these families are alike.
"""
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

    def families(self) -> tuple[tuple[str, ...], ...]:
        """Every architecture that some nvdisasm here knows; a new one is alone."""
        found = {arch for tool in self.disassemblers for arch in tool.archs}
        known = [tuple(arch for arch in family if arch in found) for family in FAMILIES]
        others = sorted(found.difference(*FAMILIES))
        return (*filter(None, known), *((arch,) for arch in others))


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
