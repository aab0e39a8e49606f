"""Lets a comparison know the tiers of kernels whose code only one side still holds."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from sassay.baseline.digests import DIGITS, ptx_tier, sass_tier, tier_digests
from sassay.diff.memo import TierMemo
from sassay.model.layers import Layer

if TYPE_CHECKING:
    from pathlib import Path

    from sassay.baseline.file import Baseline
    from sassay.isa.sass import Disassembler
    from sassay.model.code import CodeStore
    from sassay.model.kernel import Kernel
    from sassay.model.state import State


def teach_tiers(
    baseline: Baseline, candidate: State, store: CodeStore, disassembler: Disassembler, memo: Path
) -> State:
    """Find the tiers of all pairs that a comparison may ask for, by their digests.

    Args:
        baseline: The stored reference.
        candidate: The state that it is compared with.
        store: Holds the candidate's code.
        disassembler: Reads it.
        memo: An empty folder for what was found; `DiffOptions.cache_dir` of the comparison.

    Returns:
        The reference's state with digests as long as those of the candidate's equal kernels, so
        that equal code is told as such.
    """
    known = _bound(baseline.state, candidate)
    mates: defaultdict[tuple[str, str], list[Kernel]] = defaultdict(list)
    for kernel in candidate.kernels:
        mates[kernel.family, kernel.arch].append(kernel)
    asked: list[tuple[Layer, Kernel, Kernel]] = [
        (layer, kernel, mate)
        for kernel in known.kernels
        for mate in mates[kernel.family, kernel.arch]
        for layer in Layer
        if _differ(kernel, mate, layer) and _alike(kernel, mate, layer)
    ]
    needed = {mate.id: mate for _, _, mate in asked}
    digests = tier_digests(tuple(needed.values()), store, disassembler)
    tiers = TierMemo(memo)
    for layer, kernel, mate in asked:
        judge = sass_tier if layer is Layer.SASS else ptx_tier
        tier = judge(baseline.tiers[kernel.id], digests[mate.id])
        one, other = _digest(kernel, layer), _digest(mate, layer)
        if tier is not None and one is not None and other is not None:
            tiers.put(layer, one, other, tier)
    tiers.save()
    return known


def _digest(kernel: Kernel, layer: Layer) -> str | None:
    return kernel.code.sass if layer is Layer.SASS else kernel.ptx_digest


def _differ(one: Kernel, other: Kernel, layer: Layer) -> bool:
    left, right = _digest(one, layer), _digest(other, layer)
    return left is not None and right is not None and left != right


def _alike(one: Kernel, other: Kernel, layer: Layer) -> bool:
    """Whether both count the same opcodes: others are `recomposed`, whatever their code."""
    left, right = one.instructions.of(layer), other.instructions.of(layer)
    if left is None or right is None:
        return False
    return {k: v for k, v in left.items() if k != "NOP"} == {
        k: v for k, v in right.items() if k != "NOP"
    }


def _bound(state: State, candidate: State) -> State:
    """The reference's kernels with whole digests where the candidate has the same."""
    whole: dict[str, str] = {}
    for kernel in candidate.kernels:
        for digest in (kernel.digest, kernel.code.sass, kernel.ptx_digest):
            if digest is not None:
                whole[digest[:DIGITS]] = digest
    kernels = tuple(
        msgspec.structs.replace(
            kernel,
            digest=whole.get(kernel.digest, kernel.digest),
            code=msgspec.structs.replace(kernel.code, sass=_of(whole, kernel.code.sass)),
            ptx_digest=_of(whole, kernel.ptx_digest),
        )
        for kernel in state.kernels
    )
    return msgspec.structs.replace(state, kernels=kernels)


def _of(whole: dict[str, str], digest: str | None) -> str | None:
    return None if digest is None else whole.get(digest, digest)
