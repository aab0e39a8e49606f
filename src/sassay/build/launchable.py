"""Says which compiled kernels no GPU of their architecture can launch.

Triton compiles a kernel that asks for more shared memory than the architecture gives to a block,
and refuses it only at its first launch (`OutOfResources`), which no compilation without a GPU
reaches.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sassay.model.state import Diagnostic, Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sassay.model.kernel import Kernel

_KIB = 1024
MAX_BLOCK_SHARED: Mapping[int, int] = {
    75: 64 * _KIB,
    80: 163 * _KIB,
    86: 99 * _KIB,
    87: 163 * _KIB,
    89: 99 * _KIB,
    90: 227 * _KIB,
    100: 227 * _KIB,
    103: 227 * _KIB,
    110: 227 * _KIB,
    120: 99 * _KIB,
    121: 99 * _KIB,
}
"""Bytes of shared memory that one block can ask for, by architecture.

CUDA C++ Programming Guide, "Compute Capabilities", table of technical specifications, row
"Maximum amount of shared memory per thread block".
"""


def launch_warnings(kernels: Iterable[Kernel]) -> tuple[Diagnostic, ...]:
    """A warning for each kernel that asks for more shared memory than a block can have.

    Args:
        kernels: Compiled kernels; those of architectures without a known bound are passed over.
    """
    found = []
    for kernel in kernels:
        number = re.fullmatch(r"sm_(\d+)[af]?", kernel.arch)
        most = MAX_BLOCK_SHARED.get(int(number.group(1))) if number else None
        asked = kernel.resources.shared_bytes
        if most is not None and asked is not None and asked > most:
            where = kernel.location
            place = f"{where.file}: line {where.line}" if where else kernel.symbol
            found.append(
                Diagnostic(
                    level=Level.WARNING,
                    place=place,
                    message=f"{kernel.family} {kernel.arch}: asks for {asked} bytes of shared "
                    f"memory, a block can have {most}: it would not launch",
                )
            )
    return tuple(found)
