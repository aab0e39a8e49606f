"""`sassay explain`: the evidence of one finding, from the rule down to the instructions."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from sassay.cli import options as o
from sassay.cli.output import write_stdout, write_whole
from sassay.cli.text import shown
from sassay.errors import SassayError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sassay.cli.session import Session
    from sassay.model.change import Change, CodeDiff, Diff
    from sassay.model.finding import Check, Finding
    from sassay.model.kernel import Kernel
    from sassay.model.state import State

_MAX_CHANGES = 8
_MAX_INSTRUCTIONS = 12
_MAX_HUNKS = 3
_MAX_LINES = 30
_MAX_OPCODES = 8
_MAX_PLACES = 3
_SHORTEST_ID = 4


class Shape(StrEnum):
    """Formats of `--format`."""

    TERMINAL = "terminal"
    JSON = "json"


@dataclass(frozen=True)
class Instruction:
    """One matched instruction in the candidate."""

    kernel: str
    layer: str
    offset: int
    opcode: str
    text: str
    location: str | None


@dataclass
class Evidence:
    """Everything that a finding rests on, in the order in which it is read."""

    finding: Finding
    steps: tuple[str, ...]
    changes: list[Change] = field(default_factory=list)
    instructions: list[Instruction] = field(default_factory=list)
    code: list[CodeDiff] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    next: list[str] = field(default_factory=list)
    matched: int = 0


def explain_command(
    finding: Annotated[
        str,
        typer.Argument(
            metavar="FINDING", help="A finding's id or its first digits, RULE or RULE:FAMILY."
        ),
    ],
    states: o.StatesArg,
    *,
    policy: Annotated[
        str,
        typer.Option("--policy", "-p", metavar="FILE|PRESET", help="The policy that found it."),
    ] = "default",
    arch: o.ArchOpt = None,
    group: o.GroupOpt = None,
    wrapper: o.WrapperOpt = None,
    baseline: o.BaselineOpt = None,
    across_arch: o.AcrossOpt = None,
    strict: o.StrictOpt = False,
    evidence: o.EvidenceOpt = None,
    today: o.TodayOpt = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, metavar="N", help="At most N instructions a kernel.")
    ] = _MAX_INSTRUCTIONS,
    format_: Annotated[Shape, typer.Option("--format", "-f", help="Format of the output.")] = (
        Shape.TERMINAL
    ),
    output: o.OutputOpt = None,
) -> None:
    """Show what a finding of `sassay check` rests on: rule, steps, changes, instructions.

    The states and the policy are those of the check that found it.

    For example:

      sassay explain 4f1c base.sassay pr.sassay --policy no-new-spills

      sassay explain spills-grew:moe_kernel base.sassay pr.sassay --format json
    """
    from sassay.cli.facts import asks_for_facts, with_facts
    from sassay.cli.judge import compare_states, diff_options
    from sassay.cli.session import Session, parse_across, parse_groups
    from sassay.policy import evaluate, load_policy, resolve_today
    from sassay.policy import explain as explain_rules

    loaded = load_policy(policy)
    groups = parse_groups(group or ())
    date = resolve_today(today)
    with Session(wrappers=wrapper) as session:
        opened = session.open_all(states, archs=tuple(arch or ()), evidence=tuple(evidence or ()))
        if len(opened) > 1 or asks_for_facts(loaded):
            opened = with_facts(opened, session)
        options = diff_options(
            session,
            across=parse_across(across_arch),
            groups={**loaded.groups, **groups},
            baseline=baseline,
            strict=strict,
            inputs=tuple(states),
        )
        chosen, diff = compare_states(opened, session, options)
        check = evaluate(loaded, chosen, diff, today=date, groups=groups, baseline=baseline)
        one = _find(check, finding)
        steps = explain_rules(
            loaded, chosen, diff, only=one.id, today=date, groups=groups, baseline=baseline
        )
        found = _gather(one, steps, chosen, diff, session, limit)
    found.next += _next(one, states, opened, policy)
    text = _json(found) if format_ is Shape.JSON else _terminal(found)
    if output is not None:
        write_whole(output, text)
    else:
        write_stdout(text)


def _find(check: Check, wanted: str) -> Finding:
    found = [
        each
        for each in check.findings
        if wanted in {each.id, each.rule, f"{each.rule}:{each.family}"}
        or (len(wanted) >= _SHORTEST_ID and each.id.startswith(wanted))
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"{wanted!r} names {len(found)} findings",
            hint=", ".join(f"{each.id} {each.family}" for each in found[:_MAX_CHANGES]),
        )
    if not check.findings:
        raise UsageError(
            f"the check has no finding: its verdict is {check.verdict.value}",
            hint="are states and --policy those of the check?",
        )
    known = ", ".join(f"{each.id} {each.rule}" for each in check.findings[:_MAX_CHANGES])
    raise UsageError(f"the check has no finding {wanted!r}", hint=f"it has {known}")


def _gather(
    finding: Finding,
    steps: Sequence[str],
    states: Sequence[State],
    diff: Diff | None,
    session: Session,
    limit: int,
) -> Evidence:
    found = Evidence(finding, tuple(steps))
    named = set(finding.changes)
    found.changes = [each for each in diff.changes if each.id in named] if diff else []
    by_id = {kernel.id: kernel for state in states for kernel in state.kernels}
    if finding.matches:
        # The candidate's kernels come first in a finding; those of the baseline hold no match.
        candidates = {kernel.id for kernel in states[-1].kernels}
        for kernel_id in finding.kernels:
            if kernel_id in candidates:
                _instructions(found, by_id[kernel_id], session, limit)
    _code(found, by_id, session)
    return found


def _instructions(found: Evidence, kernel: Kernel, session: Session, limit: int) -> None:
    from sassay.capture import kernel_listing
    from sassay.model.layers import Layer

    finding = found.finding
    layers = [Layer(finding.layer)] if finding.layer else list(Layer)
    for layer in layers:
        if kernel.code.of(layer) is None:
            continue
        try:
            listing = kernel_listing(kernel, layer, session.store, session.disassembler)
        except SassayError as error:
            found.notes.append(f"{kernel.id} {layer.value}: {error}")
            continue
        matching = [line for line in listing if line.opcode in finding.matches]
        found.matched += len(matching)
        for line in matching[:limit]:
            where = line.location
            found.instructions.append(
                Instruction(
                    kernel=kernel.id,
                    layer=layer.value,
                    offset=line.offset,
                    opcode=line.opcode,
                    text=line.text,
                    location=f"{where.file}:{where.line}" if where else None,
                )
            )


def _code(found: Evidence, by_id: dict[str, Kernel], session: Session) -> None:
    """Aligned code of the first changes that have both sides."""
    from sassay.diff import code_diff
    from sassay.model.layers import Layer

    layer = Layer(found.finding.layer or "sass")
    for change in found.changes[:_MAX_CHANGES]:
        before = by_id.get(change.before or "")
        after = by_id.get(change.after or "")
        if before is None or after is None or len(found.code) >= _MAX_HUNKS:
            continue
        if before.code.of(layer) is None or after.code.of(layer) is None:
            continue
        try:
            found.code.append(
                code_diff(before, after, layer, session.store, session.disassembler, context=1)
            )
        except SassayError as error:
            found.notes.append(f"{change.name} {layer.value}: {error}")


def _next(
    finding: Finding, states: Sequence[str], opened: Sequence[State], policy: str
) -> Iterator[str]:
    import shlex

    names = shlex.join(states)
    layer = finding.layer or "sass"
    if len(states) > 1:
        yield (f"sassay diff {names} --family {shlex.quote(finding.family)} --layer {layer}")
    for argument, state in zip(reversed(states), reversed(opened), strict=True):
        held = {kernel.id for kernel in state.kernels}
        kernel = next((each for each in finding.kernels if each in held), None)
        if kernel is not None:
            yield f"sassay show {shlex.quote(argument)} {kernel} --lines"
            break
    if policy.endswith((".yaml", ".yml")):
        yield f"to accept it: a waiver for {finding.rule} and this family in {policy}"


def _terminal(found: Evidence) -> str:
    finding = found.finding
    where = f"{finding.family}  {finding.arch}  finding {finding.id}"
    lines = [
        f"{finding.effect.value.upper()}  {finding.rule}  {where}",
        f"  {finding.reason}",
    ]
    places = finding.source_lines
    lines += [f"  {each.file}:{each.line}" for each in places[:_MAX_PLACES]]
    if len(places) > _MAX_PLACES:
        lines.append(f"  and {len(places) - _MAX_PLACES} more source lines")
    lines += ["", "1  Why it fired", *(f"   {step}" for step in found.steps)]
    lines += ["", f"2  What changed ({len(found.changes)})"]
    lines += [f"   {line}" for each in found.changes[:_MAX_CHANGES] for line in _change(each)]
    if not found.changes:
        lines.append("   nothing: it rests on the candidate alone")
    elif len(found.changes) > _MAX_CHANGES:
        lines.append(f"   and {len(found.changes) - _MAX_CHANGES} more")
    lines += ["", f"3  Instructions that match ({found.matched})"]
    lines += [f"   {line}" for line in _instruction_lines(found)]
    if found.code:
        lines += ["", "4  The code, side before and side after"]
        lines += [f"   {line}" for line in _code_lines(found.code)]
    lines += [f"   not read: {note}" for note in found.notes]
    lines += ["", "Next", *(f"  {command}" for command in found.next)]
    return "\n".join(shown(line.rstrip()) for line in lines) + "\n"


def _change(change: Change) -> Iterator[str]:
    depth = f" {change.tier.value}" if change.tier else ""
    ids = " → ".join(each or "-" for each in (change.before, change.after))
    what = f"  {change.specialization}" if change.specialization else ""
    yield f"{change.status.value}{depth}  {change.name}  {ids}  change {change.id}{what}"
    deltas = change.deltas
    for label, moved in (
        ("resources", deltas.resources),
        ("ptx", deltas.ptx or {}),
        ("sass", deltas.sass or {}),
    ):
        ranked = sorted(moved.items(), key=lambda item: (-abs(item[1]), item[0]))
        if ranked:
            words = ", ".join(f"{name} {count:+d}" for name, count in ranked[:_MAX_OPCODES])
            more = len(ranked) - _MAX_OPCODES
            yield f"  {label}: {words}{f', {more} more' if more > 0 else ''}"
    for name, values in {**deltas.metadata, **deltas.facts}.items():
        yield f"  {name}: {values.before} → {values.after}"


def _instruction_lines(found: Evidence) -> Iterator[str]:
    if not found.instructions:
        yield "none: the rule speaks of kernels, not of instructions"
        return
    last = None
    for each in found.instructions:
        if (each.kernel, each.layer) != last:
            yield f"{each.kernel}  {each.layer}"
            last = (each.kernel, each.layer)
        place = f"{each.offset:#06x}" if each.layer == "sass" else f"line {each.offset}"
        where = f"  {each.location}" if each.location else ""
        yield f"  {place}  {each.text}{where}"
    left = found.matched - len(found.instructions)
    if left:
        yield f"  and {left} more: --limit N"


def _code_lines(code: Sequence[CodeDiff]) -> Iterator[str]:
    for one in code:
        yield f"{one.before} → {one.after}  {one.layer}  {one.tier.value}"
        told = 0
        for hunk in one.hunks[:_MAX_HUNKS]:
            yield f"  @@ {hunk.before_start} {hunk.after_start} @@"
            for line in hunk.lines:
                told += 1
                if told > _MAX_LINES:
                    break
                if line.op == "equal":
                    yield f"    {line.before}"
                    continue
                if line.before is not None:
                    yield f"  - {line.before}"
                if line.after is not None:
                    yield f"  + {line.after}"
        if told > _MAX_LINES or len(one.hunks) > _MAX_HUNKS:
            yield f"  {len(one.hunks)} regions differ; the first lines are shown"


def _json(found: Evidence) -> str:
    from dataclasses import asdict

    from sassay.report import json
    from sassay.report.documents import ExplainDocument, MatchedInstruction

    return json.text(
        ExplainDocument(
            schema="explain/1",
            finding=found.finding,
            steps=found.steps,
            changes=tuple(found.changes),
            instructions=tuple(MatchedInstruction(**asdict(each)) for each in found.instructions),
            matched=found.matched,
            code=tuple(found.code),
            notes=tuple(found.notes),
            next=tuple(found.next),
        )
    )
