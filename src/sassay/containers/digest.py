"""The code digest: equal for two kernels that run alike, whatever else their files hold.

It covers the architecture, the code bytes (by their SHA-256, taken once for all uses), the
relocations, the constants that the kernel owns or names, and what a launch needs: resources, block
and cluster sizes, parameter layout. It never covers line tables, producer notes, build paths,
symbol order or the hashes that nvcc puts into names of internal linkage. Registers count, because
equal code can be launched with more of them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from sassay.containers.mangled import stable_symbol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sassay.model.code import Relocation, SassCode

DIGEST_BYTES = 20

packed = msgspec.msgpack.Encoder().encode
"""The MessagePack of a value: what digests are made of."""

NOTHING = packed(())
_SHA256 = packed(bytes(32))[:-32]
"""What stands before 32 bytes."""
_RECORD, _FIELDS = b"\x95", b"\x87"
"""What stands before an array of 5, and before a map of 7."""
_RELOCATIONS, _CONSTANTS, _LAUNCH, _RESOURCES, _PARAMETERS = map(
    packed, ("relocations", "constants", "launch", "resources", "parameters")
)


def code_hash(code: bytes | memoryview) -> bytes:
    """SHA-256 of a code section.

    Unlike a `content_key` it is the same on every machine, so it is of a hash that every Python
    has; of those, processors compute it twice as fast as any other.
    """
    return hashlib.sha256(code).digest()


class Digests:
    """The digests of kernels of one architecture.

    They are of one MessagePack value each, `code` of a map and `sass` of an array, which is put
    together from parts: most parts of one kernel are those of others.
    """

    def __init__(self, arch: str) -> None:
        named = packed(arch)
        self._code = _FIELDS + packed("arch") + named + packed("code") + _SHA256
        self._sass = b"S" + _RECORD + named + _SHA256

    def code(
        self,
        code: bytes,
        *,
        relocations: bytes,
        constants: bytes,
        launch: bytes,
        resources: bytes,
        parameters: bytes,
    ) -> str:
        """The code digest as 40 hexadecimal digits.

        Args:
            code: The section's `code_hash`.
            relocations: What `stable_relocations` makes of those of the section.
            constants: What `named_constants` makes of the kernel's own constants and of those
                that it names.
            launch: Its launch attributes, `packed`.
            resources: Its resources, `packed`.
            parameters: Its parameter layout, `packed`.
        """
        parts = (
            self._code, code, _RELOCATIONS, relocations, _CONSTANTS, constants, _LAUNCH, launch,
            _RESOURCES, resources, _PARAMETERS, parameters,
        )  # fmt: skip
        return hashlib.blake2b(b"".join(parts), digest_size=DIGEST_BYTES).hexdigest()

    def sass(self, code: bytes, *, relocations: bytes, constants: bytes, symbols: bytes) -> str:
        """The digest under which a store keeps a `SassCode`, as 40 hexadecimal digits.

        Unlike `code` it covers just what the record holds, names as they are.

        Args:
            code: `code_hash` of its code.
            relocations: Those of the record, `packed`.
            constants: Its banks, each by number and `code_hash`, sorted and `packed`.
            symbols: The constant symbols of the record, `packed`.
        """
        parts = (self._sass, code, relocations, constants, symbols)
        return hashlib.blake2b(b"".join(parts), digest_size=DIGEST_BYTES).hexdigest()


def stable_relocations(relocations: Iterable[Relocation]) -> bytes:
    """Relocations, sorted by offset, by the stable names of their symbols."""
    return packed([(r.offset, r.kind, stable_symbol(r.symbol), r.addend) for r in relocations])


def named_constants(constants: Iterable[tuple[str, bytes]]) -> bytes:
    """Constants, each with a stable label."""
    return packed([(label, hashlib.blake2b(c).hexdigest()) for label, c in constants])


def digest_of_sass(code: SassCode) -> str:
    """`Digests.sass` of a whole record."""
    hashes = sorted((number, code_hash(content)) for number, content in code.constants)
    return Digests(code.arch).sass(
        code_hash(code.code),
        relocations=packed(code.relocations),
        constants=packed(hashes),
        symbols=packed(code.constant_symbols),
    )
