"""What `sassay compile` writes beside a Triton cache entry: what the cache itself cannot say.

Triton folds constants away and its cache names no source file relative to the project, so the
compiling side leaves `<name>.sassay.json` in the entry's folder. Schema: docs/manifest.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sassay.errors import FormatError
from sassay.model.artifact import Scalar, SourceLocation

SUFFIX = ".sassay.json"
SCHEMA = "sassay/compile-info/1"
MAX_BYTES = 1 << 20


class Sidecar(msgspec.Struct, frozen=True):
    """The parts of the record that a reader needs; others are ignored.

    Attributes:
        schema: `SCHEMA`.
        constants: Compile-time constants by parameter.
        location: Where the function is defined, relative to the manifest's root.
    """

    schema: str
    constants: Mapping[str, Scalar] = {}
    location: SourceLocation | None = None


def read_sidecar(data: bytes, *, artifact: str) -> Sidecar:
    """Read one record.

    Args:
        data: The file's bytes.
        artifact: Name for errors.

    Raises:
        FormatError: It is too large, no JSON, or not of this schema.
    """
    if len(data) > MAX_BYTES:
        raise FormatError(f"{len(data)} bytes: at most {MAX_BYTES} expected", artifact=artifact)
    try:
        sidecar = msgspec.json.decode(data, type=Sidecar)
    except msgspec.DecodeError as error:
        raise FormatError(f"no compile record: {error}", artifact=artifact) from error
    if sidecar.schema != SCHEMA:
        raise FormatError(f"schema {sidecar.schema!r}: expected {SCHEMA}", artifact=artifact)
    return sidecar
