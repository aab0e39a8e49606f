"""HTML: one self-contained file, without network, that reads well on screen and on paper.

Templates are in `templates/`; autoescaping is on, and whatever a template prints passes
`names.plain` first, so that names are text whatever they hold. A content security policy allows
the page's own style and script by their digests and nothing else.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sassay.errors import UsageError
from sassay.report import numbers, select
from sassay.report.charts import bars
from sassay.report.digest import kinds
from sassay.report.entries import entries, ranked, spell_archs
from sassay.report.names import elide, label, location_text, plain
from sassay.report.story import story

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sassay.model.change import CodeDiff, FamilyRow
    from sassay.model.kernel import Kernel
    from sassay.report.bundle import Report

_DETAILS = 250
"""Families with details of their own; the table above them lists every family."""
_ROWS = 5_000
_CHANGES = 40
_SUSPECTS = 10
_TEMPLATES = Path(__file__).parent / "templates"
_SLUG = re.compile(r"[^a-z0-9]+")


def render(report: Report) -> str:
    """The report as one HTML document.

    Args:
        report: A state, a diff, a check or code diffs; and how much to show.

    Raises:
        UsageError: The report holds nothing that its command should have.
    """
    if not (report.states or report.diff or report.check or report.code_diffs):
        raise UsageError("there is nothing to report")
    style = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    script = (_TEMPLATES / "script.js").read_text(encoding="utf-8")
    page = (
        _environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            options=report.options,
            diff=report.diff,
            check=report.check,
            items=select.summaries(report),
            diagnostics=select.diagnostics(report),
            loud=kinds(select.diagnostics(report)),
            names=select.labels(report),
            heading=_title(report),
            # The files ship with sassay; nothing of a report is in them.
            style=Markup(style),  # noqa: S704
            script=Markup(script),  # noqa: S704
            policy=f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
            "base-uri 'none'; form-action 'none'",
            **_families(report),
            **_code(report),
            **_show(report),
        )
    )
    return page.rstrip("\n") + "\n"


def _title(report: Report) -> str:
    if report.options.title:
        return report.options.title
    return numbers.ARROW.join(label(name) for name in select.labels(report))


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def anchor(kind: str, *parts: str) -> str:
    """An id for deep links, stable for equal names: `family-rmsnorm-kernel-sm-90a-1f3a9c`."""
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    slug = _SLUG.sub("-", " ".join(parts).lower()).strip("-")[:60]
    return f"{kind}-{slug}-{hashlib.sha256(text).hexdigest()[:6]}"


def _families(report: Report) -> dict[str, Any]:
    diff, options = report.diff, report.options
    if diff is None:
        return {"rows": (), "details": (), "anchors": {}, "one_arch": None, "suspects": ()}
    summary = options.rendering == "summary"
    everything = options.all or options.rendering == "full"
    shown = () if summary else select.moved_families(diff, everything=everything)
    rows = entries(diff, shown)
    moved = ranked(item for item in rows if select.has_moved(item.row))
    suspects = [item for item in ranked(entries(diff, diff.families)) if item.suspect]
    details = moved[: options.limit or _DETAILS]
    return {
        "rows": rows[: options.limit or _ROWS],
        "rows_total": len(rows),
        "details": details,
        "details_total": len(moved),
        "anchors": {
            key: anchor("family", item.row.family, item.archs[0])
            for item in details
            for key in item.keys
        },
        "chapters": story(diff),
        "changes_limit": options.limit or _CHANGES,
        "one_arch": select.one_arch(diff),
        "quiet": len(diff.families) - len(shown),
        "suspects": () if summary else suspects[: options.limit or _SUSPECTS],
        "suspects_total": len(suspects),
    }


def _code(report: Report) -> dict[str, Any]:
    code = report.code_diffs or report.linked_code
    known = select.kernels_by_id(report.states) if code else {}
    by_kernels: dict[tuple[str | None, str | None], list[CodeDiff]] = {}
    for one in code:
        by_kernels.setdefault((one.before, one.after), []).append(one)
    return {"code_diffs": code, "code_of": by_kernels, "known": known}


def _show(report: Report) -> dict[str, Any]:
    if report.command != "show":
        return {"shown": (), "kernel": None, "listing": None}
    return {
        "shown": report.states,
        "kernel": report.kernel,
        "listing": report.listing,
        "kernel_limit": report.options.limit or _ROWS,
    }


def _category_rows(row: FamilyRow, layer: str) -> list[tuple[str, Sequence[int | None]]]:
    """Category totals with those that moved first, all on request of the eye."""
    table = select.categories(row, layer)
    moved = select.movements(table)
    names = {name for name, _ in moved}
    rest = [(name, values) for name, values in sorted(table.items()) if name not in names]
    return [*moved, *rest]


def _average_rows(row: FamilyRow, layer: str) -> list[tuple[str, Sequence[float | None]]]:
    """Averages a kernel: of all instructions, then by category where the records hold them."""
    values = row.per_kernel_categories
    table: Mapping[str, Sequence[float | None]] = (
        values.ptx if layer == "ptx" else values.sass
    ) or {}
    order = [name for name, _ in _category_rows(row, layer)]
    by_name = [(name, table[name]) for name in order if name in table]
    return [("all instructions", select.averages(row, layer)), *by_name]


def _resources(kernel: Kernel) -> list[tuple[str, int]]:
    names = kernel.resources.__struct_fields__
    known = [(name.replace("_", " "), getattr(kernel.resources, name)) for name in names]
    return [(name, value) for name, value in known if value is not None]


def _sort_key(values: Sequence[float | None]) -> float:
    """What a column of series sorts by: the size of its movement."""
    return abs(numbers.delta(values) or 0)


def _largest(census: Mapping[str, int] | None, most: int) -> list[tuple[str, int]]:
    return sorted((census or {}).items(), key=lambda item: (-abs(item[1]), item[0]))[:most]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_harmless,
    )
    environment.globals.update(
        ARROW=numbers.ARROW,
        anchor=anchor,
        average_rows=_average_rows,
        averages=select.averages,
        bars=bars,
        category_rows=_category_rows,
        delta=numbers.delta,
        delta_text=numbers.delta_text,
        evidence=numbers.evidence,
        hunk_range=select.hunk_range,
        instances=select.instances,
        largest=_largest,
        layers_of=select.layers_of,
        moved_resources=select.moved_resources,
        movements=select.movements,
        note_field=select.note_field,
        note_values=select.note_values,
        opcodes=select.opcodes,
        resources=_resources,
        row_layer=select.row_layer,
        short_answer=select.short_answer,
        spell_archs=spell_archs,
        status_word=select.status_word,
        told_changes=select.told_changes,
        undone=select.undone,
        sort_key=_sort_key,
        status_words=select.status_words,
        totals=select.totals,
        verdict_note=select.verdict_note,
    )
    environment.filters.update(
        arrows=numbers.arrows,
        count=numbers.count,
        elide=lambda text, width: elide(plain(text), width),
        label=label,
        location=location_text,
        scalar=numbers.scalar,
        series=numbers.series,
        signed=numbers.signed,
        size=numbers.size,
    )
    return environment


def _harmless(value: object) -> object:
    """What a template prints: markup of our own as it is, any other text made plain."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return plain(str(value))
