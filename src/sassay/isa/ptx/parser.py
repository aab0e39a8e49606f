"""Reads a PTX module: its directives, its functions, and where their bodies lie."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sassay.isa.ptx import grammar
from sassay.isa.ptx.body import (
    UnreadableError,
    body_end,
    count_opcodes,
    first_loc,
    syntax_error,
    tidy,
)
from sassay.isa.ptx.header import (
    launch_of,
    read_directives,
    read_parameters,
    split_variable,
)
from sassay.isa.ptx.syntax import (
    File,
    FunctionDeclaration,
    Module,
    ModuleText,
    ModuleVariable,
    Parameter,
    PtxFunction,
    Section,
)
from sassay.model.artifact import SourceLocation

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.errors import FormatError

_TEXT = rf'(?:[^;"/]++|{grammar.STRING}|{grammar.COMMENT}|/(?![/*]))*+;'
_HEADER = rf"(?:[^;{{/]++|{grammar.COMMENT}|/(?![/*]))*+[;{{]"

_ITEM = re.compile(
    rf"{grammar.BLANKS}(?:"
    r"\.version\s++(?P<version>\d++\.\d++)"
    r"|\.target\s++(?P<target>\w++(?:\s*+,\s*+\w++)*+)"
    r"|\.address_size\s++(?P<address_size>\d++)"
    rf"|\.file\s++(?P<file>\d++)\s++(?P<path>{grammar.STRING})"
    rf"(?:\s*+(?P<path2>{grammar.STRING}))?+(?:\s*+md5\s++\w++)?+(?:\s*+,\s*+\d++)*+"
    rf"|(?P<loc>{grammar.LOC})"
    r"|\.section\s++(?P<section>[.\w$]++)\s*+(?:,[^{\n]*+)?+\{"
    rf"|\.alias\s++(?P<alias>{grammar.NAME})\s*+,\s*+(?P<aliasee>{grammar.NAME})\s*+;"
    rf"|(?P<linkage>(?:\.(?:visible|extern|weak|common)\b{grammar.BLANKS})*+)(?:"
    rf"\.(?P<kind>entry|func)\b(?P<header>{_HEADER})"
    r"|\.(?P<space>global|const|shared|local|param|reg|sreg|tex|texref|samplerref|surfref)\b"
    rf"(?P<variable>{_TEXT}))"
    rf"|(?P<pragma>\.pragma\b{_TEXT})"
    r"|(?P<dwarf>@@\w++[^\n]*+)"
    r"|(?P<end>\Z)"
    r"|(?P<error>\S))",
    re.ASCII,
)
_SIGNATURE = re.compile(
    r"(?P<attribute>(?:\s*+\.attribute\s*+\((?:[^()]|\([^()]*+\))*+\))*+)"
    r"\s*+(?:\((?P<returns>[^()]*+)\)\s*+)?+"
    rf"(?P<name>{grammar.NAME})\s*+"
    r"(?:\((?P<params>[^()]*+)\))?+"
    r"(?P<rest>[^;{]*+)[;{]\Z",
    re.ASCII,
)
_EXPECTED = "a directive such as .version, .visible or .entry"


def read_module(text: str | bytes, *, artifact: str) -> Module:
    """Reads a PTX module.

    Args:
        text: The module; bytes are UTF-8. Trailing NULs are taken off, as fatbins pad with them.
        artifact: Name of the artifact in errors.

    Raises:
        FormatError: The text is no PTX; it names the line and what was expected there.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return _ModuleReader(text.rstrip("\0"), artifact).read()


class _ModuleReader:
    """Walks the module item by item."""

    def __init__(self, text: str, artifact: str) -> None:
        self._text = text
        self._artifact = artifact
        self._version: str | None = None
        self._targets: tuple[str, ...] = ()
        self._address_size: int | None = None
        self._files: list[File] = []
        self._sections: list[Section] = []
        self._aliases: list[tuple[str, str]] = []
        self._pragmas: list[str] = []
        self._variables: list[ModuleVariable] = []
        self._declared: list[FunctionDeclaration] = []
        self._found: list[tuple[re.Match[str], re.Match[str], int]] = []
        self._line = 1
        self._line_offset = 0

    def read(self) -> Module:
        """The module."""
        position, size = 0, len(self._text)
        while position < size:
            match = _ITEM.match(self._text, position)
            if match is None or match["error"]:
                offset = match.start("error") if match else position
                raise self._wrong(offset, _EXPECTED)
            position = self._take(match)
        if self._version is None:
            raise self._wrong(0, ".version")
        if not self._targets:
            raise self._wrong(0, ".target")
        return self._module(self._version)

    def _wrong(self, offset: int, expected: str) -> FormatError:
        return syntax_error(self._text, offset, expected, self._artifact)

    def _line_of(self, offset: int) -> int:
        # Items come in order, so each line is counted once.
        self._line += self._text.count("\n", self._line_offset, offset)
        self._line_offset = offset
        return self._line

    def _take(self, match: re.Match[str]) -> int:
        kind = match.lastgroup
        if kind == "version":
            self._version = match["version"]
        elif kind == "target":
            self._targets += tuple(word.strip() for word in match["target"].split(","))
        elif kind == "address_size":
            self._address_size = int(match["address_size"])
        elif kind in {"path", "path2"}:
            self._file(match)
        elif kind == "section":
            line = self._line_of(match.start("section"))
            self._sections.append(Section(match["section"], line))
            return body_end(self._text, match.end(), self._artifact) + 1
        elif kind == "aliasee":
            self._aliases.append((match["alias"], match["aliasee"]))
        elif kind == "header":
            return self._function(match)
        elif kind == "variable":
            self._variable(match)
        elif kind == "pragma":
            self._pragmas.append(tidy(match["pragma"]))
        return match.end()

    def _file(self, match: re.Match[str]) -> None:
        path, name = match["path"][1:-1], match["path2"]
        if name:
            self._files.append(File(int(match["file"]), name[1:-1], path))
        else:
            self._files.append(File(int(match["file"]), path))

    def _variable(self, match: re.Match[str]) -> None:
        offset = match.start("space")
        found = split_variable(match["space"], match["variable"][:-1])
        if found is None:
            raise self._wrong(offset - 1, "a variable declaration")
        name, text, initializer = found
        linkage = _linkage(match["linkage"])
        self._variables.append(
            ModuleVariable(name, linkage, match["space"], text, initializer, self._line_of(offset))
        )

    def _function(self, match: re.Match[str]) -> int:
        header = match["header"]
        signature = _SIGNATURE.match(grammar.blank_comments(header) if "/" in header else header)
        if signature is None:
            raise self._wrong(match.start("kind") - 1, "a function name and its parameters")
        if header.endswith(";"):
            offset = match.start("kind") - 1
            declaration = tidy(match["linkage"] + self._text[offset : match.end()])
            self._declared.append(
                FunctionDeclaration(signature["name"], declaration, self._line_of(offset))
            )
            return match.end()
        end = body_end(self._text, match.end(), self._artifact)
        self._found.append((match, signature, end))
        return end + 1

    def _module(self, version: str) -> Module:
        shared = ModuleText(
            artifact=self._artifact,
            text=self._text,
            files={row.index: row.full_path for row in self._files},
            variables={row.name: row for row in self._variables},
        )
        self._line, self._line_offset = 1, 0
        functions = [self._build(shared, *found) for found in self._found]
        return Module(
            version=version,
            targets=self._targets,
            address_size=self._address_size,
            entries=tuple(each for each in functions if each.kind == "entry"),
            functions=tuple(each for each in functions if each.kind == "func"),
            declared=tuple(self._declared),
            variables=tuple(self._variables),
            aliases=tuple(self._aliases),
            file_table=tuple(self._files),
            pragmas=tuple(self._pragmas),
            sections=tuple(self._sections),
        )

    def _build(
        self, shared: ModuleText, match: re.Match[str], signature: re.Match[str], end: int
    ) -> PtxFunction:
        start = match.end()
        offset = match.start("kind")

        def wrong(expected: str) -> FormatError:
            return self._wrong(offset - 1, expected)

        directives = _directives(signature["rest"], wrong)
        loc = first_loc(self._text, start, end)
        opcodes, blanked = self._census(shared, start, end)
        return PtxFunction(
            name=signature["name"],
            kind=match["kind"],
            linkage=_linkage(match["linkage"]),
            params=_parameters(signature["params"], wrong),
            returns=_parameters(signature["returns"], wrong),
            directives=directives,
            launch=launch_of(directives),
            location=SourceLocation(shared.files[loc.file], loc.line)
            if loc and loc.file in shared.files
            else None,
            opcodes=opcodes,
            line=self._line_of(offset),
            module=shared,
            start=start,
            end=end,
            body_line=self._line_of(start),
            blanked=blanked,
        )

    def _census(self, shared: ModuleText, start: int, end: int) -> tuple[dict[str, int], bool]:
        try:
            return count_opcodes(self._text, start, end, blanked=False), False
        except UnreadableError:
            pass  # perhaps a comment inside a statement
        try:
            return count_opcodes(shared.blanked, start, end, blanked=True), True
        except UnreadableError as error:
            raise self._wrong(
                error.offset, "an instruction, a directive or a label that ends before this"
            ) from None


def _linkage(text: str) -> str:
    return " ".join(text.replace(".", " ").split())


def _directives(text: str, wrong: Callable[[str], FormatError]) -> dict[str, tuple[int, ...]]:
    found = read_directives(text)
    if found is None:
        raise wrong("performance directives such as .reqntid 128 before the body")
    return found


def _parameters(text: str | None, wrong: Callable[[str], FormatError]) -> tuple[Parameter, ...]:
    found = read_parameters(text or "")
    if found is None:
        raise wrong("parameters such as .param .u64 name")
    return found
