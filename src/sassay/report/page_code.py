"""Traced code as the HTML report's script reads it: a packed blob a kernel, opened when needed."""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from sassay.report.names import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.model.traced import Run, TracedCode, TracedLayer, TracedPair
    from sassay.report.page_data import PageData

_OPS = {"equal": 0, "replace": 1, "delete": 2, "insert": 3}


def packed(value: object) -> str:
    """Data as base64 of deflated JSON: small, and nothing in it that HTML could take for markup."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return b64encode(zlib.compress(text.encode("ascii"), 9)).decode("ascii")


def code_data(code: TracedCode, page: PageData) -> dict[str, Any]:
    """One kernel's code.

    Args:
        code: What was traced.
        page: Numbers categories and files.
    """
    return {
        "p": _layer(code.layers.ptx, page),
        "s": _layer(code.layers.sass, page),
        "texts": [
            [page.files(file), run.line, [plain(line) for line in run.text.split("\n")]]
            for file, runs in code.texts.items()
            for run in runs
        ],
        "origins": [[page.files(file), plain(text)] for file, text in code.origins.items()],
        "note": plain(code.note) if code.note else None,
    }


def _layer(layer: TracedLayer | None, page: PageData) -> dict[str, Any] | None:
    if layer is None:
        return None
    return {
        "o": _steps(layer.offsets),
        "t": [plain(text) for text in layer.texts],
        "c": [page.categories(name) for name in layer.categories],
        "s": layer.sites,
        "h": [[[page.files(frame.file), frame.line] for frame in chain] for chain in layer.chains],
        "p": layer.ptx,
    }


def _steps(offsets: Sequence[int]) -> list[int]:
    """Differences, which pack far better than the numbers themselves."""
    return [now - before for before, now in zip((0, *offsets), offsets, strict=False)]


def pair_data(pair: TracedPair, page: PageData) -> dict[str, Any]:
    """How two kernels' code lines up.

    Args:
        pair: What was aligned.
        page: Numbers files.
    """
    return {
        "p": _rows(pair.rows.ptx),
        "s": _rows(pair.rows.sass),
        "l": [[page.files(a), b, page.files(c), d] for a, b, c, d in pair.lines],
        "how": pair.aligned,
    }


def _rows(rows: tuple[Run, ...] | None) -> list[int] | None:
    return None if rows is None else [part for op, size in rows for part in (_OPS[op], size)]
