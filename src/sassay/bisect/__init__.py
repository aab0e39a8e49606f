"""Finds the first state of a history in which something turned."""

from sassay.bisect.commits import Commit, CommitCaptures, list_commits
from sassay.bisect.search import Turn, find_turn
from sassay.bisect.watch import FamilyWatch, Watched, family_key

__all__ = [
    "Commit",
    "CommitCaptures",
    "FamilyWatch",
    "Turn",
    "Watched",
    "family_key",
    "find_turn",
    "list_commits",
]
