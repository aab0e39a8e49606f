"""HTML: one self-contained file, without network, that reads well on screen and on paper.

What a reader sees first (verdict, findings, what changed) is written out by the templates in
`templates/`; tables, family and kernel pages and the code are drawn by the script in `assets/` out
of packed data. Autoescaping is on, and whatever a template prints or the data holds passes
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
from sassay.report.digest import kinds
from sassay.report.entries import entries, ranked
from sassay.report.names import elide, label, location_text, plain
from sassay.report.page_code import code_data, packed, pair_data
from sassay.report.page_data import PageData
from sassay.report.release import report_grids
from sassay.report.story import story

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sassay.report.bundle import Report

_SUSPECTS = 10
_TEMPLATES = Path(__file__).parent / "templates"
_ASSETS = Path(__file__).parent / "assets"
_SCRIPTS = (
    "dom", "rows", "data", "charts", "families", "family", "code_model", "highlight",
    "code_view", "kernel", "main",
)  # fmt: skip
"""Parts of the page's script, in the order in which they need each other."""
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
    style, script = assets()
    page = (
        environment()
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
            grids=report_grids(report),
            heading=_title(report),
            style=Markup(style),  # noqa: S704 - a file of sassay's own; nothing of a report is in it
            script=Markup(script),  # noqa: S704 - likewise
            policy=f"default-src 'none'; style-src {digest(style)}; script-src {digest(script)}; "
            "base-uri 'none'; form-action 'none'",
            **_families(report),
            **_code(report),
            **_page(report),
            shown=report.states if report.command == "show" else (),
        )
    )
    return page.rstrip("\n") + "\n"


def _title(report: Report) -> str:
    if report.options.title:
        return report.options.title
    return numbers.ARROW.join(label(name) for name in select.labels(report))


@cache
def assets() -> tuple[str, str]:
    """Style and script of a page; all parts of the script share one scope of their own."""
    parts = [(_ASSETS / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS]
    script = '"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n"
    return (_ASSETS / "style.css").read_text(encoding="utf-8"), script


def digest(text: str) -> str:
    """What a content security policy calls a style or a script."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def anchor(kind: str, *parts: str) -> str:
    """An id for deep links, stable for equal names: `family-rmsnorm-kernel-sm-90a-1f3a9c`."""
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    slug = _SLUG.sub("-", " ".join(parts).lower()).strip("-")[:60]
    return f"{kind}-{slug}-{hashlib.sha256(text).hexdigest()[:6]}"


def _families(report: Report) -> dict[str, Any]:
    diff, options = report.diff, report.options
    if diff is None:
        return {"families": False, "one_arch": None, "suspects": ()}
    summary = options.rendering == "summary"
    everything = options.all or options.rendering == "full"
    shown = () if summary else select.moved_families(diff, everything=everything)
    suspects = [item for item in ranked(entries(diff, diff.families)) if item.suspect]
    return {
        "families": bool(shown),
        "chapters": story(diff),
        "one_arch": select.one_arch(diff),
        "quiet": len(diff.families) - len(shown),
        "suspects": () if summary else suspects[: options.limit or _SUSPECTS],
        "suspects_total": len(suspects),
    }


def _code(report: Report) -> dict[str, Any]:
    code = report.code_diffs
    return {"code_diffs": code, "known": select.kernels_by_id(report.states) if code else {}}


def _page(report: Report) -> dict[str, Any]:
    """The packed data, and each kernel's code by itself, since few of them are opened."""
    page = PageData(report)
    codes = [packed(code_data(code, page)) for code in report.traced]
    pairs = [packed(pair_data(pair, page)) for pair in report.traced_pairs]
    data = page.build()
    data["coded"] = {plain(code.kernel): place for place, code in enumerate(report.traced)}
    data["paired"] = {
        f"{plain(pair.before)}|{plain(pair.after)}": place
        for place, pair in enumerate(report.traced_pairs)
    }
    return {"data": packed(data), "codes": codes, "code_pairs": pairs}


def _largest(census: Mapping[str, int] | None, most: int) -> list[tuple[str, int]]:
    return sorted((census or {}).items(), key=lambda item: (-abs(item[1]), item[0]))[:most]


@cache
def environment() -> Environment:
    """Templates of reports; whatever they print is escaped and made plain."""
    found = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_harmless,
    )
    found.globals.update(
        ARROW=numbers.ARROW,
        anchor=anchor,
        averages=select.averages,
        delta_text=numbers.delta_text,
        evidence=numbers.evidence,
        hunk_range=select.hunk_range,
        largest=_largest,
        note_field=select.note_field,
        note_values=select.note_values,
        row_layer=select.row_layer,
        short_answer=select.short_answer,
        status_word=select.status_word,
        totals=select.totals,
        verdict_note=select.verdict_note,
    )
    found.filters.update(
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
    return found


def _harmless(value: object) -> object:
    """What a template prints: markup of our own as it is, any other text made plain."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return plain(str(value))
