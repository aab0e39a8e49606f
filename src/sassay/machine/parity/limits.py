"""Every bound on what a contract file may ask for."""

from __future__ import annotations

MAX_FILE_BYTES = 1 << 20
MAX_CONTRACTS = 1000
MAX_CASES = 2000
"""Points of one contract's grid."""
MAX_BUFFER_BYTES = 1 << 28
"""All buffers of one case."""
MAX_LAUNCHES = 4096
"""Launches of one side of one case."""
MAX_ROWS = 10_000_000
"""Rows of a probe."""
