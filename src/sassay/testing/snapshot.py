"""Snapshots: what a kernel became, as text beside its test.

Lines that begin with `#` say how it was compiled; they are not compared, but shown where a
comparison fails.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

    from sassay.model.kernel import Kernel

_RESOURCES = (
    "registers", "shared_bytes", "stack_bytes", "barriers", "spill_load_bytes",
    "spill_store_bytes",
)  # fmt: skip


def describe(kernel: Kernel, numeric_path: str) -> str:
    """The snapshot of a kernel.

    Args:
        kernel: The kernel.
        numeric_path: Digest of its numeric path, or `unknown`.
    """
    compilers = sorted(
        {
            f"{one.frontend or 'an unknown front end'}, ptxas {one.ptxas or 'unknown'}"
            for one in kernel.toolchains
        }
    )
    resources = msgspec.structs.asdict(kernel.resources)
    lines = [f"# compiled by {each}" for each in compilers]
    lines.append(f"{kernel.family} @ {kernel.arch}")
    lines.append(f"warps {_text(kernel.launch.warps)}")
    lines += [f"{name} {_text(resources[name])}" for name in _RESOURCES]
    lines.append(f"numeric_path {numeric_path}")
    for layer, census in (("ptx", kernel.instructions.ptx), ("sass", kernel.instructions.sass)):
        if census is None:
            lines.append(f"{layer} unknown")
        else:
            lines += [f"{layer} {opcode} {count}" for opcode, count in sorted(census.items())]
    return "\n".join(lines) + "\n"


def compare(wanted: str, found: str) -> str:
    """What differs, as a short diff; empty where nothing does.

    Args:
        wanted: The snapshot.
        found: What the kernel is now.
    """
    left, right = wanted.splitlines(), found.splitlines()
    if _compared(left) == _compared(right):
        return ""
    lines = list(difflib.unified_diff(_compared(left), _compared(right), lineterm="", n=0))
    moved = [line for line in lines[2:] if not line.startswith("@@")]
    compilers = _notes(left), _notes(right)
    if compilers[0] != compilers[1]:
        moved += ["", *(f"before {line[2:]}" for line in compilers[0])]
        moved += [f"now {line[2:]}" for line in compilers[1]]
    return "\n".join(moved)


def read(path: Path) -> str | None:
    """A snapshot, None where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def write(path: Path, text: str) -> None:
    """Write a snapshot; one that says the same is left alone, whatever compiled it."""
    before = read(path)
    if before is not None and before == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _compared(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.startswith("#")]


def _notes(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("# ")]


def _text(value: int | None) -> str:
    return "unknown" if value is None else str(value)
