"""Two numeric paths compared, in a kernel author's words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sassay.machine.path.words import describe_levels, rounding_title, short, title

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.model.numeric_path import NumericPath, OutputPath, Reduction, Rounding


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
            lines += found or [f"{short(name)}: {_same_shape(before, after)}"]
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


def _moved(old: object, new: object) -> tuple[dict[str, int], dict[str, int]]:
    before, after = Counter(old), Counter(new)  # type: ignore[call-overload] # counts or names
    return dict(before - after), dict(after - before)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(form if count == 1 else f"{count} {form}" for form, count in counts.items())


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
