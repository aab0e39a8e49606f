"""A stored reference: a small text of what kernels are, and a state made of it again."""

from sassay.baseline.file import Baseline, read_baseline, write_baseline
from sassay.baseline.teach import teach_tiers

__all__ = ["Baseline", "read_baseline", "teach_tiers", "write_baseline"]
