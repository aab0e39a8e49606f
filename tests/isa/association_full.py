"""Audits the order of sums in every kernel of folders that hold PTX beside cubins.

    python -m tests.isa.association_full FOLDER...

Prints how many kernels keep the order of their PTX and why others are unknown. Then the PTX of
each that has two additions in a row is changed to add in another order, and its SASS audited
against that: `kept` is wrong there. Exit status 1 if any is, or if an order is said to differ that
nobody changed.
"""

from __future__ import annotations

import hashlib
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from sassay.containers.cubin import read_cubin
from sassay.containers.lines import CubinLines, tables
from sassay.errors import SassayError
from sassay.isa import ptx
from sassay.isa.attribution import sass_lines
from sassay.isa.contraction import Association, Order, associate
from sassay.isa.sass import Disassembler

if TYPE_CHECKING:
    from collections.abc import Iterator

_ADD = re.compile(
    r"\s*(add(?:\.rn)?(?:\.ftz)?\.(?:f32|f64|f16x2|bf16x2)) \t(%\w+), (%\w+), (%\w+);", re.ASCII
)
_WRITES = re.compile(r"\s*(?:@!?%\w+ )?[\w.:]+\s+(\{[^}]*\}|%\w+)", re.ASCII)
_NAME = re.compile(r"%\w+", re.ASCII)


def audited(cubin: bytes, text: str, disassembler: Disassembler) -> Iterator[Association]:
    """What the audit says of each kernel of a cubin whose PTX is given."""
    found = read_cubin(cubin, artifact="cubin")
    module = ptx.read_module(text, artifact="ptx")
    lines = None
    if found.lines is not None:
        lines = CubinLines(*tables(found.lines, artifact="cubin"), {})
    for kernel in found.kernels:
        function = module.entry(kernel.symbol)
        (decoded,) = disassembler.opcodes([(found.arch, bytes(kernel.sass.code))])
        if function is None or decoded is None:
            continue
        count = len(decoded.opcodes)
        yield associate(
            function,
            bytes(kernel.sass.code),
            decoded,
            found.arch,
            ptx=ptx.source_lines(function),
            sass=sass_lines(lines, kernel.symbol, count) if lines is not None else None,
        )


def reordered(text: str) -> str | None:
    """PTX whose first `(x + y) + z` that allows it is `(y + z) + x`; None where there is none."""
    lines = text.split("\n")
    uses = Counter(_NAME.findall(text))
    defined: dict[str, int] = {}
    sums: dict[str, tuple[int, str, str, str]] = {}
    for number, line in enumerate(lines):
        if "bra" in line or ":" in line.split("//")[0]:
            sums.clear()
        if add := _ADD.fullmatch(line):
            opcode, result, first, second = add.groups()
            parts = (first, second)
            for inner, other in (parts, parts[::-1]):
                place, like, one, two = sums.get(inner, (-1, "", "", ""))
                early = defined.get(other, number) < place
                if like == opcode and early and uses[inner] == 2 and other not in {one, two}:
                    lines[place] = f"\t{opcode} \t{inner}, {two}, {other};"
                    lines[number] = f"\t{opcode} \t{result}, {one}, {inner};"
                    return "\n".join(lines)
            if first != second:
                sums[result] = (number, opcode, first, second)
        if write := _WRITES.match(line):
            for name in _NAME.findall(write[1]):
                defined.setdefault(name, number)
    return None


def main(folders: list[str]) -> int:
    """Audit, plant, print."""
    seen: set[bytes] = set()
    natural: Counter[str] = Counter()
    planted: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    times: list[float] = []
    with Disassembler(None) as disassembler:
        for path in sorted(each for name in folders for each in Path(name).rglob("*.cubin")):
            cubin, source = path.read_bytes(), path.with_suffix(".ptx")
            digest = hashlib.sha256(cubin).digest()
            if digest in seen or not source.is_file():
                continue
            seen.add(digest)
            text = source.read_text()
            start = time.process_time()
            try:
                answers = list(audited(cubin, text, disassembler))
            except SassayError as error:
                natural[f"unreadable: {error}"] += 1
                continue
            times.append(time.process_time() - start)
            natural.update(each.order.value for each in answers)
            # Numbers apart, since they are another in each kernel.
            reasons.update(
                re.sub(r"^\d+ ", "", reason) for each in answers for reason in each.reasons
            )
            other = reordered(text)
            if other is None or any(
                each.order is not Order.KEPT or each.by_shape for each in answers
            ):
                continue
            planted.update(each.order.value for each in audited(cubin, other, disassembler))
    times.sort()
    told = [
        f"{sum(natural.values())} kernels: {dict(natural)}",
        f"{times[len(times) // 2] * 1e3:.1f} ms CPU in the middle, reading and parsing included",
        f"{sum(planted.values())} with another order planted: {dict(planted)}",
        *(f"{count:6} {reason}" for reason, count in reasons.most_common()),
    ]
    sys.stdout.write("\n".join(told) + "\n")
    return int(bool(natural[Order.REASSOCIATED.value] or planted[Order.KEPT.value]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
