"""`sassay`: the application, its subcommands, and how an error becomes one line and an exit status.

Only typer and the standard library are imported before a subcommand runs, so that `--help` is
instant.
"""

from __future__ import annotations

import gc
import os
import sys
import traceback
from typing import TYPE_CHECKING, Annotated

import typer

from sassay import __version__
from sassay.cli.commands import COMMANDS
from sassay.cli.leaving import leave_with
from sassay.cli.output import abandon_stdout
from sassay.cli.text import printable
from sassay.errors import SassayError

if TYPE_CHECKING:
    from collections.abc import Sequence

EPILOG = """\
For example:

  sassay diff ~/.triton/cache.before ~/.triton/cache.after

  sassay check main.sassay pr.sassay --policy no-new-spills

  sassay show pypi:bitsandbytes==0.50.2 --arch sm_90 --family 'k*Quantize*'

A STATE is a capture, a Triton/Inductor/DeepGEMM/FlashInfer cache folder, a .cubin, .ptx, .fatbin,
.o, .a, .so, .whl, .zip or .tar file, a folder that mixes them, pypi:NAME==VERSION, or - for
standard input; put label= in front to name it.

Exit status: 0 pass, 1 the verdict reached --fail-on, 2 sassay could not judge.
"""

_INTERRUPTED = 130
ABOUT = "Review what GPU kernels became after lowering: PTX and SASS, compared and judged, no GPU."


def application(arguments: Sequence[str] = ()) -> typer.Typer:
    """The command line: all of it, or the subcommand that is called, where arguments begin with it.

    Args:
        arguments: What follows the program's name.
    """
    app = typer.Typer(
        name="sassay",
        help=ABOUT,
        epilog=EPILOG,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(root)
    called = [command for command in COMMANDS if arguments and command.name == arguments[0]]
    for command in called or COMMANDS:
        command.add_to(app)
    return app


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"sassay {__version__}")
        raise typer.Exit


def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Review what GPU kernels became after lowering: PTX and SASS, compared and judged, no GPU."""
    del version


def run() -> None:
    """Entry point of the `sassay` script: runs the command line and exits with its status."""
    # Records by the ten thousand are made and kept, and hardly any refer to themselves: looking
    # for cycles as often as Python does by default takes a fifth of a large diff.
    gc.set_threshold(100_000, 20, 50)
    leave_with(lambda: main(sys.argv[1:]))


def main(arguments: list[str]) -> int:
    """Run one command line.

    Args:
        arguments: What follows the program's name.

    Returns:
        The exit status: 0 pass, 1 verdict reached, 2 could not judge, 130 interrupted.
    """
    try:
        status = _dispatch(arguments)
    except SassayError as error:
        _say(str(error))
        status = 2
    except BrokenPipeError:
        # The reader went away (`sassay show x | head`): not an error, and nothing more to flush.
        abandon_stdout()
        status = 0
    except KeyboardInterrupt:
        _say("interrupted")
        status = _INTERRUPTED
    except MemoryError:
        _say("out of memory (narrow the input with --arch or --family)")
        status = 2
    except OSError as error:
        name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else None
        _say(": ".join(part for part in (name, error.strerror or str(error)) if part))
        status = 2
    except RecursionError:
        _say("the input nests too deeply")
        status = 2
    except Exception as error:  # noqa: BLE001 - the last line of defence: one line, exit 2
        if os.environ.get("SASSAY_TRACEBACK"):
            traceback.print_exc()
        _say(
            f"internal error: {type(error).__name__}: {error} "
            "(a bug in sassay: set SASSAY_TRACEBACK=1 to see where, and report it)"
        )
        status = 2
    return _close_output(status)


def _dispatch(arguments: list[str]) -> int:
    """Parse the arguments and run the subcommand; a wrong command line becomes one line too."""
    try:
        status = application(arguments)(arguments, prog_name="sassay", standalone_mode=False)
    except SystemExit as stop:
        # Typer turns a reader that left into an exit of its own.
        if isinstance(stop.__context__, BrokenPipeError):
            raise stop.__context__ from None
        return stop.code if isinstance(stop.code, int) else 2
    except (typer.Abort, typer.Exit) as stop:
        return int(getattr(stop, "exit_code", 1))
    except Exception as error:
        # Typer's and click's usage errors, told by what they can do: which of the two packages
        # defines their class depends on typer's version.
        if not hasattr(error, "format_message"):
            raise
        context = getattr(error, "ctx", None)
        if type(error).__name__ == "NoArgsIsHelpError" and context is not None:
            sys.stderr.write(context.get_help() + "\n")
        else:
            command = context.command_path if context is not None else "sassay"
            _say(f"{usage_message(error)} (see `{command} --help`)")
        return 2
    if status == _INTERRUPTED:
        _say("interrupted")
    return status if isinstance(status, int) else 0


def usage_message(error: Exception) -> str:
    """What is wrong with a command line, in sassay's words.

    Args:
        error: One of typer's usage errors.
    """
    # "Value error, " is how pydantic-style validators introduce the message of a wrong choice.
    message = str(error.format_message()) if hasattr(error, "format_message") else str(error)
    message = message.strip().replace(": Value error, ", ": ").replace(". Did you", ", did you")
    message = message.removesuffix(".")
    possibilities = getattr(error, "possibilities", None)
    if possibilities:
        message = f"{message.partition(' (')[0]}, did you mean {' or '.join(possibilities)}?"
    return f"{message[:1].lower()}{message[1:]}"


def _close_output(status: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        abandon_stdout()
    except OSError as error:
        abandon_stdout()
        _say(f"standard output: cannot be written: {error.strerror}")
        return 2
    return status


def _say(line: str) -> None:
    sys.stderr.write(f"sassay: error: {printable(line)}\n")
