"""Reports that several tests render: every command, with friendly and with hostile names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from tests.report import samples

from sassay.model.artifact import SourceLocation
from sassay.report import Listing, Report, ReportOptions


@dataclass(frozen=True)
class Line:
    """A listing's line, as `isa.listing` has them."""

    offset: int
    text: str
    location: SourceLocation | None = None


@cache
def cases() -> dict[str, Report]:
    """Reports by name."""
    states = samples.router_states()
    diff = samples.router_diff()
    check = samples.router_check(diff)
    code = samples.code_diffs(diff)
    hostile = samples.hostile_states()
    hostile_diff = samples.compare(*hostile)
    listing = Listing(
        "sass",
        (
            Line(0, "LDC R1, c[0x0][0x28]", SourceLocation("/home/someone/kernels.py", 12)),
            Line(16, "@!P0 EXIT"),
        ),
    )
    router = Report(command="diff", states=states, diff=diff, check=check, code_diffs=code)
    return {
        "router": router,
        "diff": replace(router, check=None, code_diffs=()),
        "check": replace(router, command="check", code_diffs=()),
        "summary": with_options(router, rendering="summary"),
        "full": with_options(router, rendering="full", layer="sass"),
        "single": Report(command="check", states=states[:1], check=check),
        "code": Report(command="code", states=states, code_diffs=code),
        "side-by-side": Report(
            command="code",
            states=states,
            code_diffs=code,
            options=ReportOptions(code_view="side-by-side"),
        ),
        "show": Report(command="show", states=states[:1]),
        "kernel": Report(
            command="show", states=states[:1], kernel=states[0].kernels[0], listing=listing
        ),
        "migration": Report(command="diff", diff=samples.migration_diff()),
        "unchanged": Report(
            command="diff", states=states[:1], diff=samples.compare(states[0], states[0])
        ),
        "hostile": Report(
            command="check",
            states=hostile,
            diff=hostile_diff,
            check=samples.hostile_check(hostile_diff),
        ),
        "hostile-show": Report(command="show", states=hostile[:1]),
        "hostile-kernel": Report(
            command="show",
            states=hostile[:1],
            kernel=hostile[0].kernels[0],
            listing=Listing("ptx", tuple(Line(1, name) for name in samples.HOSTILE_NAMES)),
        ),
    }


@cache
def large() -> Report:
    """5,000 kernels of 500 families, all changed."""
    states = samples.large_states(5_000, 500)
    return Report(command="diff", states=states, diff=samples.compare(*states))


def with_options(report: Report, **changes: object) -> Report:
    """The same report with other options."""
    return replace(report, options=replace(report.options, **changes))  # type: ignore[arg-type]  # field names
