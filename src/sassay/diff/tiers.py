"""How deep the change between two kernels goes, layer by layer.

What a digest or a census already tells is never read from the store: equal digests are
`identical`, and censuses that differ in more than padding are `recomposed`. Only kernels of the
same multiset of opcodes have their code compared.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from sassay.capture.store import CodeArchive
from sassay.errors import SassayError
from sassay.isa import ptx, sass
from sassay.model.layers import Layer, Tier

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sassay.diff.memo import TierMemo
    from sassay.model.code import CodeStore
    from sassay.model.kernel import Census, Kernel

_MAX_MODULES = 32
_PADDING = "NOP"


class Depth(msgspec.Struct, frozen=True):
    """How deep a change goes.

    Attributes:
        tier: Tier of the deciding layer: SASS, or PTX where it stands alone; None if unknown.
        ptx_tier: Tier of the PTX, None where a side has none.
        notes: Why a tier is unknown.
    """

    tier: Tier | None
    ptx_tier: Tier | None
    notes: tuple[str, ...] = ()


IDENTICAL = Depth(Tier.IDENTICAL, Tier.IDENTICAL)


class TierJudge:
    """Finds the tiers of pairs of kernels, each pair of digests once.

    Args:
        store: Where the code is.
        disassembler: Reads SASS; only asked where the code itself must be compared.
        memo: What earlier pairs, and earlier runs, found.
    """

    def __init__(self, store: CodeStore, disassembler: sass.Disassembler, memo: TierMemo) -> None:
        self._store = store
        self._disassembler = disassembler
        self._memo = memo
        self._modules: OrderedDict[str, ptx.Module] = OrderedDict()

    def depth(self, before: Kernel, after: Kernel) -> Depth:
        """The tiers of two kernels.

        Code that cannot be read (no disassembler knows the architecture, the store lost it)
        gives a tier of None and a note, never an error.
        """
        notes: list[str] = []
        ptx_tier = self._ptx(before, after, notes)
        if _is_ptx(before) and _is_ptx(after):
            if before.digest == after.digest:
                return IDENTICAL
            return Depth(ptx_tier, ptx_tier, tuple(notes))
        return Depth(self._sass(before, after, notes), ptx_tier, tuple(notes))

    def prepare(self, pairs: Iterable[tuple[Kernel, Kernel]]) -> None:
        """Have the code at hand that will be compared, each file of it read once and in order.

        Args:
            pairs: All pairs whose depth will be asked for.
        """
        if not isinstance(self._store, CodeArchive):
            return
        wanted: list[str] = []
        for before, after in pairs:
            one, other = before.code.sass, after.code.sass
            left, right = before.instructions.sass, after.instructions.sass
            if (
                before.digest != after.digest
                and one is not None
                and other is not None
                and one != other
                and left is not None
                and right is not None
                and _without_padding(left) == _without_padding(right)
                and self._memo.get(Layer.SASS, one, other) is None
            ):
                wanted += (one, other)
        self._store.prefetch(wanted)

    def layer(self, layer: Layer, before: Kernel, after: Kernel) -> Tier | None:
        """The tier of one layer, None where it cannot be compared."""
        return (self._ptx if layer is Layer.PTX else self._sass)(before, after, [])

    def _sass(self, before: Kernel, after: Kernel, notes: list[str]) -> Tier | None:
        one, other = before.code.sass, after.code.sass
        if before.digest == after.digest or (one is not None and one == other):
            return Tier.IDENTICAL
        left, right = before.instructions.sass, after.instructions.sass
        if left is None or right is None:
            notes.append(_why_unknown(before if left is None else after))
            return None
        if _without_padding(left) != _without_padding(right):
            return Tier.RECOMPOSED
        if one is None or other is None:
            notes.append("same opcodes, but a side's code is not at hand to compare further")
            return None
        known = self._memo.get(Layer.SASS, one, other)
        if known is not None:
            return known
        try:
            tier = sass.tier(self._store.sass(one), self._store.sass(other), self._disassembler)
        except SassayError as error:
            notes.append(f"same opcodes, but the SASS cannot be compared: {error}")
            return None
        self._memo.put(Layer.SASS, one, other, tier)
        return tier

    def _ptx(self, before: Kernel, after: Kernel, notes: list[str]) -> Tier | None:
        one, other = before.ptx_digest, after.ptx_digest
        if one is None or other is None:
            return None
        if one == other:
            return Tier.IDENTICAL
        left, right = before.instructions.ptx, after.instructions.ptx
        if left is not None and right is not None and dict(left) != dict(right):
            return Tier.RECOMPOSED
        known = self._memo.get(Layer.PTX, one, other)
        if known is not None:
            return known
        try:
            tier = ptx.tier(self._entry(before), self._entry(after))
        except SassayError as error:
            notes.append(f"the PTX differs, but cannot be compared: {error}")
            return None
        self._memo.put(Layer.PTX, one, other, tier)
        return tier

    def _entry(self, kernel: Kernel) -> ptx.PtxFunction:
        """The PTX entry of a kernel; the last modules that were parsed are kept."""
        digest = kernel.code.ptx
        if digest is None:
            raise SassayError("its text is not at hand", artifact=kernel.symbol)
        module = self._modules.get(digest)
        if module is None:
            module = ptx.read_module(self._store.ptx(digest), artifact=kernel.symbol)
            self._modules[digest] = module
            if len(self._modules) > _MAX_MODULES:
                self._modules.popitem(last=False)
        for entry in module.entries:
            if entry.name == kernel.symbol:
                return entry
        raise SassayError("its module has no such entry", artifact=kernel.symbol)


def _is_ptx(kernel: Kernel) -> bool:
    """PTX that stands alone has neither SASS nor a code section."""
    return kernel.code_bytes is None and kernel.instructions.sass is None


def _without_padding(census: Census) -> dict[str, int]:
    return {opcode: count for opcode, count in census.items() if opcode != _PADDING}


def _why_unknown(kernel: Kernel) -> str:
    if kernel.code_bytes is None:
        return "a side has PTX only: there is no SASS to compare"
    return f"the code differs, but no disassembler here reads {kernel.arch}: tier unknown"
