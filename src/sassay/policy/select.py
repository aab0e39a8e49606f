"""Which kernels a condition selects, and which of their instructions, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from sassay.errors import PolicyError
from sassay.isa.categories import category
from sassay.model.change import KernelStatus
from sassay.model.fact import UNKNOWN
from sassay.model.layers import UNCHANGED_TIERS, Layer, Tier
from sassay.policy import conditions, schema
from sassay.policy.coverage import lacking
from sassay.policy.globs import matches, matches_any
from sassay.policy.measure import Judged, absent, all_hold, compare_all, resource_test

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sassay.model.artifact import Scalar
    from sassay.policy.scene import Scene, Subject


@dataclass(frozen=True, slots=True)
class Selected:
    """Opcodes of one kernel in one layer.

    Attributes:
        opcodes: What is surely selected; None: everything in the kernel.
        unknown: Why more may be selected than that; empty: nothing more is.
    """

    opcodes: frozenset[str] | None
    unknown: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether surely nothing is selected."""
        return self.opcodes is not None and not self.opcodes and not self.unknown

    @property
    def something(self) -> bool:
        """Whether surely something is selected."""
        return self.opcodes is None or bool(self.opcodes)


EVERYTHING = Selected(None)
NOTHING = Selected(frozenset())


def _truth(judged: Judged) -> Selected:
    holds, why = judged
    if holds is None:
        return Selected(frozenset(), why)
    return EVERYTHING if holds else NOTHING


@lru_cache(maxsize=65536)
def _category(layer: Layer, opcode: str) -> str:
    return category(layer, opcode)


class Selector:
    """Evaluates the condition of one rule on one kernel after the other."""

    def __init__(self, rule: schema.Rule, scene: Scene) -> None:
        self.rule = rule
        self.scene = scene
        self._classified: dict[tuple[int, Layer], tuple[set[str], set[str]]] = {}
        self._layers: dict[tuple[int, bool, bool], tuple[Layer, ...]] = {}
        for name in conditions.group_names(rule.match):
            if name not in scene.groups:
                known = ", ".join(sorted(scene.groups)) or "none"
                raise PolicyError(
                    f"rule {rule.id}: no group is called {name!r}", hint=f"groups: {known}"
                )

    def kernel(self, subject: Subject) -> Selected:
        """Whether the kernel conditions select a kernel: EVERYTHING, NOTHING, or unknown."""
        return self._select(self.rule.match, subject, None, kernels_only=True)

    def layers(
        self, subject: Subject, condition: schema.Condition | None = None
    ) -> tuple[Layer, ...]:
        """Layers in which the rule, or a condition in it, is judged on a kernel; PTX first."""
        chosen = self.rule.match if condition is None else condition
        held = subject.kernel.instructions
        key = (id(chosen), held.ptx is not None, held.sass is not None)
        if key not in self._layers:
            self._layers[key] = judged_layers(chosen, subject)
        return self._layers[key]

    def instructions(self, subject: Subject, layer: Layer) -> Selected:
        """What the rule selects of a kernel in a layer that is known."""
        return self._select(self.rule.match, subject, layer, kernels_only=False)

    def _select(
        self,
        condition: schema.Condition,
        subject: Subject,
        layer: Layer | None,
        *,
        kernels_only: bool,
    ) -> Selected:
        match condition:
            case schema.AllOf(items):
                return _intersect(
                    self._select(item, subject, layer, kernels_only=kernels_only) for item in items
                )
            case schema.AnyOf(items):
                return _unite(
                    self._select(item, subject, layer, kernels_only=kernels_only) for item in items
                )
            case schema.NoneOf(item):
                return self._none_of(item, subject)
            case schema.Without(base, excluded):
                kept = self._select(base, subject, layer, kernels_only=kernels_only)
                if kept.nothing or (kernels_only and conditions.selects_instructions(excluded)):
                    return kept
                taken = self._select(excluded, subject, layer, kernels_only=kernels_only)
                return self._subtract(kept, taken, subject, layer)
            case schema.OperationIs() | schema.LayerIs() | schema.CategoryIs():
                if kernels_only or layer is None:
                    return EVERYTHING
                return self._opcodes(condition, subject, layer)
            case _:
                return self._of_kernel(condition, subject)

    def _none_of(self, item: schema.Condition, subject: Subject) -> Selected:
        """`not`: the kernel has none of it, in any layer in which there could be some."""
        if not conditions.selects_instructions(item):
            found = self._select(item, subject, None, kernels_only=False)
        else:
            found = _unite(
                self._select(item, subject, layer, kernels_only=False)
                for layer in self.layers(subject, item)
            )
        if found.something:
            return NOTHING
        return Selected(frozenset(), found.unknown) if found.unknown else EVERYTHING

    def _opcodes(
        self,
        condition: schema.OperationIs | schema.LayerIs | schema.CategoryIs,
        subject: Subject,
        layer: Layer,
    ) -> Selected:
        if isinstance(condition, schema.LayerIs):
            return EVERYTHING if layer in condition.layers else NOTHING
        if layer not in conditions.possible_layers(condition):
            return NOTHING
        census = subject.kernel.instructions.of(layer)
        if census is None:
            return Selected(frozenset(), (self.scene.missing_layer(subject.kernel, layer),))
        # Opcodes are classified once a rule; the rest is set arithmetic on the census's keys.
        seen, wanted = self._classified.setdefault((id(condition), layer), (set(), set()))
        fresh = census.keys() - seen
        if fresh:
            seen.update(fresh)
            wanted.update(opcode for opcode in fresh if _wants(condition, layer, opcode))
        return Selected(frozenset(census.keys() & wanted))

    def _subtract(
        self, kept: Selected, taken: Selected, subject: Subject, layer: Layer | None
    ) -> Selected:
        if taken.nothing:
            return kept
        if taken.opcodes is None:
            return NOTHING
        if taken.unknown:
            return Selected(frozenset(), (*kept.unknown, *taken.unknown))
        opcodes = kept.opcodes
        if opcodes is None:
            census = subject.kernel.instructions.of(layer) if layer else None
            opcodes = frozenset(census or ())
        return Selected(opcodes - taken.opcodes, kept.unknown)

    def _of_kernel(self, condition: schema.Condition, subject: Subject) -> Selected:
        kernel = subject.kernel
        match condition:
            case schema.KernelGlob(field, patterns):
                return _truth((self._glob(field, patterns, subject), ()))
            case schema.FamilyStatusIs(statuses):
                return _truth((subject.family_status in statuses, ()))
            case schema.KernelStatusIs(statuses):
                return _truth((subject.status in statuses, ()))
            case schema.TierIs(tiers):
                return _truth(_tier(subject, tiers))
            case schema.ResourceIs(tests):
                return _truth(
                    all_hold(resource_test(subject, test, self.rule.if_absent) for test in tests)
                )
            case schema.CoverageLacks():
                return _truth((self._falls_short(condition, subject), ()))
            case schema.FactIs(name, _, _, changed) if changed is not None:
                return _truth(_fact_moved(subject, name, self.rule.if_absent, changed=changed))
            case schema.FactIs(name, values, comparisons):
                fact = kernel.facts.get(name)
                if fact is None:
                    why = f"no kernel has the fact {name}: the analysis that yields it did not run"
                    return _truth((False if name in self.scene.fact_names else None, (why,)))
                if comparisons:
                    if isinstance(fact.value, (str, bool)):
                        return _truth((None, (f"the fact {name} of {kernel.family} is no number",)))
                    return _truth((compare_all(fact.value, comparisons), ()))
                return _truth((not values or any(_equals(fact.value, v) for v in values), ()))
            case _:
                raise PolicyError(f"rule {self.rule.id}: a condition that nothing evaluates")

    def _falls_short(self, condition: schema.CoverageLacks, subject: Subject) -> bool:
        """Whether a family lacks something; told once, of its first architecture."""
        held = self.scene.held_archs.get(subject.kernel.family, ())
        first = subject.in_candidate and held[:1] == (subject.kernel.arch,)
        return first and bool(lacking(condition, held))

    def _glob(self, field: schema.KernelField, patterns: tuple[str, ...], subject: Subject) -> bool:
        kernel = subject.kernel
        match field:
            case schema.KernelField.FAMILY:
                return matches_any(patterns, (kernel.family,))
            case schema.KernelField.KERNEL:
                return matches_any(patterns, (kernel.family, kernel.symbol, kernel.name))
            case schema.KernelField.ARCH:
                # Across architectures, either one and the pair itself can be meant.
                return matches_any(patterns, {kernel.arch, subject.arch, *subject.arch.split(":")})
            case schema.KernelField.GROUP:
                globs: Mapping[str, tuple[str, ...]] = self.scene.groups
                return any(matches_any(globs[name], (kernel.family,)) for name in patterns)
            case schema.KernelField.SOURCE:
                return any(
                    matches_any(patterns, (source.path, source.kind.value))
                    for source in kernel.sources
                )


def judged_layers(condition: schema.Condition, subject: Subject) -> tuple[Layer, ...]:
    """Layers in which a condition is judged on a kernel, PTX first.

    A layer that the kernel does not hold is left out only where the condition does not ask for
    it and another layer can answer.
    """
    possible = conditions.possible_layers(condition)
    required = conditions.required_layers(condition)
    known = {layer for layer in possible if subject.kernel.instructions.of(layer) is not None}
    return tuple(
        layer
        for layer in Layer
        if layer in possible and (layer in known or layer in required or not known)
    )


def _intersect(parts: Iterable[Selected]) -> Selected:
    opcodes: frozenset[str] | None = None
    unknown: tuple[str, ...] = ()
    for part in parts:
        if part.nothing:
            return NOTHING
        unknown += part.unknown
        if part.opcodes is not None:
            opcodes = part.opcodes if opcodes is None else opcodes & part.opcodes
    return Selected(opcodes, unknown)


def _unite(parts: Iterable[Selected]) -> Selected:
    opcodes: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()
    for part in parts:
        if part.opcodes is None:
            return EVERYTHING
        opcodes |= part.opcodes
        unknown += part.unknown
    return Selected(opcodes, unknown)


def _tier(subject: Subject, tiers: tuple[Tier, ...]) -> Judged:
    kernel, change = subject.kernel, subject.change
    if change is not None:
        if change.before is None or change.after is None:
            return False, ()
        if change.tier is None:
            return None, (f"the tier of {kernel.family} ({subject.arch}) is not known",)
        return change.tier in tiers, ()
    if subject.counterpart is not None and subject.counterpart.digest == kernel.digest:
        return Tier.IDENTICAL in tiers, ()
    wanted = UNCHANGED_TIERS.intersection(tiers)
    if not wanted or wanted == UNCHANGED_TIERS:
        return bool(wanted), ()
    return None, (f"the tier of the unchanged {kernel.family} was not kept: compare with --all",)


def _fact_moved(
    subject: Subject, name: str, if_absent: schema.IfAbsent, *, changed: bool
) -> Judged:
    """Whether a fact differs between matched kernels. One that says `unknown` is not known."""
    where = f"{subject.kernel.family} ({subject.arch})"
    if subject.status in {KernelStatus.ADDED, KernelStatus.REMOVED}:
        return absent(if_absent, f"a kernel of {where} has no counterpart to compare {name} with")
    before, after = (kernel.facts.get(name) if kernel else None for kernel in subject.pair)
    if before is None and after is None and subject.status is KernelStatus.UNCHANGED:
        return not changed, ()
    known = [fact.value for fact in (before, after) if fact is not None and fact.value != UNKNOWN]
    if len(known) < 2:
        return None, (f"the fact {name} of {where} is not known on both sides",)
    return (known[0] != known[1]) is changed, ()


def _wants(condition: schema.OperationIs | schema.CategoryIs, layer: Layer, opcode: str) -> bool:
    if isinstance(condition, schema.OperationIs):
        return any(matches(pattern, opcode) for pattern in condition.patterns)
    return _category(layer, opcode) in condition.categories


def _equals(value: Scalar, wanted: Scalar) -> bool:
    if isinstance(value, str):
        return isinstance(wanted, str) and matches(wanted, value)
    return isinstance(value, bool) == isinstance(wanted, bool) and value == wanted
