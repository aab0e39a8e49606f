"""Globs: anchored at both ends, case-sensitive, `*`, `?` and `[...]`."""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    # fnmatch.translate writes atomic groups between stars, so a hostile pattern cannot backtrack.
    return re.compile(fnmatch.translate(pattern))


@lru_cache(maxsize=65536)
def matches(pattern: str, text: str) -> bool:
    """Whether a glob matches the whole of a text."""
    return _compiled(pattern).match(text) is not None


def matches_any(patterns: Sequence[str], texts: Iterable[str]) -> bool:
    """Whether any of the globs matches any of the texts."""
    return any(matches(pattern, text) for text in texts for pattern in patterns)


def has_wildcard(pattern: str) -> bool:
    """Whether a glob can match more than one text."""
    return any(character in pattern for character in "*?[")
