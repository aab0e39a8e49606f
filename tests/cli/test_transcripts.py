"""Replays the transcripts under `cases/`; SASSAY_UPDATE_GOLDEN=1 rewrites them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.cli.transcript import replay

CASES = sorted((Path(__file__).parent / "cases").glob("*.txt"))


@pytest.mark.parametrize("case", CASES, ids=[case.stem for case in CASES])
def test_transcript(case: Path, workplace: Path) -> None:
    expected = case.read_text(encoding="utf-8")
    actual = replay(expected, workplace)
    if os.environ.get("SASSAY_UPDATE_GOLDEN"):
        case.write_text(actual, encoding="utf-8")
    assert actual == case.read_text(encoding="utf-8")
