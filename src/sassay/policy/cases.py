"""Turns the inline states of an example case into states and a diff, without any code to read."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import msgspec

from sassay.isa.categories import summarize
from sassay.model.artifact import Scalar, Source, SourceKind
from sassay.model.change import (
    Change,
    Deltas,
    Diff,
    FamilyPair,
    FamilyRow,
    FamilyStatus,
    KernelStatus,
    Moved,
    Pair,
    StateSummary,
)
from sassay.model.fact import Fact
from sassay.model.kernel import Census, Kernel, Launch, Resources, Specialization
from sassay.model.layers import Layer, Layered, Tier
from sassay.model.state import Diagnostic, Evidence, Level, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sassay.policy import schema

_Key = tuple[str, str, str]
"""Family, architecture, name: what pairs kernels of a case."""


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()


def case_state(state: schema.CaseState) -> State:
    """The state that an inline state describes."""
    kernels = [_kernel(each, copy) for each in state.kernels for copy in range(each.copies)]
    return State(
        label=state.label,
        kernels=tuple(sorted(kernels, key=lambda k: (k.family, k.arch, k.name, k.id))),
        evidence={name: Evidence(value=value) for name, value in state.evidence.items()},
        diagnostics=tuple(
            Diagnostic(
                Level.ERROR,
                each.place,
                each.message,
                arch=each.arch,
                layer=each.layer.value if each.layer else None,
            )
            for each in state.missing
        ),
    )


def _name(case: schema.CaseKernel, copy: int) -> str:
    return f"{case.name}#{copy + 1}" if case.copies > 1 else case.name


def _kernel(case: schema.CaseKernel, copy: int) -> Kernel:
    name = _name(case, copy)
    content = (
        sorted(case.ptx.items()) if case.ptx is not None else None,
        sorted(case.sass.items()) if case.sass is not None else None,
        sorted(case.resources.items()),
        case.tier,
    )
    digest = _digest(case.family, case.arch, name, content)
    plain = {key: value for key, value in case.resources.items() if key != "code_bytes"}
    return Kernel(
        id=_digest(digest, sorted(case.metadata.items(), key=str), sorted(case.facts.items()))[:12],
        name=name,
        symbol=case.symbol if case.copies == 1 else f"{case.symbol}#{copy + 1}",
        family=case.family,
        specialization=Specialization(),
        arch=case.arch,
        sources=(Source(SourceKind.FILE, case.source or f"{case.family}.{case.arch}"),),
        launch=Launch(),
        resources=msgspec.convert(plain, Resources),
        code_bytes=case.resources.get("code_bytes"),
        digest=digest,
        instructions=Layered(ptx=case.ptx, sass=case.sass),
        categories=Layered(
            ptx=None if case.ptx is None else summarize(Layer.PTX, case.ptx),
            sass=None if case.sass is None else summarize(Layer.SASS, case.sass),
        ),
        facts={name: Fact(value) for name, value in case.facts.items()},
        metadata=case.metadata,
    )


def case_diff(cases: Sequence[schema.CaseState], states: Sequence[State]) -> Diff | None:
    """The comparison of a case's states, None for a single one.

    Kernels are matched by family, architecture and name. Each consecutive pair is compared, and
    the first with the last.

    Args:
        cases: The inline states.
        states: The states made of them, in the same order.
    """
    if len(states) < 2:
        return None
    positions = [(i, i + 1) for i in range(len(states) - 1)]
    if len(states) > 2:
        positions.append((0, len(states) - 1))
    tiers = [_tiers(case) for case in cases]
    compared = [_compare(states[i], states[j], tiers[j]) for i, j in positions]
    return Diff(
        states=tuple(_summary(state) for state in states),
        comparability=(),
        pairs=tuple(
            _pair(states[i], states[j], c) for (i, j), c in zip(positions, compared, strict=True)
        ),
        families=_rows(states, positions, compared),
        changes=tuple(
            change
            for each in compared
            for change in each
            if change.status is not KernelStatus.UNCHANGED
        ),
        diagnostics=tuple(each for state in states for each in state.diagnostics),
    )


def _tiers(case: schema.CaseState) -> dict[_Key, Tier]:
    return {
        (kernel.family, kernel.arch, _name(kernel, copy)): kernel.tier
        for kernel in case.kernels
        for copy in range(kernel.copies)
        if kernel.tier is not None
    }


def _summary(state: State) -> StateSummary:
    return StateSummary(
        label=state.label,
        kernels=len(state.kernels),
        families=len({kernel.family for kernel in state.kernels}),
        environment=state.environment,
        evidence=state.evidence,
    )


def _keyed(state: State) -> dict[_Key, Kernel]:
    return {(kernel.family, kernel.arch, kernel.name): kernel for kernel in state.kernels}


def _compare(before: State, after: State, tiers: Mapping[_Key, Tier]) -> list[Change]:
    old, new = _keyed(before), _keyed(after)
    return [
        _change((before.label, after.label), old.get(key), new.get(key), tiers.get(key))
        for key in sorted(old.keys() | new.keys())
    ]


def _change(
    pair: tuple[str, str], old: Kernel | None, new: Kernel | None, tier: Tier | None
) -> Change:
    either = new or old
    if either is None:
        raise ValueError("a change needs a kernel")
    if old is None or new is None:
        status = KernelStatus.ADDED if old is None else KernelStatus.REMOVED
        tier = None
    else:
        status = KernelStatus.UNCHANGED if old.id == new.id else KernelStatus.CHANGED
        tier = tier or _tier(old, new)
    return Change(
        id=_digest(pair, either.family, either.arch, old and old.id, new and new.id)[:12],
        pair=pair,
        family=either.family,
        arch=either.arch,
        status=status,
        name=either.name,
        tier=tier,
        ptx_tier=None,
        before=old.id if old else None,
        after=new.id if new else None,
        deltas=Deltas(
            ptx=_delta(old, new, Layer.PTX),
            sass=_delta(old, new, Layer.SASS),
            resources=_resources(old, new),
            metadata=_moved(old.metadata if old else {}, new.metadata if new else {}),
        ),
    )


def _tier(old: Kernel, new: Kernel) -> Tier:
    if old.digest == new.digest:
        return Tier.IDENTICAL
    same = old.instructions == new.instructions
    return Tier.REORDERED if same else Tier.RECOMPOSED


def _delta(old: Kernel | None, new: Kernel | None, layer: Layer) -> Census | None:
    before = old.instructions.of(layer) if old else {}
    after = new.instructions.of(layer) if new else {}
    if before is None or after is None:
        return None
    moved = Counter(after)
    moved.subtract(before)
    return {opcode: count for opcode, count in sorted(moved.items()) if count}


def _resources(old: Kernel | None, new: Kernel | None) -> dict[str, int]:
    if old is None or new is None:
        return {}
    moved = {}
    for name in sorted(old.resources.__struct_fields__):
        before, after = getattr(old.resources, name), getattr(new.resources, name)
        if before is not None and after is not None and before != after:
            moved[name] = after - before
    return moved


def _moved(old: Mapping[str, Scalar], new: Mapping[str, Scalar]) -> dict[str, Moved]:
    return {
        name: Moved(old.get(name), new.get(name))
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    }


def _pair(before: State, after: State, changes: Sequence[Change]) -> Pair:
    tally = Counter(change.status for change in changes)
    return Pair(
        before=before.label,
        after=after.label,
        compared=tally[KernelStatus.UNCHANGED] + tally[KernelStatus.CHANGED],
        unchanged=tally[KernelStatus.UNCHANGED],
        changed=tally[KernelStatus.CHANGED],
        added=tally[KernelStatus.ADDED],
        removed=tally[KernelStatus.REMOVED],
    )


def _rows(
    states: Sequence[State],
    positions: Sequence[tuple[int, int]],
    compared: Sequence[Sequence[Change]],
) -> tuple[FamilyRow, ...]:
    pairs: defaultdict[tuple[str, str], list[FamilyPair]] = defaultdict(list)
    families = sorted({(k.family, k.arch) for state in states for k in state.kernels})
    for (i, j), changes in zip(positions, compared, strict=True):
        tallies: defaultdict[tuple[str, str], Counter[KernelStatus]] = defaultdict(Counter)
        for change in changes:
            tallies[change.family, change.arch][change.status] += 1
        for key in families:
            pairs[key].append(_family_pair(states[i].label, states[j].label, tallies[key]))
    return tuple(
        FamilyRow(
            family=family,
            arch=arch,
            status=pairs[family, arch][-1].status,
            kernels=tuple(
                sum((k.family, k.arch) == (family, arch) for k in state.kernels) for state in states
            ),
            code_bytes=(None,) * len(states),
            instructions=Layered(),
            per_kernel=Layered(),
            categories=Layered(),
            opcodes=Layered(),
            resources={},
            pairs=tuple(pairs[family, arch]),
        )
        for family, arch in families
    )


def _family_pair(before: str, after: str, tally: Counter[KernelStatus]) -> FamilyPair:
    added, removed = tally[KernelStatus.ADDED], tally[KernelStatus.REMOVED]
    changed, unchanged = tally[KernelStatus.CHANGED], tally[KernelStatus.UNCHANGED]
    compared = changed + unchanged
    status = FamilyStatus.UNCHANGED
    if added and not removed and not compared:
        status = FamilyStatus.ADDED
    elif removed and not added and not compared:
        status = FamilyStatus.REMOVED
    elif added > removed:
        status = FamilyStatus.EXPANDED
    elif removed > added:
        status = FamilyStatus.SHRUNK
    elif changed or added:
        status = FamilyStatus.CHANGED
    return FamilyPair(
        before=before,
        after=after,
        status=status,
        compared=compared,
        unchanged=unchanged,
        changed=changed,
        added=added,
        removed=removed,
    )
