r"""Names made harmless and short. Every renderer takes names from hostile files through here.

A kernel's name, a path or a label comes out of a file that nobody vouches for. `plain` leaves
printable text as it is and writes anything else (control characters, terminal escapes, direction
overrides, zero-width and unpaired surrogate characters) as a visible `\x1b` or `\u202e`.
Markup of the target format is escaped on top of that.
"""

from __future__ import annotations

import re
from html import escape
from posixpath import normpath
from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from sassay.model.artifact import SourceLocation

ELLIPSIS = "\u2026"
LABEL_WIDTH = 32
_SAFE_SPAN = re.compile(r"[A-Za-z0-9_:;<>,.()&*= /+~$@#%\u2192\u2026\-\[\]{}]+")
_MARKDOWN = re.compile(r"[\\`*_{}\[\]()<>|~&!^]")
_ISSUE = re.compile(r"\b(GH)-(?=\d)", re.IGNORECASE)
_WINDOWS_DRIVE = re.compile(r"^[A-Za-z]:/")


def plain(text: str) -> str:
    r"""Text on one line with nothing in it that a terminal or a reader could be fooled by.

    Args:
        text: Anything.

    Returns:
        The same text where it is printable; else `\x1b`, `\u202e` and so on in its place.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _visible(char) for char in text)


def _visible(char: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char)
    if named:
        return named
    point = ord(char)
    if point <= 0xFF:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def cells(text: str) -> int:
    """Terminal columns that plain text takes."""
    if text.isascii():
        return len(text)
    return cell_len(text)


def elide(text: str, width: int) -> str:
    """Plain text cut in its middle to at most `width` terminal columns.

    Two thirds of what is kept come from the front (the qualified name), the rest from the end
    (what tells one instance from its siblings).

    Args:
        text: Plain text.
        width: Columns, at least 1.
    """
    if cells(text) <= width:
        return text
    tail = max(0, (width - 1) // 3)
    head = max(0, width - 1 - tail)
    return _take(text, head) + ELLIPSIS + _take(text[::-1], tail)[::-1]


def cut(text: str, width: int) -> str:
    """Plain text cut at its end to at most `width` terminal columns, as code reads best."""
    return text if cells(text) <= width else _take(text, max(0, width - 1)) + ELLIPSIS


def _take(text: str, width: int) -> str:
    if text.isascii():
        return text[:width]
    used = 0
    for index, char in enumerate(text):
        used += cells(char)
        if used > width:
            return text[:index]
    return text


def markdown_code(text: str) -> str:
    """A name as Markdown code: no mention, no link, no HTML, safe in a table's cell.

    GitHub leaves mentions, issue numbers and links alone inside code. Names made of the usual
    characters become a backtick span; for others every doubtful character is an entity inside
    `<code>`, because a backtick, a backslash or a pipe has no spelling that is safe everywhere.

    Args:
        text: Anything.
    """
    shown = plain(text)
    if (
        _SAFE_SPAN.fullmatch(shown)
        and shown == shown.strip()
        and not ("<!--" in shown or "</" in shown)
    ):
        return f"`{shown}`"
    return f"<code>{html_entities(shown)}</code>"


def html_entities(text: str) -> str:
    """Plain text with everything but letters, digits, `_`, `.`, `:` and space as an entity."""
    return "".join(
        char if char.isalnum() or char in " .:" else f"&#{ord(char)};" for char in plain(text)
    )


def html_text(text: str) -> str:
    """Plain text for the inside of an HTML element or a quoted attribute."""
    return escape(plain(text))


def markdown_text(text: str) -> str:
    """Prose in Markdown: shown as written, without formatting, mentions, links or HTML.

    An empty HTML comment splits `@name` and `#123`, as GitHub looks for them in the text of the
    rendered page, where an entity would not help.

    Args:
        text: Anything.
    """
    shown = _MARKDOWN.sub(lambda match: f"&#{ord(match[0])};", plain(text))
    shown = shown.replace("://", "&#58;//").replace("www.", "www&#46;")
    shown = _ISSUE.sub(r"\1-<!-- -->", shown)
    return re.sub(r"(?<!&)([@#$])", r"\1<!-- -->", shown)


def label(text: str) -> str:
    """A state's label, short enough for a heading."""
    return elide(plain(text), LABEL_WIDTH)


def location_text(location: SourceLocation, parts: int = 2) -> str:
    """A source line for people: the last parts of the path, and the line."""
    path = plain(location.file.replace("\\", "/"))
    return f"{'/'.join(path.split('/')[-parts:])}:{location.line}"


def portable_path(path: str, root: str | None = None) -> str:
    """A source path without what only one machine knows.

    Args:
        path: As the compiler wrote it.
        root: Folder of the checkout; paths under it become relative to it.

    Returns:
        A relative path with `/`: below `root`, or what follows `site-packages/`, or a relative
        path as it stands without leading `..`, or the file's name alone.
    """
    clean = normpath(plain(path.replace("\\", "/")))
    if root:
        base = normpath(plain(root.replace("\\", "/"))).rstrip("/") + "/"
        if clean.startswith(base):
            return clean[len(base) :]
    for marker in ("/site-packages/", "/dist-packages/"):
        if marker in clean:
            return clean.rsplit(marker, 1)[1]
    if clean.startswith("/") or _WINDOWS_DRIVE.match(clean):
        return clean.rsplit("/", 1)[1] or "unknown"
    while clean.startswith("../"):
        clean = clean[3:]
    return clean if clean not in {"", ".", ".."} else "unknown"
