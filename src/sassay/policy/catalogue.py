"""The presets: policies that ship with sassay, and names whose wing is missing."""

from __future__ import annotations

from importlib import resources

import msgspec

from sassay.errors import PolicyError


class Preset(msgspec.Struct, frozen=True):
    """One preset.

    Attributes:
        summary: What it asks, in one line.
        available: Whether this release can judge it.
        needs: What it would need, empty where it is available.
    """

    name: str
    summary: str
    available: bool = True
    needs: str = ""


_PRESETS: tuple[Preset, ...] = (
    Preset("default", "families that came or went, new spills, lost tensor cores: REVIEW"),
    Preset("kernel-family-deltas", "any family that came, went, grew, shrank or changed: REVIEW"),
    Preset("no-new-spills", "spills or stack that appear or grow: FAIL"),
    Preset("register-growth", "registers up 10%, or fewer resident warps because of them: REVIEW"),
    Preset("required-archs", "a family that lost an architecture: FAIL; a PTX fallback: REVIEW"),
    Preset("tensor-core-kept", "tensor-core instructions lost: FAIL; fewer of them: REVIEW"),
    Preset(
        "tma-expected", "manual shared-memory staging in GEMM kernels that should use TMA: REVIEW"
    ),
    Preset(
        "no-fp-contraction-change",
        "contraction that starts or stops, sums in another order: FAIL; more or less: REVIEW",
    ),
    Preset(
        "numeric-path-stable",
        "another order of conversions, reductions and roundings: REVIEW",
    ),
)


def list_presets() -> tuple[Preset, ...]:
    """All presets that have a name: those of this release first, each part by name."""
    return _PRESETS


def find_preset(name: str) -> Preset | None:
    """The preset of that name, available or not."""
    return next((preset for preset in _PRESETS if preset.name == name), None)


def preset_text(name: str) -> str:
    """The YAML of an available preset.

    Raises:
        PolicyError: It needs what this release does not have, or does not exist.
    """
    preset = find_preset(name)
    if preset is None:
        raise PolicyError("no such preset", artifact=name)
    if not preset.available:
        raise PolicyError(
            f"this preset needs {preset.needs}, which this release does not have",
            artifact=name,
            hint="sassay policy list shows what there is",
        )
    folder = resources.files("sassay.policy") / "presets"
    return (folder / f"{name}.yaml").read_text(encoding="utf-8")
