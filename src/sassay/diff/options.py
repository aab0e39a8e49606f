"""What a person asks of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from sassay.capture.texts import SourceReader


class DiffOptions(msgspec.Struct, frozen=True):
    """How states are compared; the defaults compare everything, first state as the baseline.

    Attributes:
        strict: Count `relocated` and `rescheduled` kernels as changed too.
        baseline: Label of the state that every other one is compared with; None compares each
            consecutive pair, and the first with the last.
        across_arch: `(architecture before, architecture after)`: pair the kernels of two
            architectures, of two states or of one.
        groups: Group name to family globs.
        archs: Globs; only architectures that match one are compared. Empty: all.
        families: Globs; only families that match one are compared. Empty: all.
        all: List unchanged kernels among the changes too.
        limit: Most suspects to list; None lists all. Counts and changes are never cut.
        cache_dir: Folder that keeps tiers from run to run; None keeps them for this run only.
        inputs: How each state was named on the command line, for the commands of
            `Diff.next_steps`; labels where empty.
        readers: Source text of each state by its label, for aligning source lines; without it
            lines are aligned by number.
    """

    strict: bool = False
    baseline: str | None = None
    across_arch: tuple[str, str] | None = None
    groups: Mapping[str, tuple[str, ...]] = {}
    archs: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    all: bool = False
    limit: int | None = None
    cache_dir: Path | None = None
    inputs: tuple[str, ...] = ()
    readers: Mapping[str, SourceReader] = {}
