"""Options that several commands take together, each group a record that a command takes whole.

typer reads a command's signature, one parameter an option. `grouped` writes the fields of these
records into that signature, so that a group is declared once and arrives as one value.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from sassay.cli import options as o
from sassay.cli.output import Outputs
from sassay.cli.source_text import SourceText

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which kernels of the states, and how they are named."""

    arch: o.ArchOpt = None
    family: o.FamilyOpt = None
    group: o.GroupOpt = None
    wrapper: o.WrapperOpt = None

    @property
    def archs(self) -> tuple[str, ...]:
        """Globs of architectures."""
        return tuple(self.arch or ())

    @property
    def families(self) -> tuple[str, ...]:
        """Globs of families."""
        return tuple(self.family or ())

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups as written: `NAME=GLOB,...`."""
        return tuple(self.group or ())

    @property
    def wrappers(self) -> tuple[str, ...]:
        """Names of generic C++ wrappers."""
        return tuple(self.wrapper or ())


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where source text is read from."""

    source_root: o.SourceRootOpt = None
    source_rev: o.SourceRevOpt = None

    @property
    def text(self) -> SourceText:
        """The same for whoever opens states."""
        return SourceText(tuple(self.source_root or ()), tuple(self.source_rev or ()))


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """How states are judged, and which verdict becomes which exit status."""

    strict: o.StrictOpt = False
    evidence: o.EvidenceOpt = None
    today: o.TodayOpt = None
    fail_on: o.FailOnOpt = o.FailOn.FAIL
    allow_unknown: o.AllowUnknownOpt = False

    @property
    def measurements(self) -> tuple[str, ...]:
        """Files of evidence: `[LABEL=]FILE`."""
        return tuple(self.evidence or ())


@dataclass(frozen=True, kw_only=True)
class Amount:
    """How much a report shows."""

    summary: o.SummaryOpt = False
    full: Annotated[bool, typer.Option("--full", help="Everything, opcode by opcode.")] = False
    all_: o.AllOpt = False
    limit: o.LimitOpt = None

    @property
    def rendering(self) -> str | None:
        """`summary` or `full`; None where neither is asked for."""
        return "summary" if self.summary else "full" if self.full else None


@dataclass(frozen=True, kw_only=True)
class Pages:
    """Where a report goes, of a command that judges nothing."""

    format_: o.FormatOpt = o.Format.TERMINAL
    output: o.OutputOpt = None
    color: o.ColorOpt = None
    json_file: o.JsonOpt = None
    markdown_file: o.MarkdownOpt = None
    html_file: o.HtmlOpt = None

    @property
    def outputs(self) -> Outputs:
        """The same for whoever writes."""
        return Outputs(main=self.format_, path=self.output, more=self._files(), color=self.color)

    def _files(self) -> dict[o.Format, Path | None]:
        return {
            o.Format.JSON: self.json_file,
            o.Format.MARKDOWN: self.markdown_file,
            o.Format.HTML: self.html_file,
        }


@dataclass(frozen=True, kw_only=True)
class Reports(Pages):
    """Where a report goes, in formats of findings too."""

    sarif_file: o.SarifOpt = None
    junit_file: o.JunitOpt = None

    def _files(self) -> dict[o.Format, Path | None]:
        return {
            **super()._files(),
            o.Format.SARIF: self.sarif_file,
            o.Format.JUNIT: self.junit_file,
        }


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take groups of options: each field becomes an option where the group stands.

    Args:
        command: Its keyword parameters that are groups are given as records.

    Returns:
        The command as typer is to see it.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type[Any]] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        kind = hints[parameter.name]
        if not (isinstance(kind, type) and is_dataclass(kind)):
            parameters.append(parameter.replace(annotation=kind))
            continue
        groups[parameter.name] = kind
        types = get_type_hints(kind, include_extras=True)
        parameters += [
            inspect.Parameter(
                each.name, parameter.KEYWORD_ONLY, default=each.default, annotation=types[each.name]
            )
            for each in fields(kind)
        ]

    @wraps(command)
    def run(**options: Any) -> None:
        for name, kind in groups.items():
            options[name] = kind(**{each.name: options.pop(each.name) for each in fields(kind)})
        command(**options)

    run.__annotations__ = {each.name: each.annotation for each in parameters}
    vars(run)["__signature__"] = inspect.Signature(parameters)
    return run
