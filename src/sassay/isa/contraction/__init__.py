"""The contraction audit: which products and sums of the PTX ptxas fused."""

from __future__ import annotations

from sassay.isa.contraction.audit import Audit, Basis, Contracted, Fused, audit

__all__ = ["Audit", "Basis", "Contracted", "Fused", "audit"]
