"""Triton's compile options: which a manifest may set, and with what type."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

KNOWN: Mapping[str, type] = {
    "num_warps": int,
    "num_stages": int,
    "num_ctas": int,
    "maxnreg": int,
    "enable_fp_fusion": bool,
    "ptx_version": int,
    "ptx_options": str,
    "sched4reg": bool,
    "enable_reflect_ftz": bool,
    "launch_cooperative_grid": bool,
    "launch_pdl": bool,
    "clc": bool,
    "default_dot_input_precision": str,
    "debug": bool,
    "sanitize_overflow": bool,
    "instrumentation_mode": str,
    "min_shared_mem": int,
}
"""Source: `CUDAOptions` in `triton/backends/nvidia/compiler.py`, 3.9. Options of other versions
pass through, and the worker asks the installed Triton whether it knows them."""

REFUSED: Mapping[str, str] = {
    "arch": "architectures are set by the key `arch`",
    "backend_name": "only NVIDIA code is compiled",
    "warp_size": "it is 32 on every NVIDIA architecture",
    "extern_libs": "it names files of one machine",
    "ir_override": "it names a file of one machine",
}

IDENTITY: tuple[str, ...] = ("num_warps", "num_stages", "num_ctas", "maxnreg", "enable_fp_fusion")
"""Options that every record of a compilation names, whether or not the manifest sets them."""


def check_option(name: str, value: object) -> tuple[str, str] | None:
    """What is wrong with an option: message and expectation; None where nothing is."""
    if name in REFUSED:
        return f"option {name!r} cannot be set", REFUSED[name]
    if name in KNOWN:
        kind = KNOWN[name]
        if type(value) is not kind:
            return f"option {name!r} has the value {value!r}", f"expected {kind.__name__}"
        if name == "num_warps" and (
            not isinstance(value, int) or not 0 < value <= 64 or value & (value - 1)
        ):
            return f"num_warps is {value!r}", "a power of two from 1 to 64"
        return None
    close = difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.75)
    if close:
        return f"unknown option {name!r}", f"did you mean {close[0]!r}?"
    if not isinstance(value, bool | int | float | str):
        return f"option {name!r} has the value {value!r}", "a boolean, number or string"
    return None
