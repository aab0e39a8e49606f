"""A state: all kernels of one build or run, its environment and its evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from sassay.model.artifact import Scalar
from sassay.model.kernel import Function, Kernel
from sassay.model.text import TextRun

SOURCE_FOLDER = "source.folder"
"""Environment: the folder of the repository that relative paths of source files start in."""


class Level(StrEnum):
    """How serious a diagnostic is.

    `ERROR`: something that should have been read was not, so rules that need it are UNKNOWN.
    `WARNING`: read, with a doubt. `NOTE`: worth knowing, nothing is missing.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Diagnostic(msgspec.Struct, frozen=True, order=True):
    """What kept sassay from reading something, or what a reader should know about a state.

    Attributes:
        level: How serious it is.
        place: File and place in it; a state's label where it concerns the whole.
        message: One clause.
        arch: Architecture whose kernels lack evidence because of it; None: any.
        layer: `ptx` or `sass` where only that layer lacks evidence; None: the kernel itself.
        family: The one family that lacks evidence because of it; None: unknown, or any.
    """

    level: Level
    place: str
    message: str
    arch: str | None = None
    layer: str | None = None
    family: str | None = None


class Evidence(msgspec.Struct, frozen=True):
    """One attached measurement, such as GSM8K accuracy or a profile.

    Attributes:
        value: The figure or the verdict; None where the attached file only says that it exists.
        unit: Unit or note, such as `accuracy` or `tokens`.
        detail: Anything a card shows below the figure.
    """

    value: str | float | int | bool | None
    unit: str | None = None
    detail: str | None = None


class State(msgspec.Struct, frozen=True):
    """All kernels of one build or run.

    Attributes:
        label: The name that reports use.
        kernels: Sorted by family, architecture, name, id; made when somebody looks at one where
            an earlier run knew them (`model.later`).
        functions: Device functions with sections of their own, sorted.
        environment: What the run says of itself (engine config, git revision, GPU), flat.
        evidence: Attached measurements by name.
        tools: Versions of what read it (`sassay`, `nvdisasm`).
        diagnostics: Sorted by level, place, message.
        counts: What was seen and left out: `files`, `skipped_files`, `artifacts`, ...
        texts: Source lines that line tables name, by path as the compiler wrote it; only where
            they were kept when the state was made.
    """

    label: str
    kernels: Sequence[Kernel]
    functions: Sequence[Function] = ()
    environment: Mapping[str, Scalar] = {}
    evidence: Mapping[str, Evidence] = {}
    tools: Mapping[str, str] = {}
    diagnostics: tuple[Diagnostic, ...] = ()
    counts: Mapping[str, int] = {}
    texts: Mapping[str, tuple[TextRun, ...]] = {}
