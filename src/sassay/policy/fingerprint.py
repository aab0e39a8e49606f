"""Stable ids of findings."""

from __future__ import annotations

import hashlib


def fingerprint(rule: str, family: str, arch: str, layer: str | None) -> str:
    """12 hexadecimal digits over what a finding is about, equal on every machine and every day.

    Args:
        rule: Rule id.
        family: Family.
        arch: Architecture.
        layer: `ptx` or `sass`, None for findings about kernels.
    """
    text = "\0".join((rule, family, arch, layer or ""))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
