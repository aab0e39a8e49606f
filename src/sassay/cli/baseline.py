"""`sassay baseline`: keep a small text of what kernels are, and judge states against it."""

from __future__ import annotations

import shlex
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sassay.cli import options as o
from sassay.cli.diagnostics import say_diagnostics
from sassay.cli.option_groups import Amount, Judgement, Reports, Selection, grouped
from sassay.cli.output import emit, source_root, write_stdout, write_whole
from sassay.cli.text import shown
from sassay.errors import SassayError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.cli.session import Session
    from sassay.model.state import State

app = typer.Typer(
    help="Keep a small committed text of what kernels are, and judge states against it.",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

FileArg = Annotated[
    Path, typer.Argument(metavar="FILE", help="The stored reference, such as kernels.baseline.")
]
StateArg = Annotated[str, typer.Argument(metavar="STATE", help="A capture or any input.")]


@app.command("update")
def update_command(
    file: FileArg,
    state: StateArg,
    *,
    arch: o.ArchOpt = None,
    family: o.FamilyOpt = None,
    wrapper: o.WrapperOpt = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Write what a state's kernels are into FILE: one line a kernel, to be committed.

    For example:

      sassay baseline update kernels.baseline pr.sassay

      sassay baseline update kernels.baseline pr.sassay --family '*router*'
    """
    from sassay.baseline import read_baseline, write_baseline
    from sassay.cli.session import Session
    from sassay.report.numbers import plural

    before = None
    if file.exists():
        try:
            before = {kernel.id for kernel in read_baseline(file).state.kernels}
        except SassayError as error:
            # Whatever is wrong with it ends here; a file that is something else stays.
            if "line 1" in str(error):
                raise
    with Session(quiet=quiet, wrappers=wrapper) as session:
        opened = _opened(session, state, arch or (), family or ())
        text = write_baseline(
            opened, session.store, session.disassembler, progress=session.progress.note
        )
    write_whole(file, text)
    if quiet:
        return
    after = {kernel.id for kernel in opened.kernels}
    families = len({kernel.family for kernel in opened.kernels})
    moved = ""
    if before is not None:
        moved = (
            f" ({len(after - before)} new, {len(before - after)} gone)"
            if before != after
            else " (as before)"
        )
    write_stdout(
        f"{shown(str(file))}: {plural(len(after), 'kernel')}, "
        f"{plural(families, 'family', 'families')}{moved}\n"
    )
    say_diagnostics(opened)


@app.command("check")
@grouped
def check_command(
    file: FileArg,
    state: StateArg,
    *,
    policy: Annotated[
        str,
        typer.Option("--policy", "-p", metavar="FILE|PRESET", help="See `sassay policy list`."),
    ] = "kernel-family-deltas",
    selection: Selection,
    judgement: Judgement,
    amount: Amount,
    reports: Reports,
) -> None:
    """Judge a state against FILE, as `sassay check` judges it against another state.

    A change shows also where base and head are both built with a new compiler: the file holds what
    was accepted last. Accept what is there now with `sassay baseline update`.

    For example:

      sassay baseline check kernels.baseline pr.sassay --fail-on review

      sassay baseline check kernels.baseline pr.sassay --policy no-new-spills --markdown c.md

    Exit status: 0 pass, 1 the verdict reached --fail-on, 2 sassay could not judge.
    """
    import msgspec

    from sassay.baseline import read_baseline, teach_tiers
    from sassay.cli.judge import verdict_status
    from sassay.cli.session import Session, parse_groups
    from sassay.diff import DiffOptions, compare, selected
    from sassay.policy import evaluate, load_policy, resolve_today
    from sassay.report import Report, ReportOptions

    outputs = reports.outputs
    loaded = load_policy(policy)
    groups = parse_groups(selection.groups)
    reference = read_baseline(file)
    with Session(wrappers=selection.wrappers) as session, tempfile.TemporaryDirectory() as memo:
        (candidate,) = session.open_all(
            [state], archs=selection.archs, evidence=judgement.measurements
        )
        known = teach_tiers(reference, candidate, session.store, session.disassembler, Path(memo))
        options = DiffOptions(
            strict=judgement.strict,
            archs=selection.archs,
            families=selection.families,
            groups={**loaded.groups, **groups},
            all=amount.all_,
            cache_dir=Path(memo),
            inputs=(str(file), state),
        )
        states = selected((known, candidate), options)
        diff = compare(states, session.store, session.disassembler, options)
    # A step that would open the file as a state leads nowhere: it holds no code.
    steps = [step for step in diff.next_steps if str(file) not in shlex.split(step)]
    if any(pair.changed or pair.added or pair.removed for pair in diff.pairs):
        steps.append(f"sassay baseline update {shlex.join([str(file), state])}")
    diff = msgspec.structs.replace(diff, next_steps=tuple(steps))
    check = evaluate(loaded, states, diff, today=resolve_today(judgement.today), groups=groups)
    report = Report(
        command="check",
        states=states,
        diff=diff,
        check=check,
        options=ReportOptions(
            rendering=amount.rendering or check.rendering,
            limit=amount.limit,
            all=amount.all_,
            width=outputs.width(),
            color=outputs.wants_color(),
            source_root=source_root(),
        ),
    )
    emit(report, outputs)
    if not outputs.is_read_here():
        say_diagnostics(candidate)
    raise typer.Exit(
        verdict_status(check, judgement.fail_on, allow_unknown=judgement.allow_unknown)
    )


def _opened(session: Session, state: str, archs: Sequence[str], families: Sequence[str]) -> State:
    """A state, narrowed to some families."""
    opened = session.open(state, archs=tuple(archs))
    if not families:
        return opened
    import msgspec

    kernels = tuple(
        kernel
        for kernel in opened.kernels
        if any(fnmatchcase(kernel.family, glob) for glob in families)
    )
    if not kernels:
        raise UsageError(
            f"no family matches {', '.join(families)}",
            hint="sassay show STATE lists them; globs are anchored and case-sensitive",
        )
    return msgspec.structs.replace(opened, kernels=kernels)
