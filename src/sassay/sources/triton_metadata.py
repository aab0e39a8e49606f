"""Triton's metadata JSON: which fields are specialization, which are launch, which are neither.

Fields come and go between Triton versions, so nothing is required beyond what marks the file as
Triton's. Values that only say "off" are left out, so that a version which does not know an option
yet compares equal to one that has it switched off.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from sassay.errors import FormatError, LimitError
from sassay.model.artifact import Scalar

MAX_JSON = 4 << 20
MAX_TEXT_VALUE = 256

_OPTIONS = (
    "num_warps", "num_ctas", "num_stages", "maxnreg", "enable_fp_fusion", "ptx_options",
    "default_dot_input_precision", "debug", "launch_pdl", "launch_cooperative_grid",
    "instrumentation_mode", "sched4reg", "clc", "optimize_epilogue", "num_consumer_groups",
    "num_buffers_warp_spec", "reg_dec_producer", "reg_inc_consumer",
)  # fmt: skip
_LAUNCH = re.compile(
    r"shared|min_shared_mem|tmem_size|\w*scratch_size|launch_\w+|cluster\w*|cooperative\w*"
    r"|num_warps|num_ctas|maxnreg"
)
_ALWAYS = frozenset({"shared", "num_warps"})


class TritonMetadata(msgspec.Struct, frozen=True):
    """What sassay keeps of one metadata file.

    Attributes:
        name: The compiled function's name.
        backend: `cuda` or `hip`.
        arch: Compute capability as a number, such as 90; None where it is not one.
        options: Options that belong to the specialization.
        launch: Launch-relevant metadata.
        frontend: `triton 3.9.0`, None where no version is named.
    """

    name: str
    backend: str
    arch: int | None
    options: Mapping[str, Scalar]
    launch: Mapping[str, Scalar]
    frontend: str | None


def read_metadata(data: bytes, *, artifact: str) -> TritonMetadata | None:
    """Parse one metadata file.

    Args:
        data: The JSON file.
        artifact: Its place, for errors.

    Returns:
        None where the JSON is well-formed and not Triton's.

    Raises:
        FormatError: The file is no JSON.
        LimitError: The file is larger than any metadata is.
    """
    if len(data) > MAX_JSON:
        raise LimitError(
            f"metadata of {len(data)} bytes", artifact=artifact, hint=f"at most {MAX_JSON}"
        )
    try:
        decoded = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(
            f"not JSON: {error}", artifact=artifact, hint="expected Triton's metadata"
        ) from error
    if not isinstance(decoded, dict) or not isinstance(decoded.get("num_warps"), int):
        return None
    if not any(key in decoded for key in ("hash", "target", "shared")):
        return None
    backend, arch = _target(decoded.get("target"))
    name = decoded.get("name")
    version = decoded.get("triton_version")
    return TritonMetadata(
        name=name if isinstance(name, str) else "",
        backend=backend,
        arch=arch,
        options=_kept({key: decoded[key] for key in _OPTIONS if key in decoded}),
        launch=_kept({key: decoded[key] for key in sorted(decoded) if _LAUNCH.fullmatch(key)}),
        frontend=f"triton {version}"[:MAX_TEXT_VALUE] if isinstance(version, str) else None,
    )


def _target(target: object) -> tuple[str, int | None]:
    if isinstance(target, dict):
        backend, arch = target.get("backend"), target.get("arch")
    elif isinstance(target, list) and len(target) >= 2:  # Triton 2: ["cuda", 80]
        backend, arch = target[0], target[1]
    else:
        backend, arch = None, None
    return (
        backend if isinstance(backend, str) else "cuda",
        arch if isinstance(arch, int) and not isinstance(arch, bool) else None,
    )


def _kept(fields: Mapping[str, object]) -> dict[str, Scalar]:
    kept: dict[str, Scalar] = {}
    for key, value in fields.items():
        if isinstance(value, bool | int | float | str):
            # A string with a slash is a path of the machine that compiled.
            unwanted = isinstance(value, str) and (len(value) > MAX_TEXT_VALUE or "/" in value)
            if not unwanted and (value or key in _ALWAYS):
                kept[key] = value
        elif (
            isinstance(value, list)
            and all(type(item) is int for item in value)
            and any(item != 1 for item in value)
        ):
            kept[key] = "x".join(str(item) for item in value)
    return kept
