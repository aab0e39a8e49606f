"""Golden transcripts: command lines and, below each, what they gave.

    # What the case shows.
    $ sassay diff before after --exit-code
      standard output, indented by two spaces
    ! standard error
    [exit 1]

`$ cat FILE` prints a file that an earlier command wrote, `NAME=value` in front of a command sets
its environment, and `< FILE` behind it its standard input.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from tests.cli.running import Result, run

import sassay

if TYPE_CHECKING:
    from pathlib import Path

_ASSIGNMENT = re.compile(r"[A-Z_]+=.*")
_ID = re.compile(r"\b[0-9a-f]{12}\b(?=[^0-9a-f]|$)")
_DIGEST = re.compile(r"\b[0-9a-f]{40}(?:[0-9a-f]{24})?\b")
_TOOL = re.compile(r"(nvdisasm\D{1,12})\d+\.\d+\.\d+(?:, \d+\.\d+\.\d+)*")


def commands(text: str) -> list[str]:
    """The lines of a transcript that a person wrote: comments and command lines."""
    return [line for line in text.splitlines() if line.startswith(("$ ", "#"))]


def replay(text: str, folder: Path) -> str:
    """Run a transcript's command lines in a folder and return the transcript as it is now."""
    normal = Normal()
    lines: list[str] = []
    for line in commands(text):
        if line.startswith("$ ") and lines and not lines[-1].startswith("#"):
            lines.append("")
        lines.append(line)
        if line.startswith("#"):
            continue
        result = _execute(line.removeprefix("$ "), folder)
        lines += [f"  {each}".rstrip() for each in normal(result.stdout).splitlines()]
        lines += [f"! {each}".rstrip() for each in normal(result.stderr).splitlines()]
        if result.status:
            lines.append(f"[exit {result.status}]")
    return "\n".join(lines) + "\n"


def _execute(line: str, folder: Path) -> Result:
    words = shlex.split(line)
    env = {"COLUMNS": "100"}
    while _ASSIGNMENT.fullmatch(words[0]):
        name, _, value = words.pop(0).partition("=")
        env[name] = value
    stdin = b""
    if "<" in words:
        at = words.index("<")
        stdin = (folder / words[at + 1]).read_bytes()
        words = words[:at]
    program, *arguments = words
    if program == "cat":
        return Result(0, (folder / arguments[0]).read_text(encoding="utf-8"), "")
    assert program == "sassay", line
    return run(*arguments, cwd=folder, env=env, stdin=stdin)


class Normal:
    """Replaces what may change with a release by placeholders of the same width."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        text = text.replace(sassay.__version__, "VERSION")
        text = _TOOL.sub(r"\1TOOL", text)
        text = _DIGEST.sub(lambda match: self._name(match[0], "digest"), text)
        return _ID.sub(lambda match: self._name(match[0], "id"), text)

    def _name(self, found: str, kind: str) -> str:
        if found.isdigit():
            return found
        number = len(self._known) + 1
        return self._known.setdefault(found, f"{kind}{number:0{len(found) - len(kind)}d}")
