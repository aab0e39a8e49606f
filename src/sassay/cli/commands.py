"""The subcommands, in the order of `--help`, and where each one is."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    import typer


class Command(NamedTuple):
    """One subcommand, whose module is imported when it is added to an application.

    Attributes:
        name: As a user writes it.
        home: Its module here, and the name in it: a function, or an application of its own.
        about: Its line in the list of commands; None: its application says it.
        settings: What typer is to do otherwise with its arguments.
    """

    name: str
    home: str
    about: str | None
    settings: Mapping[str, bool] | None = None

    def add_to(self, app: typer.Typer) -> None:
        """Import the command and add it to an application."""
        module, _, attribute = self.home.partition(":")
        found = getattr(import_module(f"sassay.cli.{module}"), attribute)
        if self.about is None:
            app.add_typer(found, name=self.name)
        else:
            settings = dict(self.settings) if self.settings else None
            app.command(self.name, short_help=self.about, context_settings=settings)(found)


COMMANDS = (
    Command(
        "compile",
        "compile_:compile_command",
        "Compile a manifest's Triton kernels into a capture.",
    ),
    Command(
        "record",
        "record:record_command",
        "Run a command and capture the kernels that it compiles.",
        # What follows the command to run is that command's.
        {"allow_interspersed_args": False, "ignore_unknown_options": False},
    ),
    Command("capture", "capture:capture_command", "Write a state to disk."),
    Command("show", "show:show_command", "Show a state's kernels, or one kernel and its code."),
    Command("diff", "diff:diff_command", "Compare two or more states."),
    Command("check", "check:check_command", "Judge a state under a policy."),
    Command("lint", "lint:lint_command", "Look for known mistakes in a state's PTX and SASS."),
    Command(
        "parity",
        "parity:parity_command",
        "Judge parity contracts: kernels that must give the same bits.",
    ),
    Command(
        "probe",
        "probe:probe_command",
        "Count how often two selection steps choose differently.",
    ),
    Command(
        "explain",
        "explain:explain_command",
        "Show what a finding rests on, down to its instructions.",
    ),
    Command("bisect", "bisect:bisect_command", "Find the first state in which something turned."),
    Command("query", "query:query_command", "Ask the tables of states in SQL."),
    Command(
        "reproduce",
        "reproduce:reproduce_command",
        "One kernel with a launch as a Python file of its own.",
    ),
    Command("verify", "verify:verify_command", "Check the SASS decoder against nvdisasm."),
    Command("schema", "schema:schema_command", "Print a JSON Schema."),
    Command("policy", "policy:app", None),
    Command("baseline", "baseline:app", None),
)
