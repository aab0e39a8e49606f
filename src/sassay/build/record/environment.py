"""What a recorded state says of its run: command, configuration, versions, GPU; never a secret."""

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from sassay.build.record.caches import variables
from sassay.build.record.secrets import hide, hide_arguments, is_secret, secret_values
from sassay.errors import ToolError
from sassay.git import ask_git

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sassay.model.artifact import Scalar

_MAX_COMMAND = 2000
_MAX_VALUE = 300
_MAX_CONFIG_BYTES = 4 << 20
_GIT_SECONDS = 10.0
_SMI_SECONDS = 20.0
_SMI = ("nvidia-smi", "--query-gpu=name,compute_cap,driver_version", "--format=csv,noheader")
_CONFIGS = (".yaml", ".yml", ".json", ".toml", ".ini", ".cfg")

ALLOWED: frozenset[str] = frozenset(
    {
        "CUDA_VISIBLE_DEVICES", "CUDA_MODULE_LOADING", "CUDA_LAUNCH_BLOCKING", "CUDA_HOME",
        "CUDA_PATH", "CUDA_FORCE_PTX_JIT", "CUDA_DISABLE_PTX_JIT", "CUDA_CACHE_DISABLE",
        "CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE", "NVIDIA_VISIBLE_DEVICES",
        "NVCC_APPEND_FLAGS", "NVCC_PREPEND_FLAGS", "PTXAS_OPTIONS", "DISABLE_PTXAS_OPT",
        "TORCH_CUDA_ARCH_LIST", "TORCH_COMPILE_DISABLE", "TORCHDYNAMO_DISABLE",
        "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF",
        "WORLD_SIZE", "LOCAL_WORLD_SIZE", "DG_JIT_USE_NVRTC", "DG_JIT_PTXAS_VERBOSE",
        "DG_JIT_NVCC_COMPILER", "DG_JIT_WITH_LINEINFO", "DG_USE_NVIDIA_TOOLS",
        "DG_USE_FAST_CMAKE", "CUTE_DSL_ARCH", "CUTE_DSL_LINEINFO", "FLASHINFER_CUDA_ARCH_LIST",
        "FLASHINFER_JIT_VERBOSE", "FLASHINFER_DISABLE_JIT", "FLASHINFER_ENABLE_AOT",
        "FLASHINFER_DISABLE_VERSION_CHECK", "FLASH_ATTENTION_DETERMINISTIC",
    }
)  # fmt: skip
"""Variables that change what is compiled or which device it is for."""

ALLOWED_PREFIXES: tuple[str, ...] = (
    "TRITON_",
    "TORCHINDUCTOR_",
    "TORCH_LOGS",
    "VLLM_USE_",
    "VLLM_ATTENTION_",
    "VLLM_ENABLE_",
    "VLLM_DISABLE_",
    "VLLM_FLASH_",
    "VLLM_FLASHINFER_",
    "VLLM_MOE_",
    "VLLM_ALL2ALL_",
    "VLLM_DEEP_GEMM_",
    "SGLANG_ENABLE_",
    "SGLANG_DISABLE_",
    "SGLANG_USE_",
    "SGLANG_OPT_",
    "SGLANG_JIT_",
    "SGLANG_SUPPORT_",
    "SGL_ENABLE_",
    "SGL_DISABLE_",
    "SGL_USE_",
)
"""Starts of names of engines' switches. A name that sounds secret is left out all the same."""

_NOT_TOLD = frozenset({"TRITON_HOME", "TRITON_DUMP_DIR", "TRITON_OVERRIDE_DIR"})
_FLAG = re.compile(r"--(?P<name>[A-Za-z][\w.-]*)(?:=(?P<value>.*))?", re.DOTALL)
_NEGATIVE = re.compile(r"-\d")


def describe_command(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path
) -> dict[str, Scalar]:
    """What the command line says: itself, its options, and digests of the files that configure it.

    Args:
        arguments: Program and arguments.
        environment: Its variables, for the secrets that may stand in its arguments.
        folder: The working folder.
    """
    plain = hide_arguments(arguments, environment)
    found: dict[str, Scalar] = {"command": _cut(shlex.join(plain), _MAX_COMMAND)}
    for name, value in _options(plain).items():
        found[f"option.{name}"] = value if isinstance(value, bool) else _cut(value, _MAX_VALUE)
        if isinstance(value, str) and value.endswith(_CONFIGS):
            digest = _digest(folder / value)
            if digest is not None:
                found[f"option.{name}.sha256"] = digest
    return found


def _options(arguments: Sequence[str]) -> dict[str, str | bool]:
    """Long options of a command line; one without a value is true, one given twice holds both."""
    found: dict[str, str | bool] = {}
    rest = list(arguments)
    while rest:
        match = _FLAG.fullmatch(rest.pop(0))
        if match is None:
            continue
        value = match["value"]
        if value is None:
            values = []
            while rest and (not rest[0].startswith("-") or _NEGATIVE.match(rest[0])):
                values.append(rest.pop(0))
            value = " ".join(values) if values else None
        earlier = found.get(match["name"])
        if value is None:
            found.setdefault(match["name"], True)
        else:
            found[match["name"]] = f"{earlier} {value}" if isinstance(earlier, str) else value
    return found


def describe_variables(environment: Mapping[str, str]) -> dict[str, Scalar]:
    """The variables of the allow list, without any that a recording sets itself.

    Args:
        environment: The caller's variables.
    """
    own = variables() | _NOT_TOLD
    known = secret_values(environment)
    return {
        f"env.{name}": _cut(hide(value, known), _MAX_VALUE)
        for name, value in sorted(environment.items())
        if (name in ALLOWED or name.startswith(ALLOWED_PREFIXES))
        and name not in own
        and not is_secret(name)
    }


def describe_sources(folder: Path) -> dict[str, Scalar]:
    """Revision, branch and dirtiness of the git checkout that a folder belongs to; empty for none.

    Args:
        folder: The working folder of the command.
    """
    top = _git(folder, "rev-parse", "--show-toplevel")
    if not top:
        return {}
    found: dict[str, Scalar] = {}
    if revision := _git(folder, "rev-parse", "HEAD"):
        found["git.revision"] = revision
    status = _git(folder, "status", "--porcelain", "--untracked-files=no")
    if status is not None:
        found["git.dirty"] = bool(status)
    return found


def checkout_of(folder: Path) -> Path | None:
    """Top folder of the git checkout that a folder belongs to."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    return Path(top) if top else None


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        return ask_git(folder, *arguments, timeout=_GIT_SECONDS).decode("utf-8", "replace").strip()
    except ToolError:
        return None


class GpuQuery:
    """Asks the driver which GPUs there are, beside the command."""

    def __init__(self) -> None:
        """Start asking; a machine without the tool has no GPU to name."""
        self._process: subprocess.Popen[str] | None = None
        try:
            self._process = subprocess.Popen(
                _SMI,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                errors="replace",
            )
        except OSError:
            return

    def answer(self) -> dict[str, Scalar]:
        """GPUs by name and number, their compute capability, and the driver."""
        if self._process is None:
            return {}
        try:
            text, _ = self._process.communicate(timeout=_SMI_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return {}
        rows = [tuple(part.strip() for part in line.split(",")) for line in text.splitlines()]
        rows = [row for row in rows if len(row) == 3]
        if not rows:
            return {}
        names = [name for name, _, _ in rows]
        counted = [
            f"{names.count(name)} x {name}" if names.count(name) > 1 else name
            for name in dict.fromkeys(names)
        ]
        return {
            "gpu": ", ".join(counted),
            "gpu.compute_capability": ", ".join(dict.fromkeys(row[1] for row in rows)),
            "gpu.driver": ", ".join(dict.fromkeys(row[2] for row in rows)),
        }


def _digest(path: Path) -> str | None:
    try:
        if path.stat().st_size > _MAX_CONFIG_BYTES:
            return None
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
