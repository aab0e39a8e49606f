"""`sassay record`: run a command with fresh caches and capture what it emitted."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sassay.cli import options as o
from sassay.cli.diagnostics import say_diagnostics
from sassay.cli.output import write_whole
from sassay.cli.session import Session, parse_environment
from sassay.cli.text import shown
from sassay.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sassay.build.record import Recording, Replay
    from sassay.model.artifact import Scalar
    from sassay.model.state import Evidence, State

_SHOWN = 5


def record_command(
    command: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND...", help="What to run, with its arguments.")
    ],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The capture, OUT.sassay.")],
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest",
            metavar="FILE.toml",
            help="Where the manifest goes that compiles the same kernels again; default OUT.toml.",
        ),
    ] = None,
    no_manifest: Annotated[bool, typer.Option("--no-manifest", help="Write no manifest.")] = False,
    root: Annotated[
        Path | None,
        typer.Option(
            "--root",
            metavar="DIR",
            help="Folder of the sources that the manifest names files below; by default the "
            "checkout that the command runs in.",
        ),
    ] = None,
    loaded: Annotated[
        bool,
        typer.Option("--loaded", help="Include the shared objects with GPU code that it loaded."),
    ] = False,
    library: Annotated[
        list[str] | None,
        typer.Option(
            "--library",
            metavar="GLOB",
            help="Include loaded shared objects that match, such as '*sgl_kernel*'; repeatable.",
        ),
    ] = None,
    leave: Annotated[
        list[str] | None,
        typer.Option(
            "--leave",
            metavar="CACHE",
            help="Leave this cache where it is and do not capture it: triton, inductor, deepgemm, "
            "flashinfer, tvm-ffi, cute_dsl or vllm; repeatable.",
        ),
    ] = None,
    rejects: Annotated[
        bool,
        typer.Option("--rejects", help="Keep the kernels that autotuning tried and did not keep."),
    ] = False,
    caches: Annotated[
        Path | None,
        typer.Option("--caches", metavar="DIR", help="Keep its caches in this new folder."),
    ] = None,
    label: o.LabelOpt = None,
    arch: o.ArchOpt = None,
    evidence: Annotated[
        list[str] | None,
        typer.Option("--evidence", metavar="FILE.json", help="Attach measurements; repeatable."),
    ] = None,
    env: o.EnvOpt = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Add nothing to what the command prints.")
    ] = False,
) -> None:
    """Run a command with fresh, private caches and capture every kernel that it compiled.

    Its output, its signals and its exit status stay its own. The capture says how it was run:
    command line, options, git revision, versions, GPU; never a secret.

    For example:

      sassay record -o pr.sassay -- python -m sglang.launch_server --model-path Qwen/Qwen3-8B

      sassay record -o pr.sassay --manifest kernels.toml -- pytest tests/kernels

      sassay record -o pr.sassay --library '*sgl_kernel*' -- python bench.py

    Exit status: the command's own (128 and the signal's number if one killed it); 2 if it ended
    well and could not be captured.
    """
    measured = _before(output, manifest, caches, evidence or (), no_manifest=no_manifest)
    from sassay.build.record import needs_root
    from sassay.build.record import record_command as run

    name = label or output.name.removesuffix(".sassay") or "record"
    named = parse_environment(env or ())
    workspace = caches or Path(tempfile.mkdtemp(prefix="sassay-record-"))
    workspace.mkdir(parents=True, exist_ok=True)
    recording = None
    try:
        globs = tuple(library or ())
        recording = run(
            command,
            workspace,
            label=name,
            leave=tuple(leave or ()),
            libraries=globs if loaded or globs else None,
        )
        status = recording.ended.status
        try:
            state = _capture(
                recording, output, name, arch or (), measured, named, rejects=rejects, quiet=quiet
            )
            place = manifest or output.with_name(f"{output.name.removesuffix('.sassay')}.toml")
            sources = root or recording.root
            replay = None
            if not no_manifest:
                replay = _write_manifest(recording, place, sources, rejects=rejects)
            if not quiet:
                rooted = needs_root(sources, place.absolute().parent)
                _summarize(state, output, replay, place, needs_root=rooted, rejects=rejects)
        except InputError as error:
            # The command's own failure explains more than that nothing came of it.
            if not status:
                raise
            sys.stderr.write(f"sassay: error: nothing is captured: {shown(str(error))}\n")
    finally:
        if caches is None and (recording is None or not recording.ended.survivors):
            shutil.rmtree(workspace, ignore_errors=True)
    raise typer.Exit(status)


def _before(
    output: Path,
    manifest: Path | None,
    caches: Path | None,
    evidence: Sequence[str],
    *,
    no_manifest: bool,
) -> dict[str, Evidence]:
    """Everything that can be wrong with the command line, found out before a long run."""
    if not output.absolute().parent.is_dir():
        raise UsageError(
            "cannot be written",
            artifact=str(output),
            hint=f"there is no folder {output.parent}",
        )
    if output.exists() and not (output / "manifest.json").is_file():
        raise UsageError("exists and is no capture", artifact=str(output), hint="name another")
    if manifest is not None and no_manifest:
        raise UsageError("--manifest and --no-manifest exclude one another")
    if manifest is not None and not manifest.absolute().parent.is_dir():
        raise UsageError("cannot be written: no such folder", artifact=str(manifest))
    if caches is not None and caches.exists() and any(caches.iterdir()):
        raise UsageError("is not empty", artifact=str(caches), hint="--caches wants a new folder")
    if not evidence:
        return {}  # reading none keeps the start of the command free of heavy imports
    from sassay.capture import load_evidence

    measured: dict[str, Evidence] = {}
    for path in evidence:
        measured.update(load_evidence(Path(path)))
    return measured


def _capture(
    recording: Recording,
    output: Path,
    label: str,
    archs: Sequence[str],
    evidence: Mapping[str, Evidence],
    environment: Mapping[str, Scalar],
    *,
    rejects: bool,
    quiet: bool,
) -> State:
    """Build the state out of the caches and the loaded libraries, and write it."""
    import msgspec

    from sassay.build.record import settle_rejects
    from sassay.capture import merge_states, write_capture

    facts = {**recording.environment, **environment}
    with Session(quiet=quiet) as session:
        states = []
        missing: InputError | None = None
        for place in (recording.caches, *recording.libraries):
            try:
                states.append(
                    session.open(
                        str(place),
                        label=label,
                        archs=tuple(archs),
                        evidence=evidence,
                        environment=facts,
                    )
                )
            except InputError as error:
                missing = missing or error
        if not states:
            raise InputError(
                "the command left no compiled kernel in its caches"
                if missing is None or "no compiled code" in missing.message
                else missing.message,
                artifact=label,
                hint="kernels that come in shared objects: see --loaded",
            )
        state = states[0] if len(states) == 1 else merge_states(states, label=label)
        state = msgspec.structs.replace(
            state,
            diagnostics=tuple(sorted({*state.diagnostics, *recording.diagnostics}, key=str)),
        )
        state = settle_rejects(state, recording.told.rejected, keep=rejects)
        session.progress.note(f"writing {output}")
        write_capture(state, session.store, output)
    return state


def _write_manifest(recording: Recording, place: Path, root: Path, *, rejects: bool) -> Replay:
    """Write the manifest; nothing is written where there is nothing to compile again."""
    from sassay.build.record import replay_manifest

    told = recording.told
    replay = replay_manifest(
        [one for one in told.compilations if rejects or one.entry not in told.rejected],
        root=root,
        folder=place.absolute().parent,
        generated=(recording.caches.resolve(), recording.caches),
    )
    if replay.text:
        write_whole(place, replay.text)
    return replay


def _summarize(
    state: State,
    output: Path,
    replay: Replay | None,
    place: Path,
    *,
    needs_root: bool,
    rejects: bool,
) -> None:
    """A line or two on standard error: standard output is the command's."""
    from sassay.report.numbers import plural

    families = {kernel.family for kernel in state.kernels}
    parts = [
        plural(len(state.kernels), "kernel"),
        plural(len(families), "family", "families"),
    ]
    if tried := state.counts.get("autotuning_rejects"):
        word = "with" if rejects else "without"
        parts.append(f"{word} {plural(tried, 'kernel')} that autotuning did not keep")
    lines = [f"{shown(str(output))}: {', '.join(parts)}"]
    if replay is not None and replay.text:
        root = " --root CHECKOUT" if needs_root else ""
        lines.append(
            f"{shown(str(place))}: {plural(replay.compilations, 'compilation')} of "
            f"{plural(replay.functions, 'function')}, "
            f"to replay without a GPU: sassay compile {shown(str(place))}{root} -o OUT.sassay"
        )
    if replay is not None and replay.left_out:
        first = replay.left_out[0]
        lines.append(
            f"{plural(len(replay.left_out), 'function')} cannot be compiled again, such as "
            f"{shown(first.function)}: {shown(first.why)}"
        )
    for line in lines:
        sys.stderr.write(f"sassay: {line}\n")
    say_diagnostics(state)
