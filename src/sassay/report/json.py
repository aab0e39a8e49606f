"""JSON: `state/1`, `diff/1`, `check/1` and `code/1`, for programs and agents.

`schema` comes first; other keys are sorted, except a signature's, whose order is the parameters'.
Lists and objects that fit on a line stay on one, so that a document reads and diffs well. Only
ASCII is written: a terminal shows names with escapes in them as escapes.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from sassay.errors import UsageError
from sassay.isa.counted import spelled_out
from sassay.model.change import FamilyRow, FamilyStatus, StateSummary
from sassay.model.layers import Layered
from sassay.report.digest import kinds
from sassay.report.documents import (
    CheckDocument,
    CodeDocument,
    DiffDocument,
    Document,
    ListingDocument,
    ListingEntry,
    StateDocument,
)
from sassay.report.release import MOVERS
from sassay.report.select import diagnostics, moved_families, summaries

if TYPE_CHECKING:
    from sassay.model.library import LibraryReport
    from sassay.model.state import Diagnostic
    from sassay.report.bundle import Listing, Report

_WIDTH = 100
_SUSPECTS = 10
_MOVES = 6
_ORDERED = frozenset({"signature"})
_dump = json.JSONEncoder(ensure_ascii=True, allow_nan=False).encode
T = TypeVar("T")


def render(report: Report) -> str:
    """The report as a JSON document with a trailing newline.

    Args:
        report: For `show` exactly one state; for `check` a check; else a diff or code diffs.

    Raises:
        UsageError: The report holds nothing that its command should have.
    """
    return text(document(report))


def text(document: Document) -> str:
    """A document as JSON with a trailing newline.

    Args:
        document: One of the typed documents.
    """
    return _write(_sorted(msgspec.to_builtins(document, enc_hook=spelled_out)), 0) + "\n"


def document(report: Report) -> Document:
    """The typed document of a report; arguments and errors as `render` has them."""
    omitted: dict[str, int] = {}
    if report.command == "show":
        return _state(report, omitted)
    if report.command == "code" or (report.diff is None and report.check is None):
        if not report.code_diffs:
            raise UsageError("there is nothing to report")
        code = _cut(report, "code", report.code_diffs, omitted)
        return CodeDocument("code/1", summaries(report), code, omitted)
    if report.command in {"check", "lint"} and report.check is not None:
        return _check(report, omitted)
    return _diff(report, omitted)


def _state(report: Report, omitted: dict[str, int]) -> StateDocument:
    if len(report.states) != 1:
        raise UsageError("a state/1 document holds one state", hint="show one state at a time")
    state = report.states[0]
    kernels = (report.kernel,) if report.kernel is not None else tuple(state.kernels)
    if report.kernel is not None and len(state.kernels) > 1:
        omitted["kernels"] = len(state.kernels) - 1
    listing = None
    if report.listing is not None and report.kernel is not None:
        listing = _listing(report.kernel.id, report.listing)
    return StateDocument(
        schema="state/1",
        label=state.label,
        environment=state.environment,
        evidence=state.evidence,
        tools=state.tools,
        counts=state.counts,
        kernels=_cut(report, "kernels", kernels, omitted, summary=report.kernel is None),
        functions=_cut(report, "functions", tuple(state.functions), omitted, summary=True),
        listing=listing,
        lines=report.lines,
        coverage=None if report.kernel is not None else report.coverage,
        diagnostics=state.diagnostics,
        omitted=omitted,
    )


def _listing(kernel: str, listing: Listing) -> ListingDocument:
    tied = listing.ptx_lines or (None,) * len(listing.lines)
    lines = tuple(
        ListingEntry(line.offset, line.text, line.location, ptx_line or None)
        for line, ptx_line in zip(listing.lines, tied, strict=True)
    )
    return ListingDocument(kernel, listing.layer, lines)


def _diff(report: Report, omitted: dict[str, int]) -> DiffDocument:
    diff, check = report.diff, report.check
    if diff is None:
        raise UsageError("there is nothing to compare", hint="name two states or more")
    summary = report.options.rendering == "summary"
    families = diff.families
    if summary:
        families = tuple(map(_short_row, moved_families(diff, everything=report.options.all)))
        if len(families) < len(diff.families):
            omitted["families"] = len(diff.families) - len(families)
        omitted["families.tables"] = len(families)
    suspects = diff.suspects
    if summary:
        suspects = tuple(
            msgspec.structs.replace(one, moves=one.moves[:_MOVES]) for one in suspects[:_SUSPECTS]
        )
        if len(suspects) < len(diff.suspects):
            omitted["suspects"] = len(diff.suspects) - len(suspects)
    return DiffDocument(
        schema="diff/1",
        verdict=check.verdict if check else None,
        states=tuple(map(_short_state, diff.states)) if summary else diff.states,
        comparability=diff.comparability,
        pairs=diff.pairs,
        families=_cut(report, "families", families, omitted),
        groups=_cut(report, "groups", diff.groups, omitted, summary=True),
        changes=_cut(report, "changes", diff.changes, omitted, summary=True),
        code=_cut(report, "code", report.code_diffs, omitted, summary=True),
        suspects=_cut(report, "suspects", suspects, omitted),
        migrations=_cut(report, "migrations", diff.migrations, omitted),
        findings=_cut(report, "findings", check.findings if check else (), omitted),
        rules=check.rules if check else (),
        libraries=_libraries(report, diff.libraries, omitted),
        next_steps=diff.next_steps,
        diagnostics=_told(report, omitted),
        omitted=omitted,
    )


def _libraries(report: Report, libraries: LibraryReport, omitted: dict[str, int]) -> LibraryReport:
    movers = _cut(report, "libraries.movers", libraries.movers, omitted)
    if report.options.rendering == "summary" and len(movers) > MOVERS:
        omitted["libraries.movers"] = len(libraries.movers) - MOVERS
        movers = movers[:MOVERS]
    return msgspec.structs.replace(libraries, movers=movers)


def _short_row(row: FamilyRow) -> FamilyRow:
    """A row without its tables: what came, went or moved, and by how much altogether."""
    return msgspec.structs.replace(
        row,
        categories=Layered(),
        opcodes=Layered(),
        per_kernel_categories=Layered(),
        resources={name: values for name, values in row.resources.items() if len(set(values)) > 1},
        pairs=tuple(pair for pair in row.pairs if pair.status is not FamilyStatus.UNCHANGED),
    )


def _short_state(item: StateSummary) -> StateSummary:
    return msgspec.structs.replace(item, counts={}, environment={})


def _told(report: Report, omitted: dict[str, int]) -> tuple[Diagnostic, ...]:
    """All diagnostics; in a summary one of each kind that is more than a note."""
    items = diagnostics(report)
    if report.options.rendering != "summary":
        return items
    kept = tuple(kind.first for kind in kinds(items))
    if len(kept) < len(items):
        omitted["diagnostics"] = len(items) - len(kept)
    return kept


def _check(report: Report, omitted: dict[str, int]) -> CheckDocument:
    diff, check = report.diff, report.check
    if check is None:
        raise UsageError("there is no judgement to report", hint="name a policy")
    findings = _cut(report, "findings", check.findings, omitted)
    named = {change for finding in findings for change in finding.changes}
    changes = tuple(change for change in diff.changes if change.id in named) if diff else ()
    return CheckDocument(
        schema="check/1",
        verdict=check.verdict,
        policy=check.policy,
        rendering=check.rendering,
        findings=findings,
        rules=check.rules,
        states=check.states,
        comparability=diff.comparability if diff else (),
        pairs=diff.pairs if diff else (),
        changes=_cut(report, "changes", changes, omitted, summary=True),
        diagnostics=_told(report, omitted),
        omitted=omitted,
    )


def _cut(
    report: Report,
    name: str,
    items: tuple[T, ...],
    omitted: dict[str, int],
    *,
    summary: bool = False,
) -> tuple[T, ...]:
    """The items that the options let through; `summary` says that `--summary` drops them all."""
    options = report.options
    keep = len(items)
    if summary and options.rendering == "summary":
        keep = 0
    elif options.limit is not None and not options.all:
        keep = min(keep, options.limit)
    if keep < len(items):
        omitted[name] = omitted.get(name, 0) + len(items) - keep
    return items[:keep]


def _sorted(value: Any) -> Any:
    """The same value with sorted keys, `schema` first, and no float that JSON lacks."""
    if isinstance(value, dict):
        keys = sorted(value)
        if "schema" in value:
            keys.remove("schema")
            keys.insert(0, "schema")
        return {key: value[key] if key in _ORDERED else _sorted(value[key]) for key in keys}
    if isinstance(value, (list, tuple)):
        return [_sorted(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _write(value: Any, indent: int) -> str:
    """JSON text; what has no nested containers of its own and fits stays on one line."""
    if isinstance(value, dict):
        parts = [f"{_dump(key)}: {_write(item, indent + 1)}" for key, item in value.items()]
        return _join(parts, "{}", indent)
    if isinstance(value, list):
        return _join([_write(item, indent + 1) for item in value], "[]", indent)
    return _dump(value)


def _join(parts: list[str], ends: str, indent: int) -> str:
    length = sum(map(len, parts)) + 2 * len(parts) + indent
    if length <= _WIDTH and not any("\n" in part for part in parts):
        return ends[0] + ", ".join(parts) + ends[1]
    pad = " " * (indent + 1)
    body = f",\n{pad}".join(parts)
    return f"{ends[0]}\n{pad}{body}\n{' ' * indent}{ends[1]}"
