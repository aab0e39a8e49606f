"""Python runs this at start-up in every process of a recorded command.

It makes way for the `sitecustomize` that the command would have had without it, and leaves the
work to the hook beside it. Nothing here may raise, print, or import more than it must.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))


def _install() -> None:
    if not os.environ.get("SASSAY_RECORD_EVENTS"):
        return
    try:
        # By its bare name: this folder is on `sys.path`, sassay itself need not be.
        importlib.import_module("sassay_record_hook").install()
    except Exception as error:  # noqa: BLE001 - recording never breaks the command
        sys.stderr.write(f"sassay: note: nothing is recorded in process {os.getpid()}: {error}\n")


def _run_shadowed() -> None:
    """Import the module of this name that stands behind this folder on `sys.path`, if any."""
    behind = [entry for entry in sys.path if os.path.abspath(entry or ".") != _HERE]
    spec = importlib.machinery.PathFinder.find_spec(__name__, behind)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules[__name__] = module  # the import system hands out what stands here afterwards
    spec.loader.exec_module(module)


_install()
_run_shadowed()
