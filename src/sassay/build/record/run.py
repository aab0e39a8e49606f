"""Records one command: runs it with private caches, and gathers what it left and what it told."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sassay.build.record.caches import private_environment
from sassay.build.record.environment import (
    GpuQuery,
    checkout_of,
    describe_command,
    describe_sources,
    describe_variables,
)
from sassay.build.record.events import Told, read_events
from sassay.build.record.libraries import LibraryWatch, with_device_code
from sassay.build.record.process import Ended, run_command
from sassay.errors import UsageError
from sassay.model.artifact import Scalar
from sassay.model.state import Diagnostic, Level

if TYPE_CHECKING:
    from collections.abc import Sequence

EVENTS_VARIABLE = "SASSAY_RECORD_EVENTS"
LIBRARIES_VARIABLE = "SASSAY_RECORD_LIBRARIES"
_CHILD = Path(__file__).parent / "child"
_MAX_ELSEWHERE = 10_000


class Recording(msgspec.Struct, frozen=True):
    """One command's run.

    Attributes:
        ended: How it ended.
        caches: Folder of its private caches, one folder a kind.
        told: What its processes told of their compilations.
        libraries: Loaded shared objects with NVIDIA code, where they were asked for.
        root: Checkout that it ran in, or its working folder.
        environment: What its state says of it.
        diagnostics: What kept the recording from being whole.
    """

    ended: Ended
    caches: Path
    told: Told
    libraries: tuple[Path, ...]
    root: Path
    environment: Mapping[str, Scalar]
    diagnostics: tuple[Diagnostic, ...]


def record_command(
    arguments: Sequence[str],
    workspace: Path,
    *,
    label: str,
    leave: Sequence[str] = (),
    libraries: Sequence[str] | None = None,
) -> Recording:
    """Run a command to its end and gather what it left. Called from the main thread.

    Args:
        arguments: Program and arguments.
        workspace: An empty folder for caches and events; stays where it is.
        label: The state's name, for the place of diagnostics.
        leave: Caches that stay where they are; see `caches.NAMES`.
        libraries: Globs of loaded shared objects to list, none for all; None looks at none.

    Raises:
        UsageError: There is no command, or it cannot be run.
        ToolError: The system cannot record.
    """
    if not arguments:
        raise UsageError("no command is named", hint="sassay record -o OUT.sassay -- COMMAND...")
    folder = Path.cwd()
    caches, events = workspace / "caches", workspace / "events"
    events.mkdir(parents=True)
    caches.mkdir()
    caller = dict(os.environ)
    environment = _with_hook(private_environment(caller, caches, leave=leave), events)
    watch = LibraryWatch() if libraries is not None else None
    if watch is not None:
        environment[LIBRARIES_VARIABLE] = "1"
    facts = {**describe_command(arguments, caller, folder), **describe_variables(caller)}
    gpus = GpuQuery()
    ended = run_command(arguments, environment, poll=watch.poll if watch else None)
    told = read_events(events)
    facts |= {**gpus.answer(), **describe_sources(folder), **_versions(told)}
    facts["exit_status"] = ended.status
    _gather_elsewhere(told, caches)
    seen = (watch.paths | told.libraries) if watch else set()
    found = with_device_code(seen, libraries or ()) if watch else ()
    return Recording(
        ended=ended,
        caches=caches,
        told=told,
        libraries=tuple(path for path in found if not path.is_relative_to(workspace.resolve())),
        root=checkout_of(folder) or folder,
        environment=dict(sorted(facts.items())),
        diagnostics=tuple(_diagnostics(ended, told, label, workspace)),
    )


def _with_hook(environment: dict[str, str], events: Path) -> dict[str, str]:
    """The environment in which every Python process imports the hook first."""
    behind = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = f"{_CHILD}{os.pathsep}{behind}" if behind else str(_CHILD)
    environment[EVENTS_VARIABLE] = str(events)
    return environment


def _versions(told: Told) -> dict[str, Scalar]:
    found: dict[str, Scalar] = {f"package.{name}": each for name, each in told.packages.items()}
    if told.python:
        found["python"] = told.python
    return found


def _gather_elsewhere(told: Told, caches: Path) -> None:
    """Copy cache entries that the command itself moved out of its private caches."""
    inside = caches.resolve()
    moved = sorted(
        {
            one.folder
            for one in told.compilations
            if one.folder and not Path(one.folder).resolve().is_relative_to(inside)
        }
    )
    for place in moved[:_MAX_ELSEWHERE]:
        source = Path(place)
        goal = caches / "elsewhere" / source.name
        if source.is_dir() and not goal.exists():
            shutil.copytree(source, goal, ignore_dangling_symlinks=True)


def _diagnostics(ended: Ended, told: Told, label: str, workspace: Path) -> list[Diagnostic]:
    found = []
    if not ended.is_whole:
        found.append(
            Diagnostic(
                Level.ERROR,
                label,
                f"the command {ended.describe()}: what it emitted until then is captured, and "
                "what it would have emitted later is missing",
            )
        )
    elif ended.stopped_by is not None:
        found.append(Diagnostic(Level.NOTE, label, f"the command {ended.describe()}"))
    if ended.survivors:
        noun = "process" if ended.survivors == 1 else "processes"
        found.append(
            Diagnostic(
                Level.WARNING,
                label,
                f"{ended.survivors} {noun} of the command still ran when it was captured: their "
                f"caches stay in {workspace}",
            )
        )
    found += [
        Diagnostic(Level.WARNING, label, f"the hook in the command failed: {failure}")
        for failure in told.failures
    ]
    if told.unreadable:
        found.append(
            Diagnostic(
                Level.WARNING,
                label,
                f"{told.unreadable} of the hook's lines cannot be read: the manifest may lack "
                "kernels",
            )
        )
    return found
