"""The code digest: equal for two kernels that run alike, whatever else their files hold.

It covers the architecture, the code bytes, the relocations, the constants that the kernel owns or
names, and what a launch needs: resources, block and cluster sizes, parameter layout. It never
covers line tables, producer notes, build paths, symbol order or the hashes that nvcc puts into
names of internal linkage. Registers count, because equal code can be launched with more of them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from sassay.containers.mangled import stable_symbol
from sassay.containers.nvinfo import Attribute, Info

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sassay.model.code import Relocation
    from sassay.model.kernel import Launch, Resources

DIGEST_BYTES = 20

_PARAMETERS = frozenset(
    {
        Attribute.KPARAM_INFO,
        Attribute.KPARAM_INFO_V2,
        Attribute.CBANK_PARAM_SIZE,
        Attribute.MAX_CLUSTER_RANK,
        Attribute.EXPLICIT_CLUSTER,
    }
)


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
        code: The section's bytes.
        relocations: Of the section, sorted by offset.
        constants: The kernel's own constants and those that it names, each with a stable label.
        launch: Launch attributes.
        resources: Resources.
        info: The kernel's own `.nv.info` attributes, of which the parameter layout counts.
    """
    parameters = sorted(
        (item.number, item.value, item.content.hex()) for item in info if item.number in _PARAMETERS
    )
    head: Mapping[str, object] = {
        "arch": arch,
        "relocations": [(r.offset, r.kind, stable_symbol(r.symbol), r.addend) for r in relocations],
        "constants": [(label, hashlib.blake2b(c).hexdigest()) for label, c in constants],
        "launch": launch,
        "resources": resources,
        "parameters": parameters,
    }
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    encoded = msgspec.msgpack.encode(head)
    digest.update(len(encoded).to_bytes(8, "little"))
    digest.update(encoded)
    digest.update(code)
    return digest.hexdigest()
