"""`sassay reproduce`: one kernel with a launch as a Python file of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sassay.cli import options as o


def reproduce_command(
    origin: Annotated[
        str, typer.Argument(metavar="INPUT", help="A .ptx, a cache, a capture, a manifest.")
    ],
    kernel: Annotated[str, typer.Argument(help="Name or glob of the kernel.")] = "*",
    *,
    grid: Annotated[str, typer.Option(help="Blocks: X, X,Y or X,Y,Z.")] = "1",
    block: Annotated[
        str | None, typer.Option(help="Threads of a block; what the kernel asks for if left out.")
    ] = None,
    shared: Annotated[
        int | None, typer.Option(help="Bytes of dynamic shared memory; as recorded if left out.")
    ] = None,
    arg: Annotated[
        list[str] | None,
        typer.Option(
            "--arg",
            metavar="ARG",
            help="One for each parameter: a number, null, bf16:512x512 (random), zeros-f32:512.",
        ),
    ] = None,
    output: o.OutputOpt = None,
) -> None:
    """Write a small Python file that runs one kernel: in the PTX machine, on a GPU, or on both.

    The file holds the PTX, the launch and what its arguments are made of. For example:

      sassay reproduce ~/.triton/cache matmul --grid 4,4 --arg bf16:512x512 --arg bf16:512x512
      --arg zeros-bf16:512x512 --arg 512 --arg 512 --arg 512 -o repro.py

      python repro.py --on both
    """
    from fnmatch import fnmatchcase

    from sassay.cli.kernels import KernelFinder
    from sassay.cli.output import write_stdout, write_whole
    from sassay.errors import UsageError
    from sassay.machine.hardware.reproduce import (
        Reproduction,
        read_argument,
        script,
        wants_shared,
    )

    with KernelFinder(Path()) as finder:
        known = finder.kernels(origin, [kernel])
    found = [
        each
        for each in known
        if any(fnmatchcase(name, kernel) for name in (each.symbol, *each.names))
    ]
    if len(found) != 1:
        names = ", ".join(sorted({each.symbol for each in found or known})[:8])
        raise UsageError(
            f"{len(found)} kernels are called {kernel}", artifact=origin, hint=f"it has {names}"
        )
    (code,) = found
    threads = _counts(block, "--block") if block else code.block
    if threads is None:
        raise UsageError(f"nothing says how many threads {code.symbol} wants", hint="give --block")
    if shared is None and not code.shared and wants_shared(code.text, code.symbol, origin):
        raise UsageError(
            f"nothing says how many bytes of dynamic shared memory {code.symbol} wants",
            hint="give --shared",
        )
    given = [read_argument(each, at) for at, each in enumerate(arg or [], 1)]
    text = script(
        Reproduction(
            origin=origin,
            text=code.text,
            entry=code.symbol,
            grid=_counts(grid, "--grid"),
            block=threads,
            shared=code.shared if shared is None else shared,
            arguments=tuple(given),
        )
    )
    if output is None:
        write_stdout(text)
    else:
        write_whole(output, text)


def _counts(text: str, option: str) -> tuple[int, ...]:
    from sassay.errors import UsageError

    parts = text.split(",")
    if not 1 <= len(parts) <= 3 or not all(part.strip().isdecimal() for part in parts):
        raise UsageError(f"{option} {text!r}", hint="one to three counts, such as 4,4")
    return tuple(int(part) for part in parts)
