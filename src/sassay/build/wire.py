"""Records between the process that reads manifests and the workers that run Triton."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from sassay.build.values import Value

FOLDER_PREFIX = "sassay-worker-"
"""Start of the name of a worker's private folder."""

Path = tuple[int, ...]
"""Place of an argument: its number, then the numbers inside tuples."""

SignatureTree = str | tuple["SignatureTree", ...]


class FunctionKind(StrEnum):
    """What a source function is to Triton."""

    JIT = "jit"
    CONSTEXPR = "constexpr_function"


class FunctionSource(msgspec.Struct, frozen=True):
    """One function taken out of a file.

    Attributes:
        name: Name in its module.
        defined: Name that its `def` gives it; another one after `name = triton.jit(defined)`.
        line: Line of the `def`, from 1.
        text: Its lines, without decorators, with the indentation of the file.
        noinline: Triton's `noinline` flag.
    """

    name: str
    defined: str
    kind: FunctionKind
    line: int
    text: str
    noinline: bool = False


class Unit(msgspec.Struct, frozen=True):
    """What is taken out of one file.

    Attributes:
        file: Path relative to the root, as `.loc` names it.
        module: Dotted name that the functions say they come from.
        functions: Sorted by line.
        bindings: Module-level names that the functions use.
    """

    file: str
    module: str
    functions: tuple[FunctionSource, ...]
    bindings: Mapping[str, Value]


class Extraction(msgspec.Struct, frozen=True):
    """A kernel with everything that it uses; `units` are sorted by file."""

    file: str
    function: str
    units: tuple[Unit, ...]


class Job(msgspec.Struct, frozen=True):
    """One compilation for one architecture.

    Attributes:
        signature: Parameter to type, in the function's order; `constexpr` for constants.
        constants: Value by place, as `(path, value)`.
        divisibility: Divisor by place.
        options: What the manifest sets.
    """

    extraction: Extraction
    signature: tuple[tuple[str, Any], ...]  # a `SignatureTree`; msgspec decodes no recursive alias
    constants: tuple[tuple[Path, Value], ...]
    divisibility: tuple[tuple[Path, int], ...]
    options: Mapping[str, bool | int | float | str | None]
    arch: int


class Compiled(msgspec.Struct, frozen=True, tag="compiled"):
    """A worker's answer: where the entry lies and which options Triton settled on."""

    key: str
    options: Mapping[str, bool | int | float | str | None]


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """A worker's answer: why not, and the line where the compiler stumbled, if it said."""

    message: str
    file: str | None = None
    line: int | None = None


Answer = Compiled | Failed
