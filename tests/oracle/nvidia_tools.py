"""What NVIDIA's own tools say of a cubin, parsed without any of sassay's code."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

Triple = tuple[int, int, int]

_ATTRIBUTE = re.compile(r"\tAttribute:\t(EIATTR_\w+)\n\tFormat:\t\w+\n\tValue:\t([^\n]*)\n")
_USAGE = re.compile(r" Function (\S+):\n((?:  \S[^\n]*\n)+)")
_PAIR = re.compile(r"(\S+):(\d+)")
_FLAGS = re.compile(r'\t\.section\t\.text\.(\S+?),"ax"[^\n]*\n(?:\t\.sectionflags\t@"([^"]*)")?')
_EXTRACTED = re.compile(r"\.(\d+)\.(sm_\w+)\.cubin$")


class _Instruction(msgspec.Struct):
    opcode: str


class _Function(msgspec.Struct, rename="kebab"):
    function_name: str
    sass_instructions: list[_Instruction]


class Refused(Exception):  # noqa: N818  # an answer of the tool, not a failure of ours
    """The tool does not read this file."""


@dataclass(frozen=True)
class Attributes:
    """Launch attributes of one kernel, as `cuobjdump -elf` lists them."""

    barriers: int | None
    block: Triple | None
    max_block: Triple | None
    cluster: Triple | None


def program(name: str) -> Path:
    """The newest copy of a tool in the installed wheels: NVIDIA's own, else Triton's."""
    for package, pattern in (("nvidia", "*/bin"), ("triton", "backends/nvidia/bin")):
        spec = importlib.util.find_spec(package)
        for root in (spec.submodule_search_locations or ()) if spec else ():
            for folder in sorted(Path(root).glob(pattern), reverse=True):
                if (folder / name).is_file():
                    return folder / name
    raise LookupError(name)


def ask(tool: str, *arguments: str | Path) -> str:
    """What a tool prints.

    Raises:
        Refused: It failed, or said that the file is none of its.
    """
    done = subprocess.run(
        [program(tool), *arguments], capture_output=True, text=True, check=False, errors="replace"
    )
    said = done.stderr + done.stdout[:400]
    if done.returncode or "does not contain device code" in said:
        raise Refused(said.strip().splitlines()[0] if said.strip() else "no answer")
    return done.stdout


def opcodes(cubin: Path, symbols: Sequence[int] = ()) -> dict[str, Counter[str]]:
    """Instructions of every code section by opcode, from `nvdisasm -json`.

    Args:
        cubin: The file.
        symbols: Indices in the symbol table; only the functions that they name. None means all.

    Raises:
        Refused: nvdisasm does not know the architecture.
    """
    chosen = ["-fun", ",".join(map(str, symbols))] if symbols else []
    answer: list[Any] = msgspec.json.decode(ask("nvdisasm", "-json", *chosen, cubin))
    functions = msgspec.convert(answer[1], list[_Function])
    return {
        item.function_name: Counter(each.opcode for each in item.sass_instructions)
        for item in functions
    }


def resources(cubin: Path) -> dict[str, dict[str, int]]:
    """What `cuobjdump -res-usage` prints of each function: `REG`, `STACK`, `CONSTANT[0]`, ..."""
    return {
        name: {key: int(value) for key, value in _PAIR.findall(lines)}
        for name, lines in _USAGE.findall(ask("cuobjdump", "-res-usage", cubin))
    }


def attributes(cubin: Path) -> dict[str, Attributes]:
    """Launch attributes of each kernel, from `cuobjdump -elf`."""
    found: dict[str, Attributes] = {}
    text = ask("cuobjdump", "-elf", cubin)
    for block in text.split("\n.nv.info.")[1:]:
        symbol = block.partition("\n")[0]
        # The next section's dump starts with a dot at the beginning of a line.
        own = dict(_ATTRIBUTE.findall(re.split(r"\n\.", block, maxsplit=1)[0] + "\n"))
        barriers = own.get("EIATTR_NUM_BARRIERS")
        found[symbol] = Attributes(
            barriers=int(barriers, 16) if barriers else None,
            block=_triple(own.get("EIATTR_REQNTID")),
            max_block=_triple(own.get("EIATTR_MAX_THREADS")),
            cluster=_triple(own.get("EIATTR_CTA_PER_CLUSTER")),
        )
    return found


def barrier_flags(cubin: Path) -> dict[str, int]:
    """Barriers that nvdisasm prints in the flags of each code section (ABI 7 and older)."""
    found: dict[str, int] = {}
    for symbol, flags in _FLAGS.findall(ask("nvdisasm", "-c", "-ndf", cubin)):
        named = re.search(r"SHF_BARRIERS=(\d+)", flags)
        found[symbol] = int(named[1]) if named else 0
    return found


def extract(library: Path, folder: Path) -> list[tuple[str, Path]]:
    """Cut every cubin out of a library with `cuobjdump -xelf`, in the library's order.

    Raises:
        Refused: cuobjdump calls one of them invalid; it writes none after that one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [program("cuobjdump"), "-xelf", "all", library.resolve()],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    if done.returncode:
        raise Refused(done.stderr.strip())
    numbered = [(_EXTRACTED.search(path.name), path) for path in folder.glob("*.cubin")]
    ordered = sorted((int(match[1]), match[2], path) for match, path in numbered if match)
    return [(arch, path) for _, arch, path in ordered]


def _triple(value: str | None) -> Triple | None:
    if value is None:
        return None
    numbers = [int(word, 16) for word in value.split()]
    return (numbers[0], numbers[1], numbers[2])
