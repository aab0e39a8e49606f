"""Approximate forms of arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lint.rule import Hit, Level, Options, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.lint.subject import Subject

_FORMS = {
    "approx": "an approximation of a few units in the last place",
    "full": "a division of two units in the last place",
    "ftz": "subnormal numbers become zero",
}


def check(subject: Subject, options: Options) -> Iterator[Hit]:
    """One hit for each instruction that IEEE arithmetic does not decide."""
    del options
    if subject.function is None:
        census = subject.sass.census if subject.sass is not None else {}
        for name, count in census.items():
            if name.startswith("MUFU."):
                # One by one, so that a comparison tells how many are new.
                said = f"`{name}`: an approximation, where no refinement follows"
                yield from [Hit(said, opcode=name)] * count
        return
    for op in subject.ops:
        form = next((word for word in _FORMS if word in op.opcode.words), None)
        if form is not None and subject.runs(op):
            yield Hit(f"`{op.opcode.text}`: {_FORMS[form]}", op)


RULE = Rule(
    id="approximate-math",
    level=Level.INFO,
    check=check,
    default="changed",
    layers=("ptx", "sass"),
)
