"""What ptxas made of a kernel's float arithmetic, and its facts; kept between runs."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from sassay.containers.lines import CubinLines, tables
from sassay.errors import SassayError
from sassay.isa import ptx
from sassay.isa.attribution import sass_lines
from sassay.isa.contraction import (
    Association,
    Audit,
    Contracted,
    Order,
    associate,
    audit,
)
from sassay.model.fact import Fact
from sassay.sources.record_cache import RecordCache, analysis_folder

if TYPE_CHECKING:
    from pathlib import Path

    from sassay.capture.store import CodeArchive
    from sassay.isa.attribution import LayerLines
    from sassay.isa.contraction import Fused, Reassociated
    from sassay.isa.sass import Disassembler
    from sassay.model.kernel import Kernel

CONTRACTION = "fp_contraction"
"""Fact: `fused`, `as written`, `pinned` or `unknown`."""
CONTRACTED = "fp_contracted"
"""Fact: how many products and sums of the PTX ptxas fused; absent where that is not known."""
WRITTEN = "fp_written"
"""Fact: whether the PTX itself fuses products and sums: `fused`, `apart`, `both` or `neither`."""

ASSOCIATION = "fp_association"
"""Fact: whether ptxas kept the order of sums and products: `kept`, `re-associated`, `unknown`."""
REASSOCIATED = "fp_reassociated"
"""Fact: how many sums ptxas adds in another order; absent where that is not known."""

_SHOWN = 12


class Audited(msgspec.Struct, frozen=True):
    """Both halves of the audit of one kernel.

    Attributes:
        contraction: Which products and sums were fused.
        association: Whether their order was kept.
    """

    contraction: Audit
    association: Association


class ContractionAudits:
    """Audits kernels, each different code once.

    Args:
        store: Where code and line tables are.
        disassembler: Reads SASS.
        folder: Where answers are kept; None keeps none.
    """

    def __init__(
        self, store: CodeArchive, disassembler: Disassembler, folder: Path | None = None
    ) -> None:
        self._store = store
        self._disassembler = disassembler
        self._records = RecordCache(folder or analysis_folder(), "contraction", Audited)
        self._known: dict[str, Audited | None] = {}

    def audit(self, kernel: Kernel) -> Audited | None:
        """What ptxas made of a kernel's products and sums.

        Args:
            kernel: Which kernel.

        Returns:
            None where the input holds only one layer, or one that cannot be read.
        """
        if kernel.code.ptx is None or kernel.code.sass is None:
            return None
        named = (kernel.symbol, kernel.code.ptx, kernel.code.sass, kernel.code.lines or "")
        key = hashlib.sha256("\0".join(named).encode()).hexdigest()
        if key not in self._known:
            found = self._records.load(key)
            if found is None:
                try:
                    found = self._read(kernel, kernel.code.ptx, kernel.code.sass)
                except SassayError:
                    # Whoever asks for the code itself is told; here it is evidence that is missing.
                    found = None
                if found is not None:
                    self._records.save(key, found)
            self._known[key] = found
        return self._known[key]

    def facts(self, kernel: Kernel) -> dict[str, Fact]:
        """The facts of a kernel, none where it cannot be audited."""
        found = self.audit(kernel)
        if found is None:
            return {}
        fused, order = found.contraction, found.association
        facts = {CONTRACTION: Fact(fused.contracted.value, _detail(fused))}
        if fused.contracted is not Contracted.UNKNOWN and all(each.ptx for each in fused.fused):
            facts[CONTRACTED] = Fact(sum(each.instructions for each in fused.fused))
        facts[WRITTEN] = Fact(_written(fused))
        facts[ASSOCIATION] = Fact(order.order.value, _order(order))
        if order.order is not Order.UNKNOWN:
            facts[REASSOCIATED] = Fact(len(order.reassociated))
        return facts

    def _read(self, kernel: Kernel, ptx_ref: str, sass_ref: str) -> Audited | None:
        module = ptx.read_module(self._store.ptx(ptx_ref), artifact=kernel.name)
        function = module.entry(kernel.symbol)
        code = self._store.sass(sass_ref)
        (decoded,) = self._disassembler.opcodes([(code.arch, code.code)])
        if function is None or decoded is None:
            return None
        lines: LayerLines | None = None
        if kernel.code.lines is not None:
            source, by_ptx = tables(self._store.lines(kernel.code.lines), artifact=kernel.name)
            found = CubinLines(source, by_ptx, {})
            lines = sass_lines(found, kernel.symbol, len(decoded.opcodes))
        places = ptx.source_lines(function)
        text = bytes(code.code)
        return Audited(
            audit(function, text, decoded, ptx=places, sass=lines),
            associate(function, text, decoded, code.arch, ptx=places, sass=lines),
        )


def _written(found: Audit) -> str:
    sums = any(opcode.startswith(("add", "sub")) for opcode in (*found.may, *found.pinned))
    if found.written:
        return "both" if sums else "fused"
    return "apart" if sums else "neither"


def _detail(found: Audit) -> tuple[str, ...]:
    """What a reader opens: what was fused and where, what might have been, what that rests on."""
    lines = [_fused(each) for each in found.fused[:_SHOWN]]
    if len(found.fused) > _SHOWN:
        lines.append(f"{len(found.fused) - _SHOWN} more places like these")
    lines += [f"{count} {opcode} split in two" for opcode, count in found.split.items()]
    for counts, words in (
        (found.undecided, "may be either"),
        (found.may, "ptxas may contract"),
        (found.pinned, "have a rounding modifier"),
        (found.written, "fused in the PTX"),
    ):
        if counts:
            listed = ", ".join(f"{count} {opcode}" for opcode, count in counts.items())
            lines.append(f"{words}: {listed}")
    if found.fused or found.undecided:
        lines.append(f"told by {found.basis.value}")
    return tuple(lines)


def _fused(each: Fused) -> str:
    what = (
        f"{each.count} {each.sass} for {each.instructions} {each.ptx}"
        if each.ptx
        else (f"{each.count} {each.sass} where the PTX has none")
    )
    if each.location is None:
        return what
    return f"{what}, {each.location.file.rpartition('/')[2]}:{each.location.line}"


def _order(found: Association) -> tuple[str, ...]:
    """What a reader opens: which sums, or why it is not known, and what that rests on."""
    lines = [_moved(each) for each in found.reassociated[:_SHOWN]]
    if len(found.reassociated) > _SHOWN:
        lines.append(f"{len(found.reassociated) - _SHOWN} more sums like these")
    lines += found.reasons
    if found.by_shape:
        lines.append("told by the shapes of sums, without a line table")
    elif found.checked:
        lines.append(f"{found.checked} sums and products have the operands that the PTX gives them")
    return tuple(lines)


def _moved(each: Reassociated) -> str:
    what = f"a sum of {each.terms} {each.precision} terms"
    if each.location is not None:
        what += f", {each.location.file.rpartition('/')[2]}:{each.location.line}"
    return f"{what}: {each.ptx} became {each.sass}" if each.ptx else what
