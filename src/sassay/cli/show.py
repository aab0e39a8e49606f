"""`sassay show`: a state's kernels and families, or one kernel and its code."""

from __future__ import annotations

import contextlib
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

import typer

from sassay.cli import options as o
from sassay.cli.diagnostics import say_diagnostics
from sassay.cli.facts import kernel_facts, with_facts
from sassay.cli.option_groups import Pages, Selection, Sources, grouped
from sassay.cli.output import emit
from sassay.cli.selection import find_kernels, one_or_more
from sassay.cli.session import Session, parse_groups
from sassay.cli.source_text import SourceText
from sassay.cli.traced import traced_state
from sassay.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.model.kernel import Kernel
    from sassay.model.lines import KernelLines
    from sassay.model.state import State
    from sassay.report import Listing

_LISTED = 8


@grouped
def show_command(
    state: Annotated[str, typer.Argument(metavar="STATE", help="A capture or any input.")],
    kernel: Annotated[
        str | None,
        typer.Argument(metavar="KERNEL", help="An id, symbol, demangled name or family."),
    ] = None,
    *,
    layer: Annotated[
        o.LayerChoice | None, typer.Option("--layer", help="Print the kernel's code too.")
    ] = None,
    lines: Annotated[
        bool, typer.Option("--lines", help="Count the instructions of each source line.")
    ] = False,
    numeric_path: Annotated[
        bool,
        typer.Option(
            "--numeric-path", help="Also how the kernel computes its outputs: order and precision."
        ),
    ] = False,
    sources: Sources,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Which family exists for which architecture.")
    ] = False,
    selection: Selection,
    summary: o.SummaryOpt = False,
    all_: o.AllOpt = False,
    limit: o.LimitOpt = None,
    pages: Pages,
) -> None:
    """Show what a state holds, or everything known of one kernel.

    For example:

      sassay show ~/.triton/cache

      sassay show libfoo.so --arch sm_90 --family '*gemm*'

      sassay show pr.sassay _rmsnorm_kernel --layer sass

      sassay show pr.sassay _rmsnorm_kernel --lines --source-root python/
    """
    from sassay.diff import coverage as covered
    from sassay.report import Report, ReportOptions

    outputs = pages.outputs
    with Session(wrappers=selection.wrappers) as session:
        opened = _opened(session, state, kernel, selection.archs)
        named = parse_groups(selection.groups).values()
        globs = selection.families + tuple(glob for globs in named for glob in globs)
        shown = _of_families(opened, globs)
        chosen = one_or_more([shown], kernel) if kernel else ()
        single = _single(chosen, kernel, wanted=bool(layer or lines))
        if single is not None:
            single = kernel_facts(single, session, paths=numeric_path)
        elif outputs.writes(o.Format.JSON):
            shown = with_facts((shown,), session, paths=numeric_path)[0]
        texts = sources.text
        listing = _listing(session, opened, single, layer, texts) if single and layer else None
        counted = _lines(session, opened, single, texts) if lines else None
        html = outputs.writes(o.Format.HTML)
        listed = (single,) if single else chosen or shown.kernels
        traced = traced_state(listed, opened.label, session, texts.reader(opened)) if html else ()
    if chosen and single is None:
        shown = with_kernels(shown, chosen)
    report = Report(
        command="show",
        states=(shown,),
        kernel=single,
        listing=listing,
        lines=counted,
        traced=traced,
        coverage=None if single else covered(shown.kernels),
        coverage_alone=coverage,
        options=ReportOptions(
            rendering="summary" if summary else "delta",
            limit=limit,
            all=all_ or (bool(chosen) and limit is None),
            layer=layer.value if layer else None,
            width=outputs.width(),
            color=outputs.wants_color(),
        ),
    )
    emit(report, outputs)
    if not outputs.is_read_here():
        say_diagnostics(opened)


def _opened(session: Session, state: str, kernel: str | None, archs: tuple[str, ...]) -> State:
    """The state; of a large library only what may hold the kernel that is asked for."""
    if kernel is not None:
        with contextlib.suppress(InputError):
            found = session.open(state, archs=archs, kernel=kernel)
            if find_kernels(found.kernels, kernel):
                return found
    return session.open_all([state], archs=archs)[0]


def with_kernels(state: State, kernels: tuple[Kernel, ...]) -> State:
    """The same state with other kernels.

    Args:
        state: The state.
        kernels: What it holds instead.
    """
    import msgspec

    return msgspec.structs.replace(state, kernels=kernels)


def _of_families(state: State, globs: Sequence[str]) -> State:
    if not globs:
        return state
    kept = tuple(
        kernel
        for kernel in state.kernels
        if any(fnmatchcase(kernel.family, glob) for glob in globs)
    )
    if not kept:
        families = sorted({kernel.family for kernel in state.kernels})
        close = get_close_matches(globs[0].strip("*"), families, n=3, cutoff=0.3)
        raise UsageError(
            f"no family matches {', '.join(globs)}",
            hint=f"did you mean {', '.join(close)}?" if close else "see `sassay show STATE`",
        )
    return with_kernels(state, kept)


def _single(chosen: Sequence[Kernel], name: str | None, *, wanted: bool) -> Kernel | None:
    if len(chosen) == 1:
        return chosen[0]
    if chosen and wanted:
        listed = ", ".join(f"{kernel.id} ({kernel.arch})" for kernel in chosen[:_LISTED])
        more = "" if len(chosen) <= _LISTED else f" and {len(chosen) - _LISTED} more"
        raise UsageError(
            f"{name!r} names {len(chosen)} kernels", hint=f"choose an id: {listed}{more}"
        )
    return None


def _lines(session: Session, state: State, kernel: Kernel | None, texts: SourceText) -> KernelLines:
    from sassay.capture.lines import read_kernel_lines
    from sassay.capture.texts import with_text

    if kernel is None:
        raise UsageError("--lines needs a KERNEL", hint="`sassay show STATE` lists them")
    found = read_kernel_lines(kernel, session.store, session.disassembler)
    return with_text(found, texts.reader(state))


def _listing(
    session: Session, state: State, kernel: Kernel, layer: o.LayerChoice, texts: SourceText
) -> Listing:
    from sassay.capture import kernel_listing
    from sassay.capture.listing import ptx_lines
    from sassay.model.layers import Layer
    from sassay.report import Listing

    wanted = Layer(layer.value)
    if kernel.code.of(wanted) is None:
        raise UsageError(
            f"{kernel.name!r} has no {wanted.value} here",
            hint="PTX that stands alone has no SASS; a cubin alone has no PTX",
        )
    lines = kernel_listing(kernel, wanted, session.store, session.disassembler)
    reader = texts.reader(state)
    places = {line.location for line in lines if line.location is not None}
    return Listing(
        layer=wanted.value,
        lines=lines,
        ptx_lines=ptx_lines(kernel, session.store, len(lines)) if wanted is Layer.SASS else None,
        texts={
            place: text
            for place in places
            if (text := reader.text(place.file, place.line)) is not None
        },
    )
