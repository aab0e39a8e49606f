"""Where the position of a store comes from: a pointer that is read, or a parameter."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from sassay.lint.access import global_loads, global_writes
from sassay.lint.rule import Hit, Level, Options, Rule, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.lint.program import Op
    from sassay.lint.subject import Subject

ANY, DIRECT, INDIRECT = "any", "direct", "indirect"


def check(subject: Subject, options: Options) -> Iterator[Hit]:
    """One hit for each write, and each position that is read and goes elsewhere."""
    if not subject.named(options.text("kernels")):
        return
    expect = options.text("expect")
    found = [*_writes(subject, options), *_reads(subject, options)]
    if expect == ANY:
        for op, kind, how in found:
            yield Hit(f"{how}: {kind}", op, records=True)
        return
    if expect == DIRECT:
        for op, kind, how in found:
            if kind.startswith(INDIRECT):
                yield Hit(f"{how}: {kind}, expected direct", op)
    elif not any(kind.startswith(INDIRECT) for _, kind, _ in found):
        yield Hit("no position is read through a pointer, expected indirect")


def _writes(subject: Subject, options: Options) -> Iterator[tuple[Op, str, str]]:
    dependence = subject.dependence
    for op in global_writes(subject):
        address = subject.values.address(op)
        if address < 0:
            continue
        loaded = [
            name
            for name in dependence.loaded(dependence.near[address])
            if _wanted(subject, name, options)
        ]
        how = f"`{op.opcode.head}` through `{subject.pointer(address)}`"
        yield op, _kind(subject, loaded, address), how


def _reads(subject: Subject, options: Options) -> Iterator[tuple[Op, str, str]]:
    """Loads through a pointer that is named as a position; the address of no write shows them."""
    if options.text("parameters") == "*":
        return
    for op in global_loads(subject):
        address = subject.values.address(op)
        if address < 0:
            continue
        names = [
            name for name in subject.dependence.pointers(address) if _wanted(subject, name, options)
        ]
        if names:
            yield op, _kind(subject, names, address), f"`{op.opcode.head}`"


def _wanted(subject: Subject, name: str, options: Options) -> bool:
    shown = subject.parameters.get(name, name).lower()
    return any(fnmatchcase(shown, glob.lower()) for glob in options.text("parameters").split())


def _kind(subject: Subject, loaded: list[str], address: int) -> str:
    if not loaded:
        names = subject.dependence.scalars(address)
        shown = ", ".join(f"`{subject.parameters.get(name, name)}`" for name in names)
        return f"{DIRECT}, from {shown}" if shown else DIRECT
    shown = ", ".join(f"`{subject.parameters.get(name, name)}`" for name in loaded)
    return f"{INDIRECT}, read through {shown}"


RULE = Rule(
    id="position-source",
    level=Level.REVIEW,
    check=check,
    default="asked",
    settings=(
        Setting("kernels", "*", "globs of the kernels that are looked at"),
        Setting("expect", ANY, "where positions should come from", (ANY, DIRECT, INDIRECT)),
        Setting("parameters", "*", "globs of the pointers that hold positions"),
    ),
)
