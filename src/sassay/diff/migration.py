"""Which families moved to the newer architecture's tensor and memory paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.model.change import Migration
from sassay.model.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sassay.diff.pairing import Groups
    from sassay.model.kernel import Census, Kernel

YES, NO, NOT_APPLICABLE = "yes", "no", "not applicable"

# PTX ISA, "Target ISA" notes of each instruction: wgmma.mma_async needs sm_90a, tcgen05.mma
# needs sm_100a or sm_110a and their families; sm_120 has neither and keeps mma.sync.
_TENSOR_PATHS: Mapping[int, str] = {
    90: "wgmma", 100: "tcgen05", 101: "tcgen05", 103: "tcgen05", 110: "tcgen05",
}  # fmt: skip
_FIRST_TMA = 90
_FIRST_ASYNC_COPY = 80

_PTX_PATHS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("mma.sync", ("mma.", "wmma.mma")),
    ("wgmma.mma_async", ("wgmma.mma_async",)),
    ("tcgen05.mma", ("tcgen05.mma",)),
    ("cp.async", ("cp.async",)),
    ("TMA", ("cp.async.bulk", "cp.reduce.async.bulk")),
    ("st.shared", ("st.shared",)),
)
_SASS_PATHS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("HMMA", ("HMMA", "IMMA", "DMMA", "BMMA", "QMMA", "OMMA")),
    ("HGMMA", ("HGMMA", "IGMMA", "QGMMA", "BGMMA")),
    ("UTCMMA", ("UTCHMMA", "UTCIMMA", "UTCQMMA", "UTCOMMA", "UTCMXQMMA")),
    ("LDGSTS", ("LDGSTS",)),
    ("TMA", ("UTMALDG", "UTMASTG", "UTMAREDG", "UBLKCP", "UBLKRED")),
    ("STS", ("STS",)),
)
_CATEGORIES = ("warpgroup", "tensor_memory", "synchronization", "shared_memory")

# cp.async itself is one instruction; committing and waiting for a group moves nothing.
_NO_COPY = (
    "cp.async.commit_group", "cp.async.wait_group", "cp.async.wait_all", "cp.async.mbarrier",
    "cp.async.bulk.commit_group", "cp.async.bulk.wait_group", "cp.async.bulk.prefetch",
)  # fmt: skip


def migrations(before: Groups, after: Groups, archs: tuple[str, str]) -> tuple[Migration, ...]:
    """One row a family that both sides hold, sorted by family.

    Args:
        before: Kernels of the first architecture, by family.
        after: Kernels of the second.
        archs: The two architectures.
    """
    return tuple(
        _migration(key[0], before[key], after[key], archs)
        for key in sorted(before.keys() & after.keys())
    )


def _number(arch: str) -> int:
    digits = "".join(char for char in arch.partition("_")[2] if char.isdigit())
    return int(digits) if digits else 0


def _migration(
    family: str, before: Sequence[Kernel], after: Sequence[Kernel], archs: tuple[str, str]
) -> Migration:
    layer = _layer([*before, *after])
    old, new = _counts(before, layer), _counts(after, layer)
    backwards = _number(archs[0]) > _number(archs[1])
    newer = old if backwards else new
    older = new if backwards else old
    number = max(map(_number, archs))
    names = [name for name, _ in (_PTX_PATHS if layer is Layer.PTX else _SASS_PATHS)]
    tensor, tensor_why = _tensor_path(number, older, newer, names)
    memory, memory_why = _memory_path(number, older, newer, names)
    return Migration(
        family=family,
        before_arch=archs[0],
        after_arch=archs[1],
        tensor_path=tensor,
        memory_path=memory,
        before=old,
        after=new,
        why="; ".join(part for part in (tensor_why, memory_why, _staging(older, newer)) if part),
    )


def _layer(kernels: Sequence[Kernel]) -> Layer:
    """PTX where every kernel has it: its words are the same for all architectures."""
    has_ptx = all(kernel.instructions.ptx is not None for kernel in kernels)
    return Layer.PTX if has_ptx else Layer.SASS


def _counts(kernels: Sequence[Kernel], layer: Layer) -> dict[str, int]:
    paths = _PTX_PATHS if layer is Layer.PTX else _SASS_PATHS
    out = {name: 0 for name, _ in paths}
    out.update(dict.fromkeys(_CATEGORIES, 0))
    for kernel in kernels:
        for opcode, count in (kernel.instructions.of(layer) or {}).items():
            name = _path(opcode, paths)
            if name is not None:
                out[name] += count
        categories: Census = kernel.categories.of(layer) or {}
        for category in _CATEGORIES:
            out[category] += categories.get(category, 0)
    return out


def _path(opcode: str, paths: tuple[tuple[str, tuple[str, ...]], ...]) -> str | None:
    """The path whose longest prefix fits, so that `cp.async.bulk` is TMA and not `cp.async`."""
    if opcode.startswith(_NO_COPY):
        return None
    best: tuple[int, str] | None = None
    for name, prefixes in paths:
        for prefix in prefixes:
            if opcode.startswith(prefix) and (best is None or len(prefix) > best[0]):
                best = (len(prefix), name)
    return best[1] if best else None


def _tensor_path(
    number: int, older: Mapping[str, int], newer: Mapping[str, int], names: Sequence[str]
) -> tuple[str, str]:
    warp, warpgroup, tensor_memory = names[:3]
    if not any(side[name] for side in (older, newer) for name in names[:3]):
        return NOT_APPLICABLE, "no tensor-core instructions"
    new_path = {"wgmma": warpgroup, "tcgen05": tensor_memory}.get(_TENSOR_PATHS.get(number, ""))
    held = _spell(older, names[:3])
    moved = f"{held} -> {_spell(newer, names[:3])}"
    if new_path is None:
        return NOT_APPLICABLE, f"sm_{number} has no newer tensor path: {moved}"
    if newer[new_path]:
        beside = f" beside {newer[warp]} {warp}" if newer[warp] else ""
        return YES, f"{held} -> {newer[new_path]} {new_path}{beside}"
    if not any(newer[name] for name in names[:3]):
        return NO, f"lost its tensor cores: {moved}"
    if older == newer or held == _spell(newer, names[:3]):
        return NO, f"still {held}, no {new_path}"
    return NO, f"{moved}, no {new_path}"


def _memory_path(
    number: int, older: Mapping[str, int], newer: Mapping[str, int], names: Sequence[str]
) -> tuple[str, str]:
    copy, bulk, store = names[3:6]
    if number >= _FIRST_TMA:
        new_path, old_paths = bulk, [copy, bulk]
    elif number >= _FIRST_ASYNC_COPY:
        new_path, old_paths = copy, [copy]
    else:
        return NOT_APPLICABLE, ""
    if not any(side[name] for side in (older, newer) for name in old_paths):
        return NOT_APPLICABLE, ""
    held, kept = _spell(older, (copy, bulk), store), _spell(newer, (copy, bulk), store)
    if newer[new_path]:
        return YES, f"{held} -> {kept}" if held != kept else f"still {held}"
    return (
        NO,
        f"still {held}, no {new_path}" if held == kept else f"{held} -> {kept}, no {new_path}",
    )


def _staging(older: Mapping[str, int], newer: Mapping[str, int]) -> str:
    """How much shared-memory traffic and synchronization moved."""
    words = [
        f"{name.replace('_', ' ')} {older[name]} -> {newer[name]}"
        for name in ("warpgroup", "tensor_memory", "shared_memory", "synchronization")
        if older[name] != newer[name]
    ]
    return ", ".join(words)


def _spell(counts: Mapping[str, int], names: Sequence[str], otherwise: str | None = None) -> str:
    """`64 mma.sync`, or the count of the plain way where none of `names` is used."""
    used = [f"{counts[name]} {name}" for name in names if counts[name]]
    if used:
        return " and ".join(used)
    if otherwise is not None and counts[otherwise]:
        return f"{counts[otherwise]} {otherwise}"
    return "none"
