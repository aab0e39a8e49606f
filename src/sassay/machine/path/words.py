"""A numeric path in a kernel author's words."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sassay.model.numeric_path import Level, NumericPath, Reduction, Rounding

_STEPS = {"sum": "adds", "maximum": "comparisons", "minimum": "comparisons"}


def describe_path(path: NumericPath) -> tuple[str, ...]:
    """Lines that say how each output is computed.

    Args:
        path: Of a kernel.
    """
    lines: list[str] = []
    for output in path.outputs:
        lines.append(f"{short(output.name)} = {output.formula}")
        lines += [f"  {describe_reduction(each)}" for each in output.reductions]
        lines += [f"  {describe_rounding(each)}" for each in output.roundings]
        if output.fused:
            lines.append(f"  {_count(output.fused, 'fused multiply-add')} outside of reductions")
        if output.approximations:
            listed = ", ".join(
                form if count == 1 else f"{count} {form}"
                for form, count in output.approximations.items()
            )
            lines.append(f"  approximate: {listed}")
    lines.append(f"seen in a launch of {path.launch}")
    lines += [f"note: {each}" for each in path.caveats]
    return tuple(lines)


def short(name: str) -> str:
    """A parameter's name without what only says that it is a pointer."""
    return name.removesuffix("_ptr") or name


def describe_reduction(reduction: Reduction) -> str:
    """One reduction: what, in which type, of how many terms, in which stages."""
    kind = reduction.operation.rsplit(".", 1)[-1]
    fused = ", products fused" if reduction.fused else ""
    return (
        f"{title(reduction)} in {kind}, {reduction.terms} terms{fused}: "
        f"{describe_levels(reduction)}"
    )


def title(reduction: Reduction) -> str:
    """What a reduction is called."""
    return f"{reduction.what} of {reduction.term}"


def describe_levels(reduction: Reduction) -> str:
    """The stages of a reduction, in order."""
    parts: list[str] = []
    for at, level in enumerate(reduction.levels):
        parts.append(_level(level, reduction, first=at == 0))
    return ", then ".join(parts) or "nothing to join"


def _level(level: Level, reduction: Reduction, *, first: bool) -> str:
    if level.kind == "serial":
        apart = ""
        if first and reduction.spacing:
            step = abs(reduction.spacing)
            apart = " of neighbours" if step == 1 else f" of elements {step} apart"
        return f"{level.width} {'terms' if first else 'values'} in a row{apart}"
    if level.kind == "pairwise":
        return f"{level.width} pairwise in a thread"
    if level.kind == "shuffle":
        offsets = list(level.offsets)
        halved = all(a == 2 * b for a, b in itertools.pairwise(offsets))
        if halved and len(offsets) > 2:
            return f"shuffles {offsets[0]}..{offsets[-1]}"
        return f"shuffles {' '.join(str(each) for each in offsets)}"
    if level.kind == "shared":
        if level.width == 1:
            return "one value a lane through shared memory"
        return f"{level.width} values in a row through shared memory"
    if level.kind == "atomics":
        return f"{level.width} values by atomics"
    return f"{level.width} partial results of unlike size"


def describe_rounding(rounding: Rounding) -> str:
    """One rounding point."""
    return f"{rounding_title(rounding)} ({rounding.operation})"


def rounding_title(rounding: Rounding) -> str:
    """Where a rounding is."""
    if rounding.then == "store":
        return f"{rounding.to.upper()} rounding before the store"
    return f"{rounding.to.upper()} rounding of {rounding.what} before {_use(rounding.then)}"


def _use(operation: str) -> str:
    base = operation.split(".", 1)[0]
    return {
        "mul": "a product", "add": "a sum", "sub": "a difference", "fma": "a multiply-add",
        "div": "a division", "cvt": "another conversion", "setp": "a comparison",
        "if": "a selection", "ex2": "an exponential",
    }.get(base, f"the {base}" if base in {"sum", "maximum", "minimum"} else base)  # fmt: skip


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("s" if number != 1 else "")
