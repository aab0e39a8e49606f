"""A manifest: which kernels are compiled, and how."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from sassay.build.values import Value

TypeTree = str | Value | tuple["TypeTree", ...]
"""A parameter's type; a value where it is a constant; a tuple of these for a tuple parameter."""

OptionValue = bool | int | float | str | None


class Variant(msgspec.Struct, frozen=True):
    """One compilation of one kernel, for each of its architectures; everything resolved.

    Attributes:
        kernel: Number of the `[[kernel]]` table, from 0.
        name: Variant's name within the kernel; empty where there is one only.
        title: Kernel's name and the variant's, as messages print it.
        file: Source file relative to the root; None if `module` is given.
        module: Dotted module name; None if `file` is given.
        function: Name of the jit function.
        signature: Types of run-time parameters.
        constants: Compile-time constants by parameter.
        divisibility: Known divisor by parameter; `*` stands for every pointer.
        options: Triton options that the manifest sets.
        archs: Sorted architectures, `sm_90`.
        globals: Values for module-level names that extraction cannot find out.
    """

    kernel: int
    name: str
    title: str
    file: str | None
    module: str | None
    function: str
    signature: Mapping[str, TypeTree]
    constants: Mapping[str, Value]
    divisibility: Mapping[str, int]
    options: Mapping[str, OptionValue]
    archs: tuple[str, ...]
    globals: Mapping[str, Value]


class Manifest(msgspec.Struct, frozen=True):
    """A manifest as read and expanded.

    Attributes:
        path: The file, as given.
        root: Folder that `file` entries are relative to.
        search: Folders in which module names are looked up, before `sys.path`.
        label: Label of the state; None if the manifest names none.
        environment: What the state says of its engine, flat.
        variants: In the order of the manifest, grids in the order of their lists.
    """

    path: Path
    root: Path
    search: tuple[Path, ...]
    label: str | None
    environment: Mapping[str, OptionValue]
    variants: tuple[Variant, ...]
