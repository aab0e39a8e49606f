"""The option `--backend`: what runs kernels on numbers, and what is said when it could not."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sassay.machine.compiled import Backend


class BackendChoice(StrEnum):
    """What runs kernels."""

    AUTO = "auto"
    INTERPRETER = "interpreter"
    COMPILED = "compiled"


BackendOpt = Annotated[
    BackendChoice,
    typer.Option(
        "--backend",
        help="What runs kernels: the interpreter with every check, or code compiled by llvmlite "
        "after its first blocks; auto compiles long launches.",
    ),
]


def open_backend(choice: BackendChoice) -> Backend:
    """What runs launches.

    Raises:
        UsageError: Compiled code is asked for, and llvmlite is not installed.
    """
    from sassay.machine.compiled import Backend, Choice

    return Backend(Choice(choice.value))


def say_interpreted(backend: Backend) -> None:
    """Says in one line on standard error which kernels were to be compiled and were not."""
    from sassay.cli.text import printable

    if not backend.reasons:
        return
    listed = "; ".join(f"{name}: {why}" for name, why in sorted(backend.reasons.items()))
    count = len(backend.reasons)
    noun = "kernel" if count == 1 else "kernels"
    sys.stderr.write(f"sassay: {count} {noun} ran in the interpreter alone: {printable(listed)}\n")
