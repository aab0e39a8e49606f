"""What a kernel's own `.nv.info.<symbol>` says: launch attributes, barriers, parameter layout."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from sassay.containers.digest import packed
from sassay.containers.nvinfo import Attribute, read_info, read_part, triple
from sassay.model.kernel import Launch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sassay.containers.elf import Elf
    from sassay.containers.nvinfo import Info

_WARP = 32
# Members of an enumeration are looked up slowly.
_REQNTID = int(Attribute.REQNTID)
_MAX_THREADS = int(Attribute.MAX_THREADS)
_CTA_PER_CLUSTER = int(Attribute.CTA_PER_CLUSTER)
_NUM_BARRIERS = int(Attribute.NUM_BARRIERS)
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
_KEPT_BYTES = 4096
"""Longer sections are read each time, so that few bytes are kept of hostile ones."""


class KernelInfo(msgspec.Struct, frozen=True):
    """One such section; one record for all sections that say the same.

    Attributes:
        launch: Launch attributes.
        barriers: Named barriers, None where it does not say.
        packed_launch: `launch` as `digest.packed` writes it.
        packed_parameters: Likewise number, value and bytes (in hexadecimal) of each attribute of
            the parameter layout, sorted.
    """

    launch: Launch
    barriers: int | None
    packed_launch: bytes
    packed_parameters: bytes


def kernel_info(elf: Elf, index: int | None) -> KernelInfo:
    """What a cubin says of one kernel.

    Args:
        elf: The cubin.
        index: The kernel's section; nothing is known without one.

    Raises:
        FormatError: The section does not follow its format.
    """
    if index is None:
        return _known(b"")
    part = read_part(data := bytes(elf.content_at(index)))
    if part is None or len(part) > _KEPT_BYTES:
        section = elf.section(index)
        place = f"section {section.name}, offset {section.offset:#x}"
        return _info_of(read_info(data, artifact=elf.artifact, place=place))
    return _known(part)


@lru_cache(maxsize=4096)
def _known(part: bytes) -> KernelInfo:
    """What a section says of which `read_part` left so much, once for all that it is left of."""
    return _info_of(read_info(part, artifact="", place=""))


def _info_of(attributes: Iterable[Info]) -> KernelInfo:
    block = max_block = cluster = barriers = None
    parameters: list[tuple[int, int, str]] = []
    for item in attributes:
        number = item.number
        if number in _PARAMETERS:
            parameters.append((number, item.value, item.content.hex()))
        elif number == _REQNTID:
            block = triple(item)
        elif number == _MAX_THREADS:
            max_block = triple(item)
        elif number == _CTA_PER_CLUSTER:
            cluster = triple(item)
        elif number == _NUM_BARRIERS and barriers is None:
            barriers = item.value
    threads = math.prod(block) if block else 0
    launch = Launch(
        block=block,
        max_block=max_block,
        cluster=cluster if cluster and any(cluster) else None,
        warps=-(-threads // _WARP) or None,
    )
    parameters.sort()
    return KernelInfo(launch, barriers, packed(launch), packed(parameters))
