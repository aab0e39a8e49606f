"""Attached measurements: `--evidence FILE.json`.

`{"gsm8k": 0.445, "accept_length": {"value": 4.494, "unit": "tokens"}, "profile": {...}}`: a name
to a figure, to a figure with unit and detail, or to anything else, which then only says that the
evidence exists.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from sassay.errors import InputError
from sassay.model.state import Evidence

MAX_FILE = 8 << 20
MAX_ENTRIES = 1000
MAX_TEXT = 4096
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/ -]{0,127}")
_KNOWN_KEYS = frozenset({"value", "unit", "detail"})


def load_evidence(path: str | Path) -> dict[str, Evidence]:
    """Read an evidence file.

    Raises:
        InputError: It cannot be read or does not follow its form.
    """
    artifact = str(path)
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(MAX_FILE + 1)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", artifact=artifact) from error
    if len(data) > MAX_FILE:
        raise InputError("too long", artifact=artifact, hint=f"at most {MAX_FILE} bytes")
    try:
        decoded = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"not JSON: {error}", artifact=artifact) from error
    if not isinstance(decoded, dict):
        raise InputError("expected an object of name to figure", artifact=artifact)
    if len(decoded) > MAX_ENTRIES:
        raise InputError(
            f"{len(decoded)} entries", artifact=artifact, hint=f"at most {MAX_ENTRIES}"
        )
    return {name: _entry(decoded[name], place=name, artifact=artifact) for name in sorted(decoded)}


def _entry(value: object, *, place: str, artifact: str) -> Evidence:
    if _NAME.fullmatch(place) is None:
        raise InputError(
            f"{place[:80]!r} is no name for evidence", artifact=artifact,
            hint="letters, digits and _ . : / - up to 128",
        )  # fmt: skip
    if isinstance(value, Mapping) and "value" in value:
        unknown = sorted(str(key) for key in value.keys() - _KNOWN_KEYS)
        if unknown:
            raise InputError(
                f"unknown key {unknown[0][:80]!r}", artifact=artifact, place=place,
                hint="expected value, unit, detail",
            )  # fmt: skip
        return Evidence(
            value=_figure(value["value"], place=place, artifact=artifact),
            unit=_text(value.get("unit"), place=f"{place}.unit", artifact=artifact),
            detail=_text(value.get("detail"), place=f"{place}.detail", artifact=artifact),
        )
    if isinstance(value, Mapping | list):
        detail = msgspec.json.encode(value, order="deterministic").decode()
        short = detail if len(detail) <= MAX_TEXT else f"{detail[: MAX_TEXT - 1]}…"
        return Evidence(value=None, detail=short)
    return Evidence(value=_figure(value, place=place, artifact=artifact))


def _figure(value: object, *, place: str, artifact: str) -> str | float | int | bool | None:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, str):
        return _text(value, place=place, artifact=artifact)
    raise InputError("expected a number, a text, true or false", artifact=artifact, place=place)


def _text(value: object, *, place: str, artifact: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise InputError("expected a text", artifact=artifact, place=place)
    if len(value) > MAX_TEXT:
        raise InputError(
            f"{len(value)} characters", artifact=artifact, place=place, hint=f"at most {MAX_TEXT}"
        )
    return value
