"""Brings a compiler's complaint down to its essential line, with file and line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sassay.build.wire import Failed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_MESSAGE = 600
_CHAIN = 50
_NOISE = re.compile(
    r"^(?:\s*$|Traceback|\s+File |\s+\^|=+$|please share the reproducer|Repro command)"
)
_TEMPORARY = re.compile(r"(?:/[^\s:'\"]*)?/tmp[^\s:'\"]*?([^/\s:'\"]+\.(?:ptx|o|log))")
_PTX = re.compile(r"(?:/[^\s:'\"]*)?/tmp[^\s:'\"]*\.ptx|\btmp[a-z0-9_]{6,10}\.ptx")
_IMPORTANT = re.compile(r"\b(?:error|fatal|LLVM ERROR|Assertion|abort)", re.IGNORECASE)


def explain(error: BaseException, functions: Mapping[tuple[str, str], Any]) -> Failed:
    """What went wrong, and where in the kernel's source.

    Args:
        error: What Triton raised.
        functions: The extraction's functions, to find a nested complaint's file.
    """
    chain = _chain(error)
    located = [item for item in chain if getattr(getattr(item, "node", None), "lineno", None)]
    file: str | None = None
    line: int | None = None
    if located:
        deepest: Any = located[-1]
        for (name, _), function in functions.items():
            if getattr(function, "_src", None) == deepest.src:
                file = name
                line = function.def_file_line_number + deepest.node.lineno - 1
                break
    last: Any = chain[-1]
    kind = type(last).__name__
    if hasattr(last, "error_message"):  # a `CompilationError` of Triton
        message = last.error_message or f"{kind}: {_statement(last)}"
        prefix = ""
    else:
        message = str(last).strip() or kind
        prefix = "" if kind in {message, "RuntimeError"} else f"{kind}: "
    return Failed(message=prefix + essential(message), file=file, line=line)


def essential(text: str) -> str:
    """The lines that say something, joined; temporary paths cut to their names."""
    lines = [line.strip() for line in text.splitlines() if not _NOISE.match(line)]
    if len(lines) > 3:
        lines = [line for line in lines if _IMPORTANT.search(line)] or lines[-3:]
    joined = "; ".join(dict.fromkeys(lines[:4]))
    joined = _TEMPORARY.sub(r"\1", _PTX.sub("kernel.ptx", joined))
    return joined if len(joined) <= MAX_MESSAGE else joined[: MAX_MESSAGE - 3] + "..."


def from_noise(text: str) -> str | None:
    """The telling line of what a compiler printed before it died; None where there is none."""
    telling: Iterable[str] = (line for line in text.splitlines() if _IMPORTANT.search(line))
    first = next(iter(telling), None)
    return essential(first) if first else None


def _statement(error: Any) -> str:
    """The source line that a complaint without words points at."""
    lines = (error.src or "").splitlines()
    number = getattr(error.node, "lineno", 0)
    return str(lines[number - 1]).strip() if 0 < number <= len(lines) else "does not compile"


def _chain(error: BaseException) -> list[BaseException]:
    found = [error]
    while len(found) < _CHAIN:
        inner = found[-1].__cause__
        if inner is None:
            break
        found.append(inner)
    return found
