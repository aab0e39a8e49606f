"""`python -m sassay`, and the start of the `sassay` script."""

from __future__ import annotations

import sys


def run() -> None:
    """Run the command line and exit with its status; Ctrl-C while it loads is no traceback."""
    try:
        from sassay.cli.main import run as run_command_line  # noqa: PLC0415 - loads under the guard
    except KeyboardInterrupt:
        sys.exit(130)
    run_command_line()


if __name__ == "__main__":
    run()
