"""A numeric path in a kernel author's words."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from sassay.machine.path.abbreviate import abbreviated

if TYPE_CHECKING:
    from sassay.model.numeric_path import (
        Level,
        NumericPath,
        OutputPath,
        Product,
        Reduction,
        Rounding,
    )

_STEPS = {"sum": "adds", "maximum": "comparisons", "minimum": "comparisons"}


def describe_path(path: NumericPath) -> tuple[str, ...]:
    """Lines that say how each output is computed.

    Args:
        path: Of a kernel.
    """
    lines: list[str] = []
    for output in path.outputs:
        lines += _output(output)
    lines.append(f"seen in a launch of {path.launch}")
    lines += [f"note: {each}" for each in path.caveats]
    return tuple(lines)


def _output(output: OutputPath) -> list[str]:
    lines = [f"{short(output.name)} = {output.formula}"]
    lines += [f"  {describe_product(each)}" for each in output.products]
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
    first, *rest = abbreviate(lines, [output])
    return [first, *rest]


def abbreviate(lines: list[str], outputs: list[OutputPath]) -> list[str]:
    """Lines about some outputs with short names for their long terms, explained after the first."""
    if not lines:
        return lines
    terms = [each.term for output in outputs for each in output.reductions]
    terms += [each.left for output in outputs for each in output.products]
    words = {word for line in lines for word in _WORD.findall(line)}
    found, meanings = abbreviated(lines, sorted(terms, key=len), words)
    if meanings:
        found.insert(1, f"  with {', '.join(meanings)}")
    return found


_WORD = re.compile(r"\w+")


def describe_product(product: Product) -> str:
    """One dot product: of what, how long, in which steps, of which types."""
    total = product.k * sum(product.tiles)
    return f"{product_title(product)}: k = {total} in {describe_steps(product)}"


def product_title(product: Product) -> str:
    """What a dot product is called."""
    return f"dot product of {product.left} and {product.right}"


def describe_steps(product: Product) -> str:
    """The steps of a dot product, and how they are joined."""
    parts = [f"{_steps(product)} of {describe_unit(product)}"]
    if sum(product.tiles) > len(product.tiles):
        parts[0] += ", one after another"
    if product.start:
        parts.append(f"onto {product.start}")
    parts += describe_join(product)
    if product.order:
        parts.append(describe_order(product))
    return "; ".join(parts)


def _steps(product: Product) -> str:
    tiles = product.tiles
    if len(tiles) == 1:
        return _count(tiles[0], "step")
    if len(set(tiles)) == 1:
        return f"{len(tiles)} tiles of {_count(tiles[0], 'step')}"
    return " + ".join(str(each) for each in tiles) + " steps"


def describe_unit(product: Product) -> str:
    """The instruction: which, of which types."""
    types = " x ".join(product.types)
    return f"{product.unit} {product.shape} ({types}, {product.accumulator} accumulate)"


def describe_join(product: Product) -> list[str]:
    """How stretches of steps are joined; empty if there is one only."""
    count = len(product.tiles)
    if product.joined == "rescaled":
        return [f"before each next tile the sum is multiplied by {product.factor}"]
    if product.joined == "added":
        return ["each tile's sum is added to the others in f32, outside of the matrix unit"]
    if product.joined == "scaled":
        return [f"each tile's sum is multiplied by {product.factor} and then added in f32"]
    if product.joined == "atomics":
        return [f"split over {count} blocks, joined by atomics"]
    return []


def describe_order(product: Product) -> str:
    """In which order the steps take k."""
    return f"k is taken in the order {' '.join(str(each) for each in product.order)}"


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
    if level.kind == "rescaled":
        return (
            f"{level.width} tiles in a row, the sum multiplied by {reduction.factor} "
            "before each next one"
        )
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
        "dot product": "a dot product",
    }.get(base, f"the {base}" if base in {"sum", "maximum", "minimum"} else base)  # fmt: skip


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("s" if number != 1 else "")
