"""`sassay`: the application, its subcommands, and how an error becomes one line and an exit status.

Only typer and the standard library are imported before a subcommand runs, so that `--help` is
instant.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer

from sassay import __version__
from sassay.cli import capture, check, compile_, diff, policy, query, schema, show
from sassay.cli.text import printable
from sassay.errors import SassayError

EPILOG = """\
For example:

  sassay diff ~/.triton/cache.before ~/.triton/cache.after

  sassay check main.sassay pr.sassay --policy no-new-spills --markdown comment.md

  sassay show pypi:bitsandbytes==0.50.2 --arch sm_90 --family 'k*Quantize*'

A STATE is a capture, a Triton/Inductor/DeepGEMM/FlashInfer cache folder, a .cubin, .ptx, .fatbin,
.o, .a, .so, .whl, .zip or .tar file, a folder that mixes them, pypi:NAME==VERSION, or - for
standard input; put label= in front to name it.

Exit status: 0 pass, 1 the verdict reached --fail-on, 2 sassay could not judge.
"""

ABOUT = "Review what GPU kernels became after lowering: PTX and SASS, compared and judged, no GPU."

app = typer.Typer(
    name="sassay",
    help=ABOUT,
    epilog=EPILOG,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

app.command("compile", short_help="Compile a manifest's Triton kernels into a capture.")(
    compile_.compile_command
)
app.command("capture", short_help="Write a state to disk.")(capture.capture_command)
app.command("show", short_help="Show a state's kernels, or one kernel and its code.")(
    show.show_command
)
app.command("diff", short_help="Compare two or more states.")(diff.diff_command)
app.command("check", short_help="Judge a state under a policy.")(check.check_command)
app.command("query", short_help="Ask the tables of states in SQL.")(query.query_command)
app.command("schema", short_help="Print a JSON Schema.")(schema.schema_command)
app.add_typer(policy.app, name="policy")


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"sassay {__version__}")
        raise typer.Exit


@app.callback()
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
    sys.exit(main(sys.argv[1:]))


def main(arguments: list[str]) -> int:
    """Run one command line.

    Args:
        arguments: What follows the program's name.

    Returns:
        The exit status: 0 pass, 1 verdict reached, 2 could not judge, 130 interrupted.
    """
    try:
        status = app(arguments, standalone_mode=True)
        return int(status or 0)
    except SystemExit as stop:
        return _close_output(stop.code if isinstance(stop.code, int) else 2)
    except SassayError as error:
        _say(str(error))
        return 2
    except BrokenPipeError:
        # The reader went away (`sassay show x | head`): not an error, and nothing more to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    except MemoryError:
        _say("out of memory (narrow the input with --arch or --family)")
        return 2
    except Exception as error:  # noqa: BLE001 - the last line of defence: one line, exit 2
        if os.environ.get("SASSAY_TRACEBACK"):
            traceback.print_exc()
        _say(
            f"internal error: {type(error).__name__}: {error} "
            "(a bug in sassay: set SASSAY_TRACEBACK=1 to see where, and report it)"
        )
        return 2


def _close_output(status: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


def _say(line: str) -> None:
    sys.stderr.write(f"sassay: error: {printable(line)}\n")
