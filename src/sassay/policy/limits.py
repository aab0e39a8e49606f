"""Bounds on what a policy file may hold; a real policy stays far below all of them."""

from __future__ import annotations

MAX_FILE_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 100_000
"""Nodes of the document with every alias spelled out, so that aliases cannot multiply."""
MAX_PATTERN = 512
MAX_CASE_COPIES = 10_000
