"""nvdisasm's own census of a cubin, read from `nvdisasm -json`: the witness against the tables.

The whole cubin is disassembled, as a person would do it; neither tables, nor raw mode, nor the word
cache take part. What it says of a code section depends on the section's words alone, so sections
that are equal in architecture and bytes are asked for once.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sassay.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sassay.isa.sass.tools import Tool

BASE_SECONDS = 600.0
"""Time that one call may take, and one second more for each of `SECOND_BYTES`."""
SECOND_BYTES = 16 * 2_000
MAX_NAMED = 8_000
"""Functions that one call names; their indices are one argument of the command line."""


class _Instruction(msgspec.Struct):
    opcode: str


class _Function(msgspec.Struct, rename="kebab"):
    function_name: str
    sass_instructions: list[_Instruction]


def section_key(arch: str, code: bytes | memoryview) -> str:
    """Equal for code sections of which nvdisasm says the same."""
    return f"{arch}:{hashlib.sha256(code).hexdigest()}"


def ask_censuses(
    tool: Tool, cubin: bytes | memoryview, symbols: Sequence[int] | None = None
) -> dict[str, Counter[str]]:
    """How often each opcode stands in the functions of a cubin.

    Args:
        tool: The nvdisasm.
        cubin: The whole file.
        symbols: Indices in its symbol table of the functions to read; None reads all.

    Returns:
        By the function's name.

    Raises:
        ToolError: if nvdisasm does not read the file, hangs, is killed, or prints no JSON.
    """
    found: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory(prefix="sassay-") as folder:
        path = Path(folder) / "asked.cubin"
        path.write_bytes(cubin)
        seconds = BASE_SECONDS + len(cubin) / SECOND_BYTES
        if symbols is None:
            return _run(tool, path, (), seconds)
        for start in range(0, len(symbols), MAX_NAMED):
            chosen = ",".join(map(str, symbols[start : start + MAX_NAMED]))
            found.update(_run(tool, path, ("-fun", chosen), seconds))
    return found


def _run(
    tool: Tool, cubin: Path, chosen: tuple[str, ...], seconds: float
) -> dict[str, Counter[str]]:
    output = cubin.with_suffix(".json")
    try:
        with output.open("wb") as stream:
            done = subprocess.run(
                [tool.path, "-json", *chosen, str(cubin)],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.PIPE,
                check=False,
                timeout=seconds,
            )
    except subprocess.TimeoutExpired:
        raise ToolError("nvdisasm did not answer in time", artifact=tool.path) from None
    except OSError as error:
        raise ToolError(f"nvdisasm cannot be run: {error.strerror}", artifact=tool.path) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ToolError(
            f"nvdisasm {tool.release} does not read it", hint=said[-1] if said else None
        )
    try:
        _, functions = msgspec.json.decode(output.read_bytes(), type=tuple[Any, list[_Function]])
    except msgspec.MsgspecError as error:
        raise ToolError(f"nvdisasm prints no census: {error}", artifact=tool.path) from error
    return {
        item.function_name: Counter(each.opcode for each in item.sass_instructions)
        for item in functions
    }


class _Answer(msgspec.Struct, frozen=True):
    """One line of the file of answers."""

    tool: str
    section: str
    census: dict[str, int]


class Answers:
    """What the witness said, by release and section; with a file, kept from run to run.

    A check of all code of a large wheel takes the better part of an hour; one that was interrupted
    goes on where it stopped, and a new table is checked against answers that are already there.
    Lines are only ever added; one that was cut by an interrupt is left out.
    """

    def __init__(self, path: Path | None) -> None:
        """Read the file, where there is one.

        Raises:
            OSError: if it cannot be read.
        """
        self._path = path
        self._known: dict[tuple[str, str], dict[str, int]] = {}
        if path is None or not path.exists():
            return
        for line in path.read_bytes().splitlines():
            try:
                answer = msgspec.json.decode(line, type=_Answer)
            except msgspec.MsgspecError:
                continue
            self._known[answer.tool, answer.section] = answer.census

    def get(self, tool: Tool, section: str) -> Mapping[str, int] | None:
        """The census of a section; None where it was not asked for."""
        return self._known.get((tool.release, section))

    def add(self, tool: Tool, found: Mapping[str, Mapping[str, int]]) -> None:
        """Keep the censuses of sections.

        Raises:
            OSError: if the file cannot be written.
        """
        lines = []
        for section, census in found.items():
            answer = _Answer(tool.release, section, dict(sorted(census.items())))
            self._known[tool.release, section] = answer.census
            lines.append(msgspec.json.encode(answer) + b"\n")
        if self._path is not None and lines:
            with self._path.open("ab") as stream:
                stream.write(b"".join(lines))
