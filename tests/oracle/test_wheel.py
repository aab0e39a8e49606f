"""A real wheel of the package index, against NVIDIA's tools (`tests.oracle.full` takes it all)."""

from __future__ import annotations

import zipfile
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from tests.oracle.compare import Oracle, Tally, by_place, check, cubins_of
from tests.oracle.full import shown

from sassay.sources import pypi

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.network, pytest.mark.oracle]

SPEC = "pypi:bitsandbytes==0.50.1"
LIBRARY = "bitsandbytes/libbitsandbytes_cuda130.so"
ARCHS = {"sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120"}
EVERY = 12


def test_kernels_of_every_architecture(tmp_path: Path) -> None:
    with zipfile.ZipFile(pypi.fetch(SPEC)) as archive:
        library = tmp_path / "wheel" / LIBRARY
        archive.extract(LIBRARY, tmp_path / "wheel")
    tally = Tally()
    cubins = cubins_of(library, tmp_path / "extracted", tally)
    document = shown(library)
    check(document, cubins, Oracle(tmp_path, every=EVERY), tally)
    assert not tally.mismatches, "\n".join(tally.mismatches)
    assert (tally.cubins, tally.unreadable) == (len(ARCHS), 0)
    assert tally.resources == len(document["kernels"]) == 1414
    assert tally.kernels > tally.resources // EVERY
    counted = Counter(kernel["arch"] for kernel in document["kernels"])
    assert counted == dict.fromkeys(ARCHS, 202)
    total = sum(sum(k["instructions"]["sass"].values()) for k in document["kernels"])
    assert total == sum(k["code_bytes"] for k in document["kernels"]) // 16 == 789184
    families = {k["family"] for k in document["kernels"]}
    assert {"kQuantizeBlockwise", "kDequantizeBlockwise"} <= families
    assert all(len(places) >= 202 for places in by_place(document["kernels"]).values())
