"""Probes: how often two implementations of a selection step choose differently."""

from __future__ import annotations

from sassay.machine.probe.load import load_probe
from sassay.machine.probe.run import run_probe
from sassay.machine.probe.spec import ProbeSpec

__all__ = ["ProbeSpec", "load_probe", "run_probe"]
