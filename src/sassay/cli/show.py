"""`sassay show`: a state's kernels and families, or one kernel and its code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sassay.cli import options as o
from sassay.cli.output import Outputs, emit
from sassay.cli.selection import one_or_more
from sassay.cli.session import Session, parse_groups

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sassay.isa.listing import ListingLine
    from sassay.model.kernel import Kernel
    from sassay.model.state import State


def show_command(
    state: Annotated[str, typer.Argument(metavar="STATE", help="A capture or any input.")],
    kernel: Annotated[
        str | None,
        typer.Argument(metavar="[KERNEL]", help="An id, symbol, demangled name or family."),
    ] = None,
    *,
    layer: Annotated[
        o.LayerChoice | None, typer.Option("--layer", help="Print the kernel's code too.")
    ] = None,
    arch: o.ArchOpt = None,
    family: o.FamilyOpt = None,
    group: o.GroupOpt = None,
    summary: o.SummaryOpt = False,
    all_: o.AllOpt = False,
    limit: o.LimitOpt = None,
    format_: o.FormatOpt = o.Format.TERMINAL,
    output: o.OutputOpt = None,
    json_file: o.JsonOpt = None,
    markdown_file: o.MarkdownOpt = None,
    html_file: o.HtmlOpt = None,
    color: o.ColorOpt = None,
) -> None:
    """Show what a state holds, or everything known of one kernel.

    Examples:

      sassay show ~/.triton/cache

      sassay show libfoo.so --arch sm_90 --family '*gemm*'

      sassay show pr.sassay _rmsnorm_kernel --layer sass
    """
    from sassay.report import Report, ReportOptions

    more: dict[o.Format, Path | None] = {
        o.Format.JSON: json_file,
        o.Format.MARKDOWN: markdown_file,
        o.Format.HTML: html_file,
    }
    outputs = Outputs(main=format_, path=output, more=more, color=color)
    listings: tuple[tuple[Kernel, tuple[ListingLine, ...]], ...] = ()
    with Session() as session:
        (opened,) = session.open_all([state], archs=tuple(arch or ()))
        chosen = one_or_more([opened], kernel) if kernel else ()
        if chosen and layer:
            listings = _listings(session, chosen[: limit or 1], layer)
    shown = _narrowed(opened, chosen) if chosen else opened
    report = Report(
        command="kernel" if chosen else "show",
        states=(shown,),
        listings=listings,
        options=ReportOptions(
            rendering="summary" if summary else "delta",
            limit=limit,
            all=all_,
            families=tuple(family or ()),
            groups=parse_groups(group or ()),
            layer=layer.value if layer else None,
            width=outputs.width(),
            color=outputs.wants_color(),
        ),
    )
    emit(report, outputs)


def _narrowed(state: State, kernels: Sequence[Kernel]) -> State:
    import msgspec

    return msgspec.structs.replace(state, kernels=tuple(kernels))


def _listings(
    session: Session, kernels: Sequence[Kernel], layer: o.LayerChoice
) -> tuple[tuple[Kernel, tuple[ListingLine, ...]], ...]:
    from sassay.capture import kernel_listing
    from sassay.errors import UsageError
    from sassay.model.layers import Layer

    wanted = Layer(layer.value)
    found = tuple(
        (kernel, kernel_listing(kernel, wanted, session.store, session.disassembler))
        for kernel in kernels
        if kernel.code.of(wanted)
    )
    if not found:
        raise UsageError(
            f"{kernels[0].name!r} has no {wanted.value} here",
            hint="PTX that stands alone has no SASS; a cubin alone has no PTX",
        )
    return found
