r"""The lexical grammar of PTX as compiled patterns, bytes of ASCII meaning only.

Everything repeats possessively (`*+`), so no pattern backtracks into what it has read and
matching takes time linear in the text, whatever the text. Source: "Parallel Thread Execution
ISA", chapter "Syntax".

Between statements, comments count as blanks. A comment inside a statement is rare; the reader
then blanks all comments and reads again (`blank_comments`).
"""

from __future__ import annotations

import re

COMMENT = r"//[^\n]*+|/\*[^*]*+(?:\*(?!/)[^*]*+)*+\*/"
BLANKS = rf"(?:\s++|{COMMENT})*+"
NAME = r"[A-Za-z_$%][\w$]*+"
STRING = r'"[^"\n]*+"'
OPCODE = r"[a-z_]\w*+(?:(?:\.|::)\w++)*+"
PREDICATE = rf"@\s*+(!?+\s*+{NAME})\s*+"

_WORD = r"[\w$%.]++"
_PUNCTUATION = r"\[\](),+\-*|&^~!<>="
# In text whose comments are blanked, a slash is division; `?:` only occurs in constant expressions.
_RARE_PUNCTUATION = _PUNCTUATION + "/?:"


def _operands(punctuation: str) -> str:
    # Words always have punctuation between them, so that a missing semicolon is an error
    # instead of a longer instruction. Braces hold a vector, never a scope, inside a statement.
    word = rf"(?:{_WORD}\s*+)?+"
    return (
        rf"(?![.:])\s*+{word}(?:(?:[{punctuation}]|\{{[^{{}};@]*+\}})[{punctuation}\s]*+{word})*+;"
    )


LOC = (
    r"\.loc\s++\d++\s++\d++(?:\s++\d++)?+"
    rf"(?:\s*+,\s*+function_name\s++{NAME}(?:\s*+\+\s*+\w++)?+)?+"
    r"(?:\s*+,\s*+inlined_at\s++\d++\s++\d++\s++\d++)?+"
)
LABEL = rf"{NAME}\s*+:(?!:)"
# A line break inside a directive stands after a comma, a bracket or an equals sign, or the next
# line goes on with punctuation or a dotted type: else a semicolon is missing.
DECLARATION = (
    r"\.(?:branchtargets|calltargets)\s[^;{}@]*+;"
    r"|\.(?!loc\b)[a-z]\w*+"
    rf"(?:[^;{{}}\"/\n,(=@]++|[,(=]\s*+|\n\s*+(?![@%\w$])|{STRING}|\{{[^{{}};]*+\}})*+;"
)

_BETWEEN = rf"(?:\s++|{COMMENT}|[{{}};]|{LOC}|{LABEL}|{DECLARATION})*+"


def _census(punctuation: str) -> re.Pattern[str]:
    # Each match takes the operands of the instruction before, whatever stands between, and the
    # next opcode. The only group is that opcode, or empty at the end, or all the rest from the
    # first character that fits nothing, so that findall yields plain strings and an error shows
    # among them. A body
    # starts after its brace, where no operands can follow.
    return re.compile(
        rf"(?:(?:(?<=\{{)|{_operands(punctuation)}){_BETWEEN}"
        rf"(?:{PREDICATE.replace('(', '(?:', 1)})?+)?+"
        rf"({OPCODE}|\Z|(?s:.++))",
        re.ASCII,
    )


CENSUS = _census(_PUNCTUATION)
CENSUS_BLANKED = _census(_RARE_PUNCTUATION)


def _statement(punctuation: str) -> re.Pattern[str]:
    operands = _operands(punctuation)
    return re.compile(
        rf"(?:\s++|{COMMENT}|;)*+(?:"
        rf"(?P<label>{NAME})\s*+:(?!:)"
        rf"|(?:{PREDICATE.replace('(', '(?P<predicate>', 1)})?+(?P<opcode>{OPCODE})"
        rf"(?P<operands>{operands})"
        rf"|(?P<loc>{LOC})"
        rf"|(?P<declaration>{DECLARATION})"
        r"|(?P<brace>[{}])"
        r"|(?P<end>\Z)"
        r"|(?P<error>\S))",
        re.ASCII,
    )


STATEMENT = _statement(_PUNCTUATION)
STATEMENT_BLANKED = _statement(_RARE_PUNCTUATION)


def _columns(punctuation: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?:\s++|{COMMENT}|[{{}};]|{LOC})*+(?:"
        rf"({NAME})\s*+:(?!:)"
        rf"|(?:{PREDICATE})?+({OPCODE})({_operands(punctuation)})"
        rf"|({DECLARATION})|\Z)",
        re.ASCII,
    )


COLUMNS = _columns(_PUNCTUATION)
"""Statements as tuples of label, predicate, opcode, operands, declaration; an empty one ends."""
COLUMNS_BLANKED = _columns(_RARE_PUNCTUATION)

LOC_PARTS = re.compile(
    r"\.loc\s++(?P<file>\d++)\s++(?P<line>\d++)(?:\s++(?P<column>\d++))?+"
    rf"(?:\s*+,\s*+function_name\s++(?P<function>{NAME}(?:\s*+\+\s*+\w++)?+))?+"
    r"(?:\s*+,\s*+inlined_at\s++(?P<at_file>\d++)\s++(?P<at_line>\d++)\s++(?P<at_column>\d++))?+",
    re.ASCII,
)


def _nested(depth: int) -> str:
    atom = rf'[^{{}}"/]++|//[^\n]*+|/\*[^*]*+(?:\*(?!/)[^*]*+)*+\*/|{STRING}|/(?!\*)'
    pattern = rf"(?:{atom})*+"
    for _ in range(depth):
        pattern = rf"(?:{atom}|\{{{pattern}\}})*+"
    return pattern


BODY = re.compile(_nested(3), re.ASCII)
"""A body with up to three levels of braces, to its closing brace, in one step."""

BRACE = re.compile(rf"[{{}}]|{STRING}|{COMMENT}", re.ASCII)
"""Braces, and the places where a brace is none."""

COMMENT_OR_STRING = re.compile(rf"{STRING}|{COMMENT}", re.ASCII)
_LINES = re.compile(r"[^\n]")


def blank_comments(text: str) -> str:
    """The text with comments overwritten by blanks: same length, same lines."""

    def blank(match: re.Match[str]) -> str:
        found = match.group()
        return found if found[0] == '"' else _LINES.sub(" ", found)

    return COMMENT_OR_STRING.sub(blank, text)
