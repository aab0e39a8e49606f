"""`sassay bisect`: the first state in which a family moved or a verdict turned."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sassay.cli import options as o
from sassay.cli.output import write_stdout, write_whole
from sassay.cli.text import shown
from sassay.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sassay.bisect import CommitCaptures, FamilyWatch, Turn
    from sassay.cli.session import Session
    from sassay.model.state import State
    from sassay.policy import Policy

CONTEXT = {"allow_interspersed_args": True}
_MAX_FAMILIES = 200
_FEW = 32


class TierChoice(StrEnum):
    """Tiers of `--tier`."""

    RELOCATED = "relocated"
    RESCHEDULED = "rescheduled"
    RENAMED = "renamed"
    REORDERED = "reordered"
    RECOMPOSED = "recomposed"


class Shape(StrEnum):
    """Formats of `--format`."""

    TERMINAL = "terminal"
    JSON = "json"


@dataclass(frozen=True)
class Answer:
    """What was found of one family, or of the verdict."""

    what: str
    arch: str | None
    turn: Turn
    became: str
    later: str


def bisect_command(
    states: Annotated[
        list[str] | None,
        typer.Argument(metavar="STATE...", help="Captures or inputs, oldest first; or a COMMAND."),
    ] = None,
    *,
    family: o.FamilyOpt = None,
    arch: o.ArchOpt = None,
    wrapper: o.WrapperOpt = None,
    tier: Annotated[
        TierChoice | None,
        typer.Option("--tier", help="The shallowest tier that counts as a change."),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy", "-p", metavar="FILE|PRESET", help="Find where this verdict turned instead."
        ),
    ] = None,
    today: o.TodayOpt = None,
    commits: Annotated[
        str | None,
        typer.Option(
            "--commits",
            metavar="GOOD..BAD",
            help="Search these commits; what follows -- captures one into {out}.",
        ),
    ] = None,
    repo: Annotated[
        Path, typer.Option("--repo", metavar="DIR", help="The repository of --commits.")
    ] = Path(),
    captures: Annotated[
        Path | None,
        typer.Option("--captures", metavar="DIR", help="Keep the captures of commits here."),
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Look at every state: a history may turn back.")
    ] = False,
    format_: Annotated[Shape, typer.Option("--format", "-f", help="Format of the output.")] = (
        Shape.TERMINAL
    ),
    output: o.OutputOpt = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Find the first state in which families came, went or changed, or a policy's verdict turned.

    Every state is compared with the first. Few states are opened, and few commits captured: about
    as many as the history has binary digits.

    For example:

      sassay bisect monday.sassay tuesday.sassay wednesday.sassay --family '*router*'

      sassay bisect --commits v1.0..HEAD -- sassay compile kernels.toml -o {out}

      sassay bisect --commits v1.0..HEAD --policy no-new-spills -- ./capture.sh {out}

    Exit status: 0 found, 1 nothing turned between the first and the last, 2 sassay could not judge.
    """
    from sassay.bisect import CommitCaptures, FamilyWatch, list_commits
    from sassay.cli.session import Session
    from sassay.diff import DiffOptions
    from sassay.model.layers import Tier

    with ExitStack() as stack:
        session = stack.enter_context(Session(quiet=quiet, wrappers=wrapper))
        options = DiffOptions(
            cache_dir=session.cache,
            strict=tier is not None and TierChoice(tier) is TierChoice.RELOCATED,
        )
        made: CommitCaptures | None = None
        archs = tuple(arch or ())
        if commits is not None:
            history = list_commits(repo, commits)
            labels = [commit.label for commit in history]
            folder = captures or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            made = stack.enter_context(
                CommitCaptures(repo, states or (), folder, session.progress.note)
            )
            opener = _commit_opener(session, made, history, archs)
        else:
            given = list(states or ())
            if len(given) < 2:
                raise UsageError(
                    "bisect needs two states or more, or --commits GOOD..BAD -- COMMAND",
                    hint="sassay bisect OLDEST ... NEWEST --family GLOB",
                )
            labels = _labels(given)
            # Captures are read fast: nothing in such a history need stay unseen.
            all_ = all_ or (len(given) <= _FEW and all(map(_is_capture, given)))
            opener = _state_opener(session, given, archs)
        watch = FamilyWatch(
            opener,
            session.store,
            session.disassembler,
            options,
            families=tuple(family or ()),
            tier=Tier(tier.value) if tier else None,
        )
        try:
            if policy is not None:
                answers = [_verdict(watch, policy, len(labels), today, every=all_)]
            else:
                answers = _families(watch, len(labels), every=all_)
        except ValueError as error:
            place = int(str(error))
            raise InputError(
                _why(made, history[place].revision if made else ""),
                artifact=labels[place],
                hint="the first and the last state must be there",
            ) from error
        opened = watch.opened
        failures = dict(made.failures) if made else {}
    text = (
        _json(answers, labels, opened, failures)
        if format_ is Shape.JSON
        else _terminal(answers, labels, opened, made, every=all_)
    )
    if output is not None:
        write_whole(output, text)
    else:
        write_stdout(text)
    raise typer.Exit(0 if any(answer.turn.place is not None for answer in answers) else 1)


def _why(made: CommitCaptures | None, revision: str) -> str:
    said = made.failures.get(revision) if made else None
    return f"cannot be captured: {said}" if said else "cannot be opened"


def _labels(given: Sequence[str]) -> list[str]:
    from sassay.cli.session import split_label

    found = []
    for argument in given:
        label, spec = split_label(argument)
        found.append(label or Path(spec).name.removesuffix(".sassay") or spec)
    if len(set(found)) < len(found):
        found = list(given)
    return found


def _is_capture(argument: str) -> bool:
    from sassay.capture import is_capture
    from sassay.cli.session import split_label

    return is_capture(split_label(argument)[1])


def _state_opener(
    session: Session, given: Sequence[str], archs: tuple[str, ...]
) -> Callable[[int], State | None]:
    return lambda place: session.open(given[place], archs=archs)


def _commit_opener(
    session: Session, made: CommitCaptures, history: Sequence[Any], archs: tuple[str, ...]
) -> Callable[[int], State | None]:
    def opened(place: int) -> State | None:
        path = made.capture(history[place])
        return session.open(str(path), archs=archs) if path is not None else None

    return opened


def _families(watch: FamilyWatch, count: int, *, every: bool) -> list[Answer]:
    """One search a family that moved; captures are shared between them."""
    from sassay.bisect import family_key, find_turn

    last = count - 1
    if watch.diff(last) is None:
        raise ValueError(0 if watch.state(0) is None else last)
    places = range(1, count) if every else (last,)
    if not any(watch.rows(place) for place in places):
        raise UsageError(
            "no family matches --family in the first or the last state",
            hint="sassay show STATE lists them; globs are anchored and case-sensitive",
        )
    keys = sorted({family_key(row) for place in places for row in watch.moved(place)})
    if len(keys) > _MAX_FAMILIES:
        raise UsageError(
            f"{len(keys)} families moved from the first state to the last",
            hint="pick some with --family GLOB",
        )
    answers = []
    for key in keys:

        def moved(place: int, key: tuple[str, str] = key) -> bool | None:
            watched = watch.watched(key, place)
            return None if watched is None else watch.is_moved(watched)

        turn = find_turn(count, moved, every=every)
        answers.append(
            Answer(key[0], key[1], turn, _became(watch, key, turn.place), _became(watch, key, last))
        )
    return answers


def _became(watch: FamilyWatch, key: tuple[str, str], place: int | None) -> str:
    watched = watch.watched(key, place) if place is not None else None
    if watched is None or watched.status is None:
        return "unchanged"
    status = watched.status.value
    return f"{status} ({watched.tier.value})" if watched.tier and status == "changed" else status


def _verdict(
    watch: FamilyWatch, name: str, count: int, today: str | None, *, every: bool
) -> Answer:
    """The search for a verdict; each state is judged against the first."""
    from sassay.bisect import find_turn
    from sassay.policy import evaluate, load_policy, resolve_today

    policy: Policy = load_policy(name)
    date = resolve_today(today)
    verdicts: dict[int, str] = {}

    def verdict(place: int) -> str | None:
        diff, first, state = watch.diff(place), watch.state(0), watch.state(place)
        if diff is None or first is None or state is None:
            return None
        import msgspec

        candidate = msgspec.structs.replace(state, label="later")
        check = evaluate(policy, (first, candidate), diff, today=date)
        verdicts[place] = check.verdict.value
        return verdicts[place]

    turn = find_turn(count, verdict, every=every)
    place = turn.place if turn.place is not None else count - 1
    became = f"{verdicts[0]} → {verdicts[place]}" if turn.place is not None else verdicts[0]
    return Answer(f"verdict of {name}", None, turn, became, verdicts[count - 1])


def _terminal(
    answers: Sequence[Answer],
    labels: Sequence[str],
    opened: int,
    made: CommitCaptures | None,
    *,
    every: bool,
) -> str:
    lines = [f"sassay bisect  {labels[0]} → {labels[-1]}  {len(labels)} states", ""]
    found = [answer for answer in answers if answer.turn.place is not None]
    for answer in found:
        turn = answer.turn
        where = f"  {answer.arch}" if answer.arch else ""
        lines.append(f"{answer.what}{where}  {answer.became}")
        lines.append(f"  first in  {_named(labels, turn.place)}")
        lines.append(f"  not yet   {_named(labels, turn.before)}")
        if turn.skipped:
            lines.append(
                f"  {len(turn.skipped)} between could not be captured: it may be any of them too"
            )
        if not turn.is_single:
            lines.append(
                "  the history is not monotonic: it turned "
                f"{len(turn.turns)} times, at {', '.join(labels[p] for p in turn.turns)}; in the "
                f"last state it is {answer.later}"
            )
        elif answer.later != answer.became and answer.arch is not None:
            lines.append(f"  in the last state it is {answer.later}")
        lines.append("")
    if not found:
        lines += ["nothing turned: the last state is as the first", ""]
    looked = f"{opened} of {len(labels)} states were looked at"
    if made is not None:
        looked += f", {made.made} captured now"
    lines.append(looked)
    if opened < len(labels) and not every:
        lines.append(
            "what turned and turned back between two of them is not seen: --all looks at each"
        )
    if made is not None:
        lines += [
            f"not captured  {_label_of(revision, labels)}: {why}"
            for revision, why in made.failures.items()
        ]
    return "\n".join(shown(line) for line in lines) + "\n"


def _named(labels: Sequence[str], place: int | None) -> str:
    return f"{labels[place]}  ({place + 1} of {len(labels)})" if place is not None else "-"


def _label_of(revision: str, labels: Sequence[str]) -> str:
    return next((label for label in labels if label.startswith(revision[:10])), revision)


def _json(
    answers: Sequence[Answer], labels: Sequence[str], opened: int, failures: dict[str, str]
) -> str:
    from sassay.report import json
    from sassay.report.documents import BisectAnswer, BisectDocument

    return json.text(
        BisectDocument(
            schema="bisect/1",
            states=tuple(labels),
            opened=opened,
            failures=failures,
            answers=tuple(
                BisectAnswer(
                    what=answer.what,
                    arch=answer.arch,
                    became=answer.became,
                    last=answer.later,
                    first_in=answer.turn.place,
                    not_yet=answer.turn.before,
                    skipped=tuple(answer.turn.skipped),
                    turns=tuple(answer.turn.turns),
                    monotonic=answer.turn.is_single,
                    asked=tuple(answer.turn.asked),
                )
                for answer in answers
            ),
        )
    )
