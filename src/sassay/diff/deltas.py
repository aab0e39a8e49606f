"""What moved between two kernels, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.model.change import Deltas, Moved
from sassay.model.kernel import Census, Kernel, Launch, Resources
from sassay.model.layers import Layered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sassay.model.artifact import Scalar

RESOURCES: tuple[str, ...] = Resources.__struct_fields__

# A change of these changes how a launch runs, whatever the code says. Constant bank 0 holds the
# parameters and its size follows the driver's ABI; spills follow from the code itself.
_LAUNCH_RESOURCES = ("registers", "shared_bytes", "stack_bytes", "local_bytes", "barriers")

# Front ends' metadata that a launch reads (Triton's names, see `driver.py` of its NVIDIA back
# end). Other fields come and go with the version of the front end and change nothing by
# themselves.
_LAUNCH_METADATA = frozenset(
    {
        "shared", "num_warps", "num_ctas", "cluster_dims", "tmem_size", "global_scratch_size",
        "profile_scratch_size", "launch_pdl", "launch_cooperative_grid",
    }
)  # fmt: skip


def difference(before: Mapping[str, int], after: Mapping[str, int]) -> Census:
    """After minus before by key, zeros left out, keys sorted."""
    moved = {name: count - before.get(name, 0) for name, count in after.items()}
    moved.update({name: -count for name, count in before.items() if name not in after})
    return {name: moved[name] for name in sorted(moved) if moved[name]}


def launch_values(launch: Launch) -> dict[str, Scalar]:
    """Launch attributes as scalars: sizes as `128x1x1`, None where the code fixes none."""
    out: dict[str, Scalar] = {}
    for name in ("block", "cluster", "max_block"):
        size = getattr(launch, name)
        out[name] = "x".join(map(str, size)) if size is not None else None
    out["warps"] = launch.warps
    return out


def launch_changed(before: Kernel, after: Kernel) -> bool:
    """Whether the two launch differently, were their code equal.

    A value that a side does not tell is no change.
    """
    if before.launch != after.launch and any(
        _both_known(value, launch_values(after.launch)[name])
        for name, value in launch_values(before.launch).items()
    ):
        return True
    if before.resources != after.resources and any(
        _both_known(getattr(before.resources, name), getattr(after.resources, name))
        for name in _LAUNCH_RESOURCES
    ):
        return True
    return before.metadata != after.metadata and any(
        _both_known(before.metadata.get(name), after.metadata.get(name))
        for name in _LAUNCH_METADATA
    )


def _both_known(before: Scalar, after: Scalar) -> bool:
    return before is not None and after is not None and before != after


def deltas(before: Kernel | None, after: Kernel | None) -> Deltas:
    """Everything that moved; a missing side counts as nothing.

    Args:
        before: None for an added kernel.
        after: None for a removed kernel.
    """
    if before is None or after is None:
        return _one_sided(before, after)
    return Deltas(
        ptx=_census(before.instructions.ptx, after.instructions.ptx),
        sass=_census(before.instructions.sass, after.instructions.sass),
        categories=Layered(
            ptx=_census(before.categories.ptx, after.categories.ptx),
            sass=_census(before.categories.sass, after.categories.sass),
        ),
        resources=_resources(before.resources, after.resources),
        metadata=_moved(_metadata(before), _metadata(after)),
        facts=_moved(_facts(before), _facts(after)),
    )


def _one_sided(before: Kernel | None, after: Kernel | None) -> Deltas:
    kernel = after or before
    if kernel is None:
        return Deltas()
    sign = -1 if after is None else 1

    def signed(census: Census | None) -> Census | None:
        if census is None:
            return None
        return {name: sign * census[name] for name in sorted(census) if census[name]}

    known = {name: getattr(kernel.resources, name) for name in RESOURCES}
    return Deltas(
        ptx=signed(kernel.instructions.ptx),
        sass=signed(kernel.instructions.sass),
        categories=Layered(ptx=signed(kernel.categories.ptx), sass=signed(kernel.categories.sass)),
        resources={name: sign * value for name, value in sorted(known.items()) if value},
    )


def _census(before: Census | None, after: Census | None) -> Census | None:
    if before is None or after is None:
        return None
    return difference(before, after) if before != after else {}


def _resources(before: Resources, after: Resources) -> Census:
    if before == after:
        return {}
    moved: dict[str, int] = {}
    for name in sorted(RESOURCES):
        old, new = getattr(before, name), getattr(after, name)
        if old is not None and new is not None and old != new:
            moved[name] = new - old
    return moved


def _metadata(kernel: Kernel) -> dict[str, Scalar]:
    launch = {name: value for name, value in launch_values(kernel.launch).items() if value}
    return {**kernel.metadata, **launch}


def _facts(kernel: Kernel) -> dict[str, Scalar]:
    return {name: fact.value for name, fact in kernel.facts.items()}


def _moved(before: Mapping[str, Scalar], after: Mapping[str, Scalar]) -> dict[str, Moved]:
    if before == after:
        return {}
    names = sorted(before.keys() | after.keys())
    return {
        name: Moved(before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    }
