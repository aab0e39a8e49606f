"""What instructions compute, as functions of numpy arrays."""

from __future__ import annotations

from sassay.machine.numeric.kernel import Kernel, Label
from sassay.machine.numeric.resolve import blind_to_nans, resolve

__all__ = ["Kernel", "Label", "blind_to_nans", "resolve"]
