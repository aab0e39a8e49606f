"""What a condition talks about: instructions, layers, the baseline, groups, architectures."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from sassay.model.layers import Layer
from sassay.policy import schema
from sassay.policy.globs import matches_any

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOTH = frozenset(Layer)
_RELATIVE = frozenset({schema.Measure.DELTA, schema.Measure.DELTA_PCT, schema.Measure.RATIO})


def walk(condition: schema.Condition) -> Iterator[schema.Condition]:
    """The condition and everything in it."""
    yield condition
    for child in children(condition):
        yield from walk(child)


def children(condition: schema.Condition) -> tuple[schema.Condition, ...]:
    """Conditions directly in a condition."""
    match condition:
        case schema.AllOf(items) | schema.AnyOf(items):
            return items
        case schema.NoneOf(item):
            return (item,)
        case schema.Without(base, excluded):
            return (base, excluded)
        case _:
            return ()


def is_instruction(condition: schema.Condition) -> bool:
    """Whether it is an instruction condition itself."""
    return isinstance(condition, (schema.OperationIs, schema.LayerIs, schema.CategoryIs))


@lru_cache(maxsize=4096)
def names_instructions(condition: schema.Condition) -> bool:
    """Whether anything in it is about instructions."""
    return any(is_instruction(part) for part in walk(condition))


@lru_cache(maxsize=4096)
def names_coverage(condition: schema.Condition) -> bool:
    """Whether anything in it is about the architectures that a family lacks."""
    return any(isinstance(part, schema.CoverageLacks) for part in walk(condition))


@lru_cache(maxsize=4096)
def selects_instructions(condition: schema.Condition) -> bool:
    """Whether it narrows a kernel to some of its instructions.

    `not` over an instruction condition is about whole kernels again, and what is excluded does
    not select.
    """
    match condition:
        case schema.AllOf(items) | schema.AnyOf(items):
            return any(selects_instructions(item) for item in items)
        case schema.Without(base, _):
            return selects_instructions(base)
        case schema.NoneOf(_):
            return False
        case _:
            return is_instruction(condition)


@lru_cache(maxsize=4096)
def possible_layers(condition: schema.Condition) -> frozenset[Layer]:
    """Layers in which the condition can select instructions at all.

    SASS mnemonics are upper case and PTX opcodes lower case, so the letters of an opcode pattern
    tell its layer.
    """
    match condition:
        case schema.LayerIs(layers):
            return frozenset(layers)
        case schema.OperationIs(patterns):
            return frozenset().union(*(_pattern_layers(pattern) for pattern in patterns))
        case schema.AllOf(items):
            return _BOTH.intersection(*(possible_layers(item) for item in items))
        case schema.AnyOf(items):
            return frozenset().union(*(possible_layers(item) for item in items))
        case schema.Without(base, _):
            return possible_layers(base)
        case _:
            return _BOTH


def _pattern_layers(pattern: str) -> frozenset[Layer]:
    layers = set(Layer)
    if any(character.islower() for character in pattern):
        layers.discard(Layer.SASS)
    if any(character.isupper() for character in pattern):
        layers.discard(Layer.PTX)
    return frozenset(layers)


@lru_cache(maxsize=4096)
def required_layers(condition: schema.Condition) -> frozenset[Layer]:
    """Layers without which the condition cannot be judged: named ones, or the only possible one."""
    named: set[Layer] = set()
    for part in walk(condition):
        if isinstance(part, schema.LayerIs):
            named.update(part.layers)
    possible = possible_layers(condition)
    return frozenset(named & possible) if named else possible if len(possible) == 1 else frozenset()


def group_names(condition: schema.Condition) -> Iterator[str]:
    """Groups that the condition names."""
    for part in walk(condition):
        if isinstance(part, schema.KernelGlob) and part.field is schema.KernelField.GROUP:
            yield from part.patterns


def needs_pair(rule: schema.Rule) -> bool:
    """Whether a rule can only be judged against a baseline."""
    for part in walk(rule.match):
        if isinstance(part, (schema.FamilyStatusIs, schema.KernelStatusIs, schema.TierIs)):
            return True
        if isinstance(part, schema.FactIs) and part.changed is not None:
            return True
        if isinstance(part, schema.ResourceIs) and any(t.measure in _RELATIVE for t in part.tests):
            return True
    if rule.when is None:
        return not names_instructions(rule.match) and not names_coverage(rule.match)
    return any(_when_is_relative(each) for each in (rule.when, *rule.when.any))


def _when_is_relative(when: schema.When) -> bool:
    measures = [each.measure for each in when.thresholds]
    measures += [each.measure for each in when.resources]
    return any(measure in _RELATIVE for measure in measures)


def may_select_arch(condition: schema.Condition, arch: str) -> bool:
    """Whether the condition could select a kernel of an architecture, whatever else it is."""
    match condition:
        case schema.KernelGlob(schema.KernelField.ARCH, patterns):
            return matches_any(patterns, (arch,))
        case schema.AllOf(items):
            return all(may_select_arch(item, arch) for item in items)
        case schema.AnyOf(items):
            return any(may_select_arch(item, arch) for item in items)
        case schema.Without(base, excluded):
            return may_select_arch(base, arch) and not _is_arch_only(excluded, arch)
        case schema.NoneOf(item):
            return not _is_arch_only(item, arch)
        case _:
            return True


def _is_arch_only(condition: schema.Condition, arch: str) -> bool:
    """Whether the condition takes every kernel of an architecture, whatever else it is."""
    match condition:
        case schema.KernelGlob(schema.KernelField.ARCH, patterns):
            return matches_any(patterns, (arch,))
        case schema.AnyOf(items):
            return any(_is_arch_only(item, arch) for item in items)
        case _:
            return False
