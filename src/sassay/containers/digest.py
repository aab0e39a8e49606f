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
from sassay.containers.nvinfo import Attribute, Info

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sassay.model.code import Relocation, SassCode
    from sassay.model.kernel import Launch, Resources

DIGEST_BYTES = 20

_PARAMETERS = frozenset(
    int(number)
    for number in (
        Attribute.KPARAM_INFO,
        Attribute.KPARAM_INFO_V2,
        Attribute.CBANK_PARAM_SIZE,
        Attribute.MAX_CLUSTER_RANK,
        Attribute.EXPLICIT_CLUSTER,
    )
)
_encode = msgspec.msgpack.Encoder().encode


def code_hash(code: bytes | memoryview) -> bytes:
    """SHA-256 of a code section: processors compute it twice as fast as any other strong hash."""
    return hashlib.sha256(code).digest()


def code_digest(
    *,
    arch: str,
    code: bytes,
    relocations: Iterable[Relocation],
    constants: Iterable[tuple[str, bytes]],
    launch: Launch,
    resources: Resources,
    info: Iterable[Info],
) -> str:
    """The digest as 40 hexadecimal digits.

    Args:
        arch: Architecture of the code.
        code: The section's `code_hash`.
        relocations: Of the section, sorted by offset.
        constants: The kernel's own constants and those that it names, each with a stable label.
        launch: Launch attributes.
        resources: Resources.
        info: The kernel's own `.nv.info` attributes, of which the parameter layout counts.
    """
    parameters = [
        (number, value, content.hex()) for number, value, content in info if number in _PARAMETERS
    ]
    parameters.sort()
    head: Mapping[str, object] = {
        "arch": arch,
        "code": code,
        "relocations": [(r.offset, r.kind, stable_symbol(r.symbol), r.addend) for r in relocations],
        "constants": [(label, hashlib.blake2b(c).hexdigest()) for label, c in constants],
        "launch": launch,
        "resources": resources,
        "parameters": parameters,
    }
    encoded = _encode(head)
    return hashlib.blake2b(encoded, digest_size=DIGEST_BYTES).hexdigest()


def sass_digest(
    *,
    arch: str,
    code: bytes,
    relocations: tuple[Relocation, ...],
    constants: Iterable[tuple[int, bytes]],
    constant_symbols: tuple[tuple[int, int, str], ...],
) -> str:
    """The digest under which a store keeps a `SassCode`, as 40 hexadecimal digits.

    Unlike `code_digest` it covers just what the record holds, names as they are.

    Args:
        arch: Of the record.
        code: `code_hash` of its code.
        relocations: Of the record.
        constants: Its banks, each by number and `code_hash`.
        constant_symbols: Of the record.
    """
    head = (arch, code, relocations, sorted(constants), constant_symbols)
    encoded = b"S" + _encode(head)
    return hashlib.blake2b(encoded, digest_size=DIGEST_BYTES).hexdigest()


def digest_of_sass(code: SassCode) -> str:
    """`sass_digest` of a whole record."""
    return sass_digest(
        arch=code.arch,
        code=code_hash(code.code),
        relocations=code.relocations,
        constants=[(number, code_hash(content)) for number, content in code.constants],
        constant_symbols=code.constant_symbols,
    )
