"""The user's own git: what it prints, or why it does not."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from sassay.errors import ToolError

if TYPE_CHECKING:
    from pathlib import Path


class GitRefusedError(ToolError):
    """git ran and said no: there is no such commit, file or repository."""


def ask_git(folder: Path, *arguments: str, timeout: float | None = None) -> bytes:
    """What git prints when it is asked in a folder.

    Args:
        folder: In the repository.
        arguments: The subcommand and what it takes.
        timeout: Seconds after which git is given up.

    Raises:
        GitRefusedError: git ends with an error, whose first line is told.
        ToolError: git is not installed, or takes too long.
    """
    try:
        run = subprocess.run(
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - found on the user's own path
            capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=timeout,
        )  # fmt: skip
    except OSError as error:
        raise ToolError("git cannot be run", hint=str(error)) from error
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"git {arguments[0]} takes more than {timeout:g} s") from error
    if run.returncode:
        lines = run.stderr.decode("utf-8", "replace").strip().splitlines()
        why = lines[0] if lines else "no reason given"
        raise GitRefusedError(f"git {arguments[0]}: {why}", artifact=str(folder))
    return run.stdout
