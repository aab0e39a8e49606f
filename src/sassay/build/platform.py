"""What an engine asks of its platform, answered for the machine that a manifest compiles for.

Engines choose constants by probes such as `is_hip()` or `os.environ.get("X", "0")`. Those would
have to be run, on the machine of the caller, whose answers are not the target's. A probe without
arguments whose name says what it asks has one answer where the target is an NVIDIA GPU, and an
environment variable is not set.
"""

from __future__ import annotations

import re

_NVIDIA = frozenset({"is_cuda", "is_nvidia", "is_cuda_alike"})
_OTHER_VENDOR = re.compile(
    r"is_(?:hip|rocm|amd|hpu|npu|xpu|tpu|cpu|mps|musa|maca|mlu|ascend|intel|out_of_tree)"
    r"|(?:is_)?(?:gfx|cdna|rdna|mi)\d+\w*|is_fp8_fnuz|is_(?:hip|rocm|amd|cdna|rdna)_\w+"
)
_FACTS = {"torch.version.hip": None}
_ENVIRONMENT = {"os.environ.get", "os.getenv"}


def probe(path: str) -> bool | None:
    """The answer of a call without arguments; None where it is no probe.

    Args:
        path: Dotted path of what is called, such as `sglang.srt.utils.is_hip`.
    """
    name = path.rsplit(".", 1)[-1].lstrip("_")
    if name in _NVIDIA:
        return True
    return False if _OTHER_VENDOR.fullmatch(name) else None


def is_platform_fact(path: str) -> bool:
    """Whether a dotted name, not called, is known for the target."""
    return path in _FACTS


def reads_environment(path: str) -> bool:
    """Whether a call asks for an environment variable, with its default as second argument."""
    return path in _ENVIRONMENT
