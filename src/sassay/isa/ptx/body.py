"""Bodies of PTX functions: where they end, their census, their statements."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sassay.errors import FormatError
from sassay.isa.ptx import grammar
from sassay.isa.ptx.syntax import (
    Declaration,
    Instruction,
    Label,
    Loc,
    LocMark,
    Scope,
)

if TYPE_CHECKING:
    import re

    from sassay.isa.ptx.syntax import PtxFunction, Statement

_EXCERPT = 40


class UnreadableError(Exception):
    """The body does not parse as it stands; `offset` is where."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


def line_at(text: str, offset: int) -> int:
    """The line of an offset, from 1."""
    return text.count("\n", 0, offset) + 1


def syntax_error(text: str, offset: int, expected: str, artifact: str) -> FormatError:
    """A FormatError that shows what stands at an offset, and names what should."""
    excerpt = text[offset : offset + _EXCERPT].split("\n", 1)[0].strip()
    found = ascii(excerpt) if excerpt else "the end of the text"
    return FormatError(
        f"syntax error at {found}",
        artifact=artifact,
        place=f"line {line_at(text, offset)}",
        hint=f"expected {expected}",
    )


def body_end(text: str, start: int, artifact: str) -> int:
    """The offset of the brace that closes the body whose first character is at `start`."""
    match = grammar.BODY.match(text, start)
    if match and text[match.end() : match.end() + 1] == "}":
        return match.end()
    depth = 1
    for brace in grammar.BRACE.finditer(text, start):
        if brace.group() == "{":
            depth += 1
        elif brace.group() == "}":
            depth -= 1
            if depth == 0:
                return brace.start()
    raise syntax_error(text, start - 1, "a closing brace for this one", artifact)


def count_opcodes(text: str, start: int, end: int, *, blanked: bool) -> dict[str, int]:
    """Counts by opcode between two offsets, sorted by opcode.

    Raises:
        UnreadableError: The text does not parse.
    """
    pattern = grammar.CENSUS_BLANKED if blanked else grammar.CENSUS
    counts = Counter(pattern.findall(text, start, end))
    counts.pop("", None)
    opcodes = sorted(counts)
    # Opcodes start with a lower-case letter or an underscore; whatever else was met is an error.
    if opcodes and not ("_" <= opcodes[0][0] <= "z" and "_" <= opcodes[-1][0] <= "z"):
        raise UnreadableError(_first_error(text, start, end, blanked=blanked))
    # An instruction without its semicolon at the very end, and brackets that do not pair, show
    # in no opcode: where they are possible, every statement is looked at.
    if text[start:end].rstrip()[-1:] not in {";", "}", ""} or any(
        text.count(left, start, end) != text.count(right, start, end) for left, right in _PAIRS
    ):
        _check_brackets(text, start, end, blanked=blanked)
    return {opcode: counts[opcode] for opcode in opcodes}


_PAIRS = (("[", "]"), ("(", ")"))


def _first_error(text: str, start: int, end: int, *, blanked: bool) -> int:
    pattern = grammar.STATEMENT_BLANKED if blanked else grammar.STATEMENT
    for match in pattern.finditer(text, start, end):
        if match["error"]:
            return match.start("error")
    return start


def _check_brackets(text: str, start: int, end: int, *, blanked: bool) -> None:
    # Counts of the raw text differ, perhaps only because of a comment.
    pattern = grammar.STATEMENT_BLANKED if blanked else grammar.STATEMENT
    for match in pattern.finditer(text, start, end):
        operands = match["operands"]
        if operands and any(
            operands.count(left) != operands.count(right) for left, right in _PAIRS
        ):
            raise UnreadableError(match.start("opcode"))


def read_loc(match: re.Match[str]) -> Loc:
    """The record of a match of `grammar.LOC_PARTS`."""
    at = match["at_file"]
    return Loc(
        int(match["file"]),
        int(match["line"]),
        int(match["column"] or 0),
        "".join(match["function"].split()) if match["function"] else None,
        (int(at), int(match["at_line"]), int(match["at_column"])) if at else None,
    )


def first_loc(text: str, start: int, end: int) -> Loc | None:
    """The first `.loc` between two offsets that names a line."""
    for match in grammar.LOC_PARTS.finditer(text, start, end):
        loc = read_loc(match)
        if loc.line:
            return loc
    return None


def tidy_operands(operands: str) -> str:
    """Operands with canonical blanks: one after each comma, no others."""
    return "".join(operands.split()).replace(",", ", ")


def tidy(text: str) -> str:
    """Text with comments taken out and runs of blanks as one blank."""
    if "/" in text:
        text = grammar.blank_comments(text)
    return " ".join(text.split())


def read_statements(function: PtxFunction) -> tuple[Statement, ...]:
    """Every statement of a body, in order.

    Raises:
        FormatError: The body does not parse.
    """
    text, position, end = function.body
    pattern = grammar.STATEMENT_BLANKED if function.blanked else grammar.STATEMENT
    reader = _StatementReader(text, position, function.body_line)
    while position < end:
        match = pattern.match(text, position, end)
        if match is None or match["error"]:
            offset = match.start("error") if match else position
            raise syntax_error(text, offset, "a statement", function.module.artifact)
        reader.take(match)
        position = match.end()
    return tuple(reader.statements)


class _StatementReader:
    """Turns matches into records; knows the line, the scope and the `.loc` in force."""

    def __init__(self, text: str, start: int, line: int) -> None:
        self.statements: list[Statement] = []
        self._text = text
        self._position = start
        self._line = line
        self._loc: Loc | None = None
        self._labels: list[str] = []
        self._scopes = [0]
        self._opened = 0

    def take(self, match: re.Match[str]) -> None:
        """Adds the record of one match of `grammar.STATEMENT`."""
        kind = match.lastgroup
        if kind is None or kind == "end":
            return
        start = match.start("opcode" if kind == "operands" else kind)
        self._line += self._text.count("\n", self._position, start)
        self._position = start
        if kind == "operands":
            self._instruction(match)
        elif kind == "label":
            self._labels.append(match["label"])
            self.statements.append(Label(match["label"], self._line, self._scopes[-1]))
        elif kind == "loc":
            parts = grammar.LOC_PARTS.match(match["loc"])
            if parts:
                self._loc = read_loc(parts)
                self.statements.append(LocMark(self._loc, self._line))
        elif kind == "declaration":
            text = tidy(match["declaration"])
            self.statements.append(Declaration(text, self._line, self._scopes[-1]))
        elif kind == "brace":
            self._brace(match["brace"])

    def _instruction(self, match: re.Match[str]) -> None:
        predicate = match["predicate"]
        self.statements.append(
            Instruction(
                match["opcode"],
                "".join(predicate.split()) if predicate else None,
                tidy_operands(match["operands"][:-1]),
                self._line,
                self._loc,
                tuple(self._labels),
                self._scopes[-1],
            )
        )
        self._labels.clear()

    def _brace(self, brace: str) -> None:
        if brace == "{":
            self._opened += 1
            self.statements.append(Scope("{", self._line, self._opened, self._scopes[-1]))
            self._scopes.append(self._opened)
        else:
            scope = self._scopes.pop()
            self.statements.append(Scope("}", self._line, scope, self._scopes[-1]))


def census(function: PtxFunction) -> dict[str, int]:
    """Counts of a function's instructions by opcode, predicates left out, sorted by opcode."""
    return dict(function.opcodes)
