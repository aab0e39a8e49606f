"""Two numeric paths compared, in a kernel author's words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sassay.machine.path.words import (
    abbreviate,
    describe_join,
    describe_levels,
    describe_order,
    describe_steps,
    describe_unit,
    product_title,
    rounding_title,
    short,
    title,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sassay.model.numeric_path import (
        NumericPath,
        OutputPath,
        Product,
        Reduction,
        Rounding,
    )


def compare_paths(before: NumericPath, after: NumericPath) -> tuple[str, ...]:
    """What moved, one line each; empty if equal bits are proven.

    Args:
        before: Of one state's kernel.
        after: Of the other's.
    """
    if before.digest == after.digest:
        return ()
    old = {each.name: each for each in before.outputs}
    new = {each.name: each for each in after.outputs}
    lines: list[str] = []
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            lines.append(f"{short(name)}: no longer written")
        elif name not in old:
            lines.append(f"{short(name)}: now written, as {new[name].formula}")
        elif old[name].digest != new[name].digest:
            found = [f"{short(name)}: {each}" for each in _output(old[name], new[name])]
            found = found or [f"{short(name)}: {_same_shape(before, after)}"]
            lines += abbreviate(found, [old[name], new[name]])
    return tuple(lines)


def _same_shape(before: NumericPath, after: NumericPath) -> str:
    if before.launch != after.launch:
        return f"not comparable: seen in launches of {before.launch} and of {after.launch}"
    return (
        "the same steps on elements in another order: "
        "other elements meet in a thread, a shuffle or a product"
    )


def _place(rounding: Rounding) -> tuple[str, ...]:
    """What makes two roundings the same: at the store, whatever is stored."""
    if rounding.then == "store":
        return (rounding.to, "store")
    return (rounding.to, rounding.what, rounding.then)


def _output(old: OutputPath, new: OutputPath) -> Iterator[str]:
    if old.formula != new.formula:
        yield f"was {old.formula}; now {new.formula}"
    yield from _products(old, new)
    yield from _reductions(old, new)
    yield from _roundings(old, new)
    gone, come = _moved(old.approximations, new.approximations)
    if gone and come:
        yield f"{_listed(come)} in place of {_listed(gone)}"
    elif come:
        yield f"{_listed(come)} is new"
    elif gone:
        yield f"{_listed(gone)} is gone"
    if old.fused != new.fused:
        yield f"{new.fused} fused multiply-adds outside of reductions, were {old.fused}"
    lost, got = _moved(Counter(old.constants), Counter(new.constants))
    if lost or got:
        parts = [f"{_listed(got)} is new"] if got else []
        parts += [f"{_listed(lost)} is gone"] if lost else []
        yield f"the constant {', '.join(parts)}"


def _moved(old: Mapping[str, int], new: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    before, after = Counter(old), Counter(new)
    return dict(before - after), dict(after - before)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(form if count == 1 else f"{count} {form}" for form, count in counts.items())


def _products(old: OutputPath, new: OutputPath) -> Iterator[str]:
    left = list(new.products)
    for before in old.products:
        after = next((each for each in left if product_title(each) == product_title(before)), None)
        if after is None and len(old.products) == len(new.products) == 1:
            after = left[0]
        if after is None:
            yield f"the {product_title(before)} is gone"
            continue
        left.remove(after)
        for line in _product(before, after):
            yield f"the {product_title(before)}: {line}"
    for each in left:
        yield f"the {product_title(each)} is new: {describe_steps(each)}"


def _product(old: Product, new: Product) -> Iterator[str]:
    if product_title(old) != product_title(new):
        yield f"is now the {product_title(new)}"
    units = f" ({old.unit} -> {new.unit})" if old.unit != new.unit else ""
    if old.k != new.k:
        yield f"k per instruction {old.k} -> {new.k}{units}"
    elif units:
        yield f"{describe_unit(old)} -> {describe_unit(new)}"
    if old.accumulator != new.accumulator:
        yield f"accumulator {old.accumulator} -> {new.accumulator}"
    if old.types != new.types:
        yield f"factors {' x '.join(old.types)} -> {' x '.join(new.types)}"
    if old.gpu != new.gpu:
        yield f"summed as on {old.gpu or 'every GPU'} -> as on {new.gpu or 'every GPU'}"
    if old.start != new.start:
        yield f"started from {old.start or 'zero'}; now from {new.start or 'zero'}"
    yield from _joined(old, new)
    if old.order != new.order:
        yield describe_order(new) if new.order else f"k ascends; {describe_order(old)} before"


def _joined(old: Product, new: Product) -> Iterator[str]:
    if old.joined == new.joined:
        if old.factor != new.factor:
            yield f"multiplied by {old.factor}; now by {new.factor}"
        if old.tiles != new.tiles and sum(old.tiles) * old.k == sum(new.tiles) * new.k:
            if len(old.tiles) != len(new.tiles):
                yield f"in {_stretches(old)}; now in {_stretches(new)}"
        elif old.tiles != new.tiles:
            yield f"k = {old.k * sum(old.tiles)} -> {new.k * sum(new.tiles)} in the launches seen"
        return
    if old.joined and not new.joined:
        yield f"no longer {'; '.join(describe_join(old))}"
    elif new.joined:
        yield f"now {'; '.join(describe_join(new))}"


def _stretches(product: Product) -> str:
    count = len(product.tiles)
    return f"{count} stretch{'es' if count != 1 else ''} of {product.tiles[0]} steps"


def shape_differences(small: NumericPath, large: NumericPath) -> tuple[str, ...]:
    """What differs between two launches of one kernel, beyond counts and sizes."""
    old = {each.name: each for each in small.outputs}
    lines: list[str] = []
    for output in large.outputs:
        before = old.get(output.name)
        if before is None:
            lines.append(f"{short(output.name)} is written, as {output.formula}")
            continue
        found = list(_roundings(before, output))
        if _stages(before) != _stages(output):
            found += [each for each in _reductions(before, output) if "terms; now" not in each]
        if not found and sorted(before.approximations) != sorted(output.approximations):
            found = [f"it is {output.formula}"]
        lines += [f"{short(output.name)}: {each}" for each in found]
    return tuple(lines)


def _stages(output: OutputPath) -> object:
    return [
        (each.what, each.operation, each.fused, [level.kind for level in each.levels])
        for each in output.reductions
    ]


def _reductions(old: OutputPath, new: OutputPath) -> Iterator[str]:
    left = list(new.reductions)
    for before in old.reductions:
        after = next((each for each in left if title(each) == title(before)), None)
        if after is None and len(old.reductions) == len(new.reductions) == 1:
            after = left[0]
        if after is None:
            yield f"the {title(before)} is gone"
            continue
        left.remove(after)
        if before != after:
            yield from _reduction(before, after)
    for each in left:
        yield f"the {title(each)} is new: {describe_levels(each)}"


def _reduction(old: Reduction, new: Reduction) -> Iterator[str]:
    name = f"the {title(old)}"
    if title(old) != title(new):
        yield f"{name} is now the {title(new)}"
    if old.operation != new.operation:
        yield f"{name} was made by {old.operation}; now by {new.operation}"
    if old.fused != new.fused:
        yield (
            f"the products of {name} are {'now' if new.fused else 'no longer'} fused "
            f"into it, so that each is rounded {'once' if new.fused else 'by itself'}"
        )
    if old.terms != new.terms:
        yield f"{name} had {old.terms} terms; now {new.terms}"
    was, now = describe_levels(old), describe_levels(new)
    if was != now:
        yield f"{name} was {was}; now it is {now}"


def _roundings(old: OutputPath, new: OutputPath) -> Iterator[str]:
    before = {_place(each): each for each in old.roundings}
    after = {_place(each): each for each in new.roundings}
    gone = [each for key, each in before.items() if key not in after]
    come = [each for key, each in after.items() if key not in before]
    for each in gone:
        yield f"the {rounding_title(each)} is gone"
    for each in come:
        yield f"a {rounding_title(each)} is new"
