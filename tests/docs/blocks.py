"""Commands in the documentation: the fenced blocks that hold them, and what each line says."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        ROOT / "README.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").glob("*/README.md"),
    ]
)
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^\n]*)\n(?P<body>.*?)^ *```\s*?\n"
    r"(?:\s*<!-- not run: (?P<why>[^>]*?) -->)?",
    re.MULTILINE | re.DOTALL,
)
_COMMAND = re.compile(r"(?:\$ )?(?:\w+=\S+ )*(sassay|git|cd|python|mkdir|cp) ")


@dataclass(frozen=True)
class Block:
    """A fenced block of shell commands.

    Attributes:
        page: Path of its page, from the repository's root.
        line: Where it starts.
        lines: Its commands, continuation lines joined, prompts and output left out.
        why_not: Why no test can run it; None where one does.
    """

    page: str
    line: int
    lines: tuple[str, ...]
    why_not: str | None

    @property
    def commands(self) -> tuple[list[str], ...]:
        """The words of every `sassay` command in it, `sassay` left out."""
        found: list[list[str]] = []
        for line in self.lines:
            words: list[str] = []
            for word in [*_words(line), ";"]:
                if set(word) <= set("|&;<>()"):
                    found += [words[1:]] if words[:1] == ["sassay"] else []
                    words = []
                else:
                    words.append(word)
        return tuple(found)


def _words(line: str) -> list[str]:
    """A command's words, operators of the shell apart.

    Raises:
        ValueError: A quotation does not end in it.
    """
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(lexer)


def _whole(lines: list[str]) -> list[str]:
    """Lines joined where a quotation goes on."""
    found: list[str] = []
    open_ = ""
    for line in lines:
        open_ = f"{open_}\n{line}" if open_ else line
        try:
            _words(open_)
        except ValueError:
            continue
        found.append(open_)
        open_ = ""
    return found


def blocks(page: Path) -> list[Block]:
    """The blocks of a page that hold a `sassay` command."""
    text = page.read_text("utf-8")
    found = []
    for match in _FENCE.finditer(text):
        if match["info"] not in {"", "sh", "console"}:
            continue
        body = match["body"].replace("\\\n", " ")
        lines = body.splitlines()
        if any(line.startswith("$ ") for line in lines):
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        elif not any(_COMMAND.match(line.strip()) for line in lines):
            continue
        block = Block(
            page.relative_to(ROOT).as_posix(),
            text.count("\n", 0, match.start()) + 1,
            tuple(_whole([line.strip() for line in lines if line.strip()])),
            match["why"],
        )
        if any(line.startswith("sassay ") or " sassay " in line for line in block.lines):
            found.append(block)
    return found
