"""Options that several subcommands share, spelled once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """Report formats of `--format`."""

    TERMINAL = "terminal"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"
    SARIF = "sarif"
    JUNIT = "junit"


class LayerChoice(StrEnum):
    """Layers of `--layer`."""

    PTX = "ptx"
    SASS = "sass"


class FailOn(StrEnum):
    """The verdict from which on the exit status is 1."""

    FAIL = "fail"
    REVIEW = "review"


StatesArg = Annotated[
    list[str], typer.Argument(metavar="STATE", help="Captures or inputs, oldest first.")
]
FormatOpt = Annotated[
    Format, typer.Option("--format", "-f", help="Format of the main output.", show_default=True)
]
OutputOpt = Annotated[
    Path | None, typer.Option("-o", "--output", help="Write the main output to FILE.")
]
JsonOpt = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write JSON.")]
MarkdownOpt = Annotated[
    Path | None, typer.Option("--markdown", metavar="FILE", help="Also write Markdown.")
]
HtmlOpt = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Also write HTML.")]
SarifOpt = Annotated[
    Path | None, typer.Option("--sarif", metavar="FILE", help="Also write SARIF 2.1.0.")
]
JunitOpt = Annotated[
    Path | None, typer.Option("--junit", metavar="FILE", help="Also write JUnit XML.")
]
ArchOpt = Annotated[
    list[str] | None,
    typer.Option("--arch", metavar="GLOB", help="Only these architectures, such as 'sm_9*'."),
]
FamilyOpt = Annotated[
    list[str] | None,
    typer.Option("--family", metavar="GLOB", help="Only families that match; repeatable."),
]
WrapperOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--wrapper",
        metavar="NAME",
        help="A generic C++ wrapper, such as mylib::launch: its kernels become families of their "
        "first template argument.",
    ),
]
GroupOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--group",
        metavar="NAME=GLOB,...",
        help="Sum families under one name, such as 'RMSNorm=*rmsnorm*'.",
    ),
]
SummaryOpt = Annotated[bool, typer.Option("--summary", help="Verdict and counts only.")]
AllOpt = Annotated[bool, typer.Option("--all", help="Also what did not change.")]
LimitOpt = Annotated[
    int | None,
    typer.Option("--limit", min=1, metavar="N", help="At most N rows of each table."),
]
BaselineOpt = Annotated[
    str | None,
    typer.Option("--baseline", metavar="LABEL", help="Compare every state with this one."),
]
AcrossOpt = Annotated[
    str | None,
    typer.Option(
        "--across-arch",
        metavar="A:B",
        help="Pair the kernels of two architectures, such as sm_80:sm_90a.",
    ),
]
StrictOpt = Annotated[
    bool,
    typer.Option("--strict", help="Relocated and rescheduled kernels count as changed."),
]
EvidenceOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--evidence",
        metavar="[LABEL=]FILE.json",
        help="Attach measurements; to the last state unless LABEL names another.",
    ),
]
TodayOpt = Annotated[
    str | None,
    typer.Option("--today", metavar="YYYY-MM-DD", help="The date that waivers expire by."),
]
FailOnOpt = Annotated[
    FailOn, typer.Option("--fail-on", help="Exit 1 from this verdict on.", show_default=True)
]
AllowUnknownOpt = Annotated[
    bool, typer.Option("--allow-unknown", help="Exit 0 where the verdict is UNKNOWN.")
]
ColorOpt = Annotated[
    bool | None,
    typer.Option("--color/--no-color", help="Colours; by default only on a terminal."),
]
EnvOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--env", metavar="KEY=VALUE", help="A fact of the environment to record; repeatable."
    ),
]
LabelOpt = Annotated[str | None, typer.Option("--label", help="The state's name in reports.")]
SourceRootOpt = Annotated[
    list[Path] | None,
    typer.Option(
        "--source-root",
        metavar="DIR",
        help="Show source lines of files below this folder; the current one by default. "
        "Repeatable.",
    ),
]
SourceRevOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--source-rev",
        metavar="[LABEL=]REV",
        help="Show source lines as they are in this git revision, of the state LABEL or of all.",
    ),
]
