"""Shared-memory addresses held in 64-bit registers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lint.rule import Hit, Level, Options, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.lint.program import Address, Op
    from sassay.lint.subject import Subject

_WIDE = 64


def shared_addresses(op: Op) -> Iterator[Address]:
    """The addresses of an instruction that lie in shared memory."""
    spaces = [word.split("::")[0] for word in op.opcode.words]
    spaces = [word for word in spaces if word in {"shared", "global", "local", "param", "const"}]
    for space, address in zip(spaces, op.addresses, strict=False):
        if space == "shared":
            yield address


def check(subject: Subject, options: Options) -> Iterator[Hit]:
    """One hit for each instruction that reaches shared memory through a 64-bit register."""
    del options
    widths = subject.program.widths
    for op in subject.ops:
        if op.addresses and any(
            widths.get(address.base) == _WIDE for address in shared_addresses(op)
        ):
            yield Hit(f"`{op.opcode.text}` takes its address from a 64-bit register", op)


RULE = Rule(
    id="shared-address-64bit",
    level=Level.REVIEW,
    check=check,
)
