"""Digests of a kernel's code by tier: two that agree at a tier differ by no more than it.

They let a text stand for code: what `isa.sass.tier` and `isa.ptx.tier` find by comparing two
kernels follows from their digests, the shallowest that agrees.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sassay.errors import SassayError
from sassay.isa import ptx
from sassay.isa.ptx.normal import code_text
from sassay.isa.ptx.renaming import renamed_text
from sassay.isa.sass.normal import normalize
from sassay.isa.sass.renaming import REGISTER, operands
from sassay.model.layers import Tier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.isa.sass import Disassembler
    from sassay.isa.sass.normal import NormalCode
    from sassay.model.code import CodeStore, SassCode
    from sassay.model.kernel import Kernel

DIGITS = 16
"""Hexadecimal digits of a digest: 64 bits tell a project's kernels apart."""


class TierDigests(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is left of a kernel's code at each tier; None where a layer is not there or not read.

    Attributes:
        layout: SASS without addresses, constant offsets and padding (`relocated`).
        instructions: The same without control codes (`rescheduled`).
        registers: The same with registers numbered by first use (`renamed`).
        ptx: Normal text of the PTX's code (`identical`).
        ptx_names: The same with names numbered by first use (`renamed`).
    """

    layout: str | None = None
    instructions: str | None = None
    registers: str | None = None
    ptx: str | None = None
    ptx_names: str | None = None


def short(text: str | bytes) -> str:
    """The digest of a text."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return hashlib.sha256(data).hexdigest()[:DIGITS]


def tier_digests(
    kernels: Sequence[Kernel], store: CodeStore, disassembler: Disassembler
) -> dict[str, TierDigests]:
    """The digests of kernels' code, by kernel id.

    Args:
        kernels: Whose.
        store: Holds their code.
        disassembler: Prints their registers; without one that knows an architecture `registers`
            is None.
    """
    codes = {
        kernel.id: (code := store.sass(kernel.code.sass), normalize(code))
        for kernel in kernels
        if kernel.code.sass is not None
    }
    by_arch: dict[str, list[NormalCode]] = {}
    for code, normal in codes.values():
        by_arch.setdefault(code.arch, []).append(normal)
    for arch, normals in by_arch.items():
        # One question for all: nvdisasm takes longer to start than to print a kernel.
        with suppress(SassayError):
            disassembler.normal_texts(arch, np.concatenate([each.words for each in normals]))
    return {
        kernel.id: _digests(kernel, codes.get(kernel.id), store, disassembler) for kernel in kernels
    }


def _digests(
    kernel: Kernel,
    sass: tuple[SassCode, NormalCode] | None,
    store: CodeStore,
    disassembler: Disassembler,
) -> TierDigests:
    layout = instructions = registers = None
    if sass is not None:
        code, normal = sass
        what = repr((normal.references, normal.trailing))
        layout = short(normal.words.tobytes() + what.encode())
        instructions = short(normal.unscheduled.tobytes() + what.encode())
        registers = _registers(code, normal, disassembler)
    code_digest = names = None
    entry = _entry(kernel, store)
    if entry is not None:
        code_digest, names = short(code_text(entry)), short(renamed_text(entry))
    return TierDigests(
        layout=layout,
        instructions=instructions,
        registers=registers,
        ptx=code_digest,
        ptx_names=names,
    )


def sass_tier(before: TierDigests, after: TierDigests) -> Tier | None:
    """The SASS tier of two kernels of one multiset of opcodes; None where it is not known.

    Args:
        before: Digests of one side.
        after: Digests of the other.
    """
    for name, tier in (("layout", Tier.RELOCATED), ("instructions", Tier.RESCHEDULED)):
        one, other = getattr(before, name), getattr(after, name)
        if one is None or other is None:
            return None
        if one == other:
            return tier
    if before.registers is None or after.registers is None:
        return None
    return Tier.RENAMED if before.registers == after.registers else Tier.REORDERED


def ptx_tier(before: TierDigests, after: TierDigests) -> Tier | None:
    """The PTX tier of two kernels of one multiset of opcodes; None where it is not known.

    Args:
        before: Digests of one side.
        after: Digests of the other.
    """
    if None in {before.ptx, after.ptx}:
        return None
    if before.ptx == after.ptx:
        return Tier.IDENTICAL
    return Tier.RENAMED if before.ptx_names == after.ptx_names else Tier.REORDERED


def _registers(code: SassCode, normal: NormalCode, disassembler: Disassembler) -> str | None:
    try:
        texts = disassembler.normal_texts(code.arch, normal.words)
    except SassayError:
        return None
    return short(f"{canonical_registers(texts)}\n{normal.references!r}")


def canonical_registers(texts: Sequence[str]) -> str:
    """Printed instructions with the registers of each class numbered in order of first use.

    Two kernels have the same text exactly when `isa.sass.renaming.renamed` holds of them: the
    numbers say that each class maps one to one, and what follows `!` that operands of several
    registers keep their distances wherever those registers are named themselves.

    Args:
        texts: What nvdisasm prints for each instruction.
    """
    plain = [text.replace(".reuse", "") for text in texts]
    numbers: dict[tuple[str, int], int] = {}
    counts: dict[str, int] = {}
    named = [list(operands(text)) for text in plain]
    for row in named:
        for kind, register, _ in row:
            if (kind, register) not in numbers:
                numbers[kind, register] = counts.get(kind, 0)
                counts[kind] = counts.get(kind, 0) + 1
    lines = []
    for text, row in zip(plain, named, strict=True):
        spans = [
            ",".join(str(numbers.get((kind, register + step), "-")) for step in range(1, width))
            for kind, register, width in row
            if width > 1
        ]
        places = " ".join(str(numbers[kind, register]) for kind, register, _ in row)
        shape = REGISTER.sub(r"\1\3", text)
        lines.append(f"{shape}|{places}!{';'.join(spans)}")
    return "\n".join(lines)


def _entry(kernel: Kernel, store: CodeStore) -> ptx.PtxFunction | None:
    if kernel.code.ptx is None:
        return None
    try:
        module = ptx.read_module(store.ptx(kernel.code.ptx), artifact=kernel.symbol)
    except SassayError:
        return None
    return next((entry for entry in module.entries if entry.name == kernel.symbol), None)
