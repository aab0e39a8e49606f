"""Lints states and counts what each rule finds; times it.

Every rule runs, those that are off by default too, so that the pages of the rules can say how
often each fires on code that is known to be good. With `--show RULE` the places of one rule are
printed, to be read by eye.

Usage: python -m bench.lint STATE... [--arch GLOB] [--show RULE] [--every N]
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from sassay.capture import CodeArchive, cache_dir, open_state
from sassay.isa.sass import Disassembler
from sassay.lint import RULE_IDS, Linter, Profile, find_rule

if TYPE_CHECKING:
    from sassay.model.finding import Finding, Judged
    from sassay.model.kernel import Kernel


def lint(spec: str, archs: tuple[str, ...], rules: tuple[str, ...]) -> tuple[list[Kernel], Judged]:
    """The kernels of a state, and what the rules say of them.

    Args:
        spec: A capture or any input.
        archs: Architecture globs to keep.
        rules: Which rules.
    """
    store, disassembler = CodeArchive(), Disassembler(cache_dir())
    try:
        state = open_state(
            spec, label=spec, store=store, disassembler=disassembler, arch_globs=archs
        )
        linter = Linter(store, disassembler, Profile(select=rules))
        start = time.process_time()
        judged = linter.run(state.kernels)
        seconds = time.process_time() - start
    finally:
        disassembler.close()
        store.close()
    total = sum(sum((kernel.instructions.ptx or {}).values()) for kernel in state.kernels)
    print(
        f"{spec}: {len(state.kernels):,} kernels, {total:,} PTX instructions, "
        f"{len(rules)} rules, {seconds:.2f} s of processor time"
    )
    return list(state.kernels), judged


def table(kernels: list[Kernel], judged: Judged) -> str:
    """What each rule found: families, kernels, instructions."""
    families = len({kernel.family for kernel in kernels})
    title = f"of {families} families"
    rows = [f"{'rule':24} {'default':8} {title:>16} {'kernels':>8} {'places':>8}"]
    for name in RULE_IDS:
        mine = [each for each in judged.findings if each.rule == name]
        hit = len({id_ for each in mine for id_ in each.kernels})
        rule = find_rule(name)
        when = "on" if rule.default == "always" else rule.default
        rows.append(
            f"{name:24} {when:8} {len({each.family for each in mine}):16,} {hit:8,} "
            f"{sum(each.count for each in mine):8,}"
        )
    unread = [each.message for each in judged.diagnostics]
    return "\n".join(rows + [f"not judged: {message}" for message in unread])


def places(findings: tuple[Finding, ...], every: int) -> str:
    """Places of findings, one in so many, with the instruction and what is said of it."""
    lines = []
    for finding in findings:
        for place in finding.places:
            spot = f"{place.location.file}:{place.location.line}  " if place.location else ""
            lines.append(f"{finding.family}  {spot}ptx {place.offset}")
            lines += [f"    {place.text}", f"    {place.message}"]
    lines = ["\n".join(lines[at : at + 3]) for at in range(0, len(lines), 3)]
    return "\n".join(lines[::every])


def main() -> int:
    """Lint every state and print a table each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("states", nargs="+", metavar="STATE")
    parser.add_argument("--arch", action="append", default=[], metavar="GLOB")
    parser.add_argument("--show", choices=RULE_IDS, help="print this rule's places")
    parser.add_argument("--every", type=int, default=1, help="print one place in so many")
    args = parser.parse_args()
    rules = (args.show,) if args.show else RULE_IDS
    for spec in args.states:
        kernels, judged = lint(spec, tuple(args.arch), rules)
        print(places(judged.findings, args.every) if args.show else table(kernels, judged))
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
