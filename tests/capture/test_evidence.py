from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sassay.capture import load_evidence
from sassay.errors import InputError
from sassay.model.state import Evidence

if TYPE_CHECKING:
    from pathlib import Path


def test_figures_and_files(tmp_path: Path) -> None:
    file = tmp_path / "e.json"
    file.write_text(
        '{"gsm8k": 0.445, "accept_length": {"value": 4.494, "unit": "tokens"},'
        ' "profile": {"b": 1, "a": [2]}, "ok": true, "note": "by hand"}'
    )
    assert load_evidence(file) == {
        "accept_length": Evidence(4.494, unit="tokens"),
        "gsm8k": Evidence(0.445),
        "note": Evidence("by hand"),
        "ok": Evidence(value=True),
        "profile": Evidence(None, detail='{"a":[2],"b":1}'),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "expected an object"),
        ("{", "not JSON"),
        ('{"a": {"value": 1, "units": "x"}}', "unknown key 'units'"),
        ('{"a": {"value": [1]}}', "expected a number"),
        ('{"a": {"value": 1, "unit": 3}}', "expected a text"),
        ('{"<b>": 1}', "no name for evidence"),
        ('{"a": "' + "x" * 5000 + '"}', "5000 characters"),
        ("[" * 9999, "not JSON"),
    ],
)
def test_wrong_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "e.json").write_text(text)
    with pytest.raises(InputError, match=message):
        load_evidence(tmp_path / "e.json")
    with pytest.raises(InputError, match="cannot be read"):
        load_evidence(tmp_path / "none.json")
