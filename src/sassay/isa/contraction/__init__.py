"""The contraction audit: which products and sums ptxas fused, and how it orders them."""

from __future__ import annotations

from sassay.isa.contraction.association import Association, Order, Reassociated, associate
from sassay.isa.contraction.audit import Audit, Basis, Contracted, Fused, audit

__all__ = [
    "Association",
    "Audit",
    "Basis",
    "Contracted",
    "Fused",
    "Order",
    "Reassociated",
    "associate",
    "audit",
]
