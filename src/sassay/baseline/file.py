"""The file of a stored reference: text that a reviewer reads and git merges.

A heading names a family and its architecture; under it stands one line a kernel, JSON with the
keys always in one order. Headings and lines are sorted, and nothing in the file counts or sums up
another part of it, so that two branches that change different families never touch the same line.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sassay.baseline.digests import TierDigests, tier_digests
from sassay.baseline.record import StoredKernel, restored, stored
from sassay.capture.families import kernel_order
from sassay.errors import FormatError, InputError, LimitError
from sassay.isa.counted import spelled_out
from sassay.model.artifact import Toolchain
from sassay.model.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sassay.isa.sass import Disassembler
    from sassay.model.code import CodeStore
    from sassay.model.kernel import Kernel

SCHEMA = "sassay/baseline/1"
MAX_BYTES = 256 << 20
_FIRST = f"# {SCHEMA}: what these kernels are. Written by `sassay baseline update`, read as text."
_HEADING = re.compile(r"== (?P<family>.+) @ (?P<arch>[A-Za-z0-9_]+)")
_TOOLCHAIN = re.compile(r"toolchain (?P<arch>[A-Za-z0-9_]+) (?P<name>\{.*\})")
_TOOL = re.compile(r"read by (?P<name>\S+) (?P<version>.+)")
_CONFLICT = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")


class Baseline(msgspec.Struct, frozen=True):
    """A stored reference as read.

    Attributes:
        state: Its kernels; no store holds their code.
        tiers: Digests by tier, by kernel id.
    """

    state: State
    tiers: dict[str, TierDigests]


def write_baseline(
    state: State,
    store: CodeStore,
    disassembler: Disassembler,
    *,
    progress: Callable[[str], None] | None = None,
) -> str:
    """The text that stands for a state.

    Args:
        state: What its kernels are.
        store: Holds their code.
        disassembler: Reads it.
        progress: Told now and then.
    """
    by_arch: defaultdict[str, set[Toolchain]] = defaultdict(set)
    for kernel in state.kernels:
        by_arch[kernel.arch].update(kernel.toolchains)
    lines = [_FIRST]
    lines += [
        f"read by {name} {version}"
        for name, version in sorted(state.tools.items())
        if name != "sassay"
    ]
    lines += sorted(
        f"toolchain {arch} {_toolchain_name(each)}"
        for arch, toolchains in by_arch.items()
        for each in toolchains
    )
    families: defaultdict[tuple[str, str], list[Kernel]] = defaultdict(list)
    for kernel in state.kernels:
        families[kernel.family, kernel.arch].append(kernel)
    if progress is not None:
        progress(f"reading the code of {len(state.kernels)} kernels")
    tiers = tier_digests(state.kernels, store, disassembler)
    for (family, arch), kernels in sorted(families.items()):
        lines += ["", f"== {family} @ {arch}"]
        rows = []
        for kernel in kernels:
            names = sorted(map(_toolchain_name, kernel.toolchains))
            line = stored(
                kernel,
                tiers[kernel.id],
                tuple(names) if len(by_arch[arch]) > 1 else (),
            )
            rows.append(_spaced(msgspec.json.encode(_told(line)).decode()))
        lines += sorted(rows)
    return "\n".join([*lines, ""])


def read_baseline(path: Path | str) -> Baseline:
    """Read a stored reference; lines that a merge left twice count once.

    Args:
        path: The file.

    Raises:
        InputError: It cannot be read.
        LimitError: It is too large.
        FormatError: A line is wrong; the place is its number.
    """
    place = Path(path)
    lines = _lines(place)
    if not lines or not lines[0].startswith(f"# {SCHEMA}"):
        raise FormatError(
            "no stored reference",
            artifact=str(path),
            place="line 1",
            hint=f"expected {SCHEMA}: write one with `sassay baseline update`",
        )
    reader = _Reader(str(path))
    for number, line in enumerate(lines[1:], 2):
        reader.line(number, line)
    return reader.finish(place.name)


class _Reader:
    """Collects what the lines of one file say."""

    def __init__(self, artifact: str) -> None:
        self._artifact = artifact
        self._decoder = msgspec.json.Decoder(StoredKernel)
        self._toolchains: defaultdict[str, dict[str, Toolchain]] = defaultdict(dict)
        self._tools: dict[str, str] = {}
        self._heading: tuple[str, str] | None = None
        self._found: dict[str, tuple[StoredKernel, str, str]] = {}

    def line(self, number: int, line: str) -> None:
        if not line.strip() or line.startswith("#"):
            return
        if line.startswith(_CONFLICT):
            raise FormatError(
                "an unresolved merge",
                artifact=self._artifact,
                place=f"line {number}",
                hint="take either side, then run `sassay baseline update`",
            )
        try:
            self._read(line)
        except (msgspec.MsgspecError, ValueError) as error:
            raise FormatError(
                f"not a line of {SCHEMA}: {error}",
                artifact=self._artifact,
                place=f"line {number}",
                hint="run `sassay baseline update` to write the file again",
            ) from error

    def _read(self, line: str) -> None:
        if line.startswith("{"):
            if self._heading is None:
                raise ValueError("a kernel without a family above it")
            kernel = self._decoder.decode(line)
            self._found.setdefault(kernel.id, (kernel, *self._heading))
        elif match := _HEADING.fullmatch(line):
            self._heading = (match["family"], match["arch"])
        elif match := _TOOLCHAIN.fullmatch(line):
            toolchain = msgspec.json.decode(match["name"], type=Toolchain)
            self._toolchains[match["arch"]][_toolchain_name(toolchain)] = toolchain
        elif match := _TOOL.fullmatch(line):
            self._tools[match["name"]] = match["version"]
        else:
            raise ValueError("expected a heading `== FAMILY @ ARCH`, a kernel or a toolchain")

    def finish(self, label: str) -> Baseline:
        kernels = []
        for line, family, arch in self._found.values():
            known = self._toolchains[arch]
            chosen = [known[name] for name in line.toolchain if name in known]
            toolchains = tuple(chosen or known.values()) if len(known) <= 1 or chosen else ()
            kernels.append(restored(line, family, arch, toolchains, label))
        return Baseline(
            state=State(
                label=label,
                kernels=tuple(sorted(kernels, key=kernel_order)),
                environment=_environment(self._toolchains),
                tools=dict(sorted(self._tools.items())),
            ),
            tiers={key: line.tiers for key, (line, _, _) in self._found.items()},
        )


def _told(line: StoredKernel) -> dict[str, Any]:
    """The fields of a line that say something."""
    found: dict[str, Any] = {}
    for name, value in msgspec.to_builtins(line, enc_hook=spelled_out).items():
        if name in {"sass", "ptx"} or not isinstance(value, dict):
            found[name] = value
        elif kept := {key: each for key, each in value.items() if each not in (None, [], {}, ())}:
            found[name] = kept
    return found


def _environment(toolchains: Mapping[str, Mapping[str, Toolchain]]) -> dict[str, str]:
    """What a captured state says of its compilers, said of these."""
    every = [each for known in toolchains.values() for each in known.values()]
    found = {
        "frontend": _joined(each.frontend for each in every),
        "ptx_version": _joined(each.ptx_version for each in every),
        "ptxas": _joined(each.ptxas for each in every),
    }
    return {name: value for name, value in found.items() if value}


def _joined(values: Iterable[str | None]) -> str:
    return ", ".join(sorted({value for value in values if value is not None}))


def _toolchain_name(toolchain: Toolchain) -> str:
    return _spaced(
        msgspec.json.encode(
            {k: v for k, v in msgspec.structs.asdict(toolchain).items() if v is not None}
        ).decode()
    )


def _spaced(text: str) -> str:
    """JSON on one line with blanks after commas and colons, so that editors can wrap it."""
    return msgspec.json.format(text, indent=0)


def _lines(path: Path) -> list[str]:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise LimitError(
                f"{size} bytes", artifact=str(path), hint=f"at most {MAX_BYTES} are read"
            )
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", artifact=str(path)) from error
    except UnicodeDecodeError as error:
        raise FormatError(
            "not UTF-8 text", artifact=str(path), place=f"offset {error.start}"
        ) from error
