"""What the hook inside a recorded command told, read back as records."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_EVENT_BYTES = 4 << 20
MAX_EVENTS = 1_000_000
"""Lines longer and files longer than this are counted as unreadable: a command writes them."""
_HEX = re.compile(r"[0-9a-f]{64}")


class Compilation(msgspec.Struct, frozen=True):
    """One call of Triton's compiler, by itself or for a launch.

    Attributes:
        hash: Triton's cache key, hexadecimal.
        folder: Cache entry that holds what it emitted.
        arch: Compute capability as a number (90).
        language: `ASTSource` for a `@triton.jit` function.
        benchmark: Compiled by an autotuner that was timing candidates.
        file: Absolute path of the function's file, None where it has no source.
        signature: Parameter to type; `constexpr` for constants; lists for tuples.
        parameters: Names in order, which constants and attributes count by.
        constants: `[path, tagged value]`; see `values`.
        attributes: `[path, [[name, value], ...]]`.
        options: What differs from the compiler's defaults, and warps and stages.
        globals: Module-level values that the function used, tagged.
    """

    hash: str
    folder: str | None = None
    backend: str = "cuda"
    arch: int | str = 0
    language: str = ""
    benchmark: bool = False
    name: str = ""
    qualname: str = ""
    module: str = ""
    file: str | None = None
    line: int = 0
    signature: Mapping[str, Any] = {}
    parameters: tuple[str, ...] = ()
    constants: tuple[tuple[tuple[int, ...], Any], ...] = ()
    attributes: tuple[tuple[tuple[int, ...], Any], ...] = ()
    options: Mapping[str, Any] = {}
    globals: Mapping[str, Any] = {}

    @property
    def entry(self) -> str:
        """Name of the cache entry's folder."""
        return Path(self.folder).name if self.folder else entry_name(self.hash)


class Tuned(msgspec.Struct, frozen=True):
    """One choice of Inductor's autotuner."""

    tried: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


class Choices:
    """What each process's autotuner settled on, choice after choice."""

    def __init__(self) -> None:
        """No choice is known yet."""
        self._won: dict[str, dict[str, bool]] = {}

    def add(self, process: str, choice: Tuned) -> None:
        """A choice later than all others of its process: what it keeps may lose again."""
        settled = self._won.setdefault(process, {})
        for key in choice.tried:
            settled[entry_name(key)] = False
        for key in choice.kept:
            settled[entry_name(key)] = True

    def won(self) -> set[str]:
        """Entries that a process settled on."""
        return {key for each in self._won.values() for key, won in each.items() if won}

    def lost(self) -> set[str]:
        """Entries that no process settled on."""
        return {key for each in self._won.values() for key in each} - self.won()


class Told(msgspec.Struct, frozen=True):
    """Everything that the processes of one command told.

    Attributes:
        compilations: One a cache key, in the order of the keys.
        rejected: Names of cache entries that an autotuner tried and did not keep.
        libraries: Shared objects mapped at the end of a Python process.
        python: Version of the interpreter that imported Triton.
        packages: Version by package.
        failures: What went wrong in the hook itself.
        unreadable: Lines that are no event, such as one cut short by a crash.
    """

    compilations: tuple[Compilation, ...] = ()
    rejected: frozenset[str] = frozenset()
    libraries: frozenset[str] = frozenset()
    python: str | None = None
    packages: Mapping[str, str] = {}
    failures: tuple[str, ...] = ()
    unreadable: int = 0


class _Process(msgspec.Struct):
    python: str
    packages: dict[str, str]


def read_events(folder: Path) -> Told:
    """Read what every process left; the order of files and lines does not matter.

    Args:
        folder: Where the hook wrote.
    """
    found: dict[str, list[Compilation]] = {}
    kept: set[str] = set()
    choices = Choices()
    candidates: set[str] = set()
    libraries: set[str] = set()
    failures: set[str] = set()
    process: _Process | None = None
    unreadable = 0
    for file, line in _lines(folder):
        try:
            event = msgspec.json.decode(line)
            match event.pop("event"):
                case "compiled":
                    one = msgspec.convert(event, Compilation)
                    found.setdefault(one.hash, []).append(one)
                case "kept":
                    kept.add(entry_name(str(event["hash"])))
                case "tuned":
                    choices.add(file, msgspec.convert(event, Tuned))
                case "candidate":
                    candidates.add(str(event["file"]))
                case "libraries":
                    libraries.update(map(str, event["paths"]))
                case "process":
                    process = msgspec.convert(event, _Process)
                case "failed":
                    failures.add(f"{event['place']}: {event['error']}")
                case _:
                    unreadable += 1
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
            unreadable += 1
    return Told(
        compilations=tuple(_chosen(each) for _, each in sorted(found.items())),
        rejected=_rejected(found, kept, choices, candidates),
        libraries=frozenset(libraries),
        python=process.python if process else None,
        packages=dict(sorted(process.packages.items())) if process else {},
        failures=tuple(sorted(failures)),
        unreadable=unreadable,
    )


def entry_name(key: str) -> str:
    """Name of a Triton cache entry's folder by its hexadecimal key; other text stays.

    Source: `_base32` in Triton's `runtime/cache.py`.
    """
    if not _HEX.fullmatch(key):
        return key
    return base64.b32encode(bytes.fromhex(key)).decode().rstrip("=")


def _lines(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name of a process's file, and each of its lines."""
    count = 0
    for path in sorted(folder.glob("*.jsonl")):
        with path.open("rb") as stream:
            while line := stream.readline(MAX_EVENT_BYTES):
                count += 1
                if count > MAX_EVENTS:
                    return
                yield path.name, line


def _chosen(same: list[Compilation]) -> Compilation:
    """One of the compilations of one key; they agree but for who asked and when."""
    return min(same, key=lambda one: (one.benchmark, one.file or "", one.line))


def _rejected(
    found: Mapping[str, list[Compilation]],
    kept: set[str],
    choices: Choices,
    candidates: set[str],
) -> frozenset[str]:
    """Entries that were only tried.

    A function none of whose trials was kept was still being tuned when the command ended: nothing
    is known to be a reject then.
    """
    winners = kept | choices.won()
    losers = choices.lost() - winners
    templates = {(Path(file).parent.parent, name) for file, name in _templates(found, candidates)}
    decided = {
        (one.file, one.qualname)
        for each in found.values()
        for one in each
        if one.entry in winners or not one.benchmark
    }
    for each in found.values():
        entry = each[0].entry
        if all(one.file and (Path(one.file).parent.parent, one.name) in templates for one in each):
            losers.add(entry)  # whichever of its launches won while it was timed
        if entry in winners:
            continue
        timed_only = all(one.benchmark for one in each)
        if timed_only and (each[0].file, each[0].qualname) in decided:
            losers.add(entry)
    return frozenset(losers)


def _templates(
    found: Mapping[str, list[Compilation]], candidates: set[str]
) -> Iterator[tuple[str, str]]:
    """Files and names of functions that Inductor writes only to time them.

    The template that wins is written once more, under the name of what it computes
    (`triton_tem_fused_mm_0` instead of `triton_mm`). Not every file of a candidate is named by a
    request to time it: those that a worker compiles ahead are known by the folder and the name.
    """
    # Numpy starts threads, which would take signals that are meant for the command.
    from sassay.sources.triton import is_inductor_name  # noqa: PLC0415 - late: see above

    for each in found.values():
        for one in each:
            if one.file in candidates and not is_inductor_name(one.name):
                yield one.file, one.name
