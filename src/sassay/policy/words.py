"""Conditions in words."""

from __future__ import annotations

from sassay.policy import schema


def condition_words(condition: schema.Condition) -> str:
    """One line that says what a condition selects."""
    match condition:
        case schema.KernelGlob(field, patterns):
            return f"{field.value} {' or '.join(patterns)}"
        case schema.FamilyStatusIs(statuses):
            return f"family {' or '.join(statuses)}"
        case schema.KernelStatusIs(statuses):
            return f"kernel {' or '.join(statuses)}"
        case schema.TierIs(tiers):
            return f"tier {' or '.join(tiers)}"
        case schema.ResourceIs(tests):
            return " and ".join(_resource(test) for test in tests)
        case schema.FactIs(name, _, _, changed) if changed is not None:
            return f"fact {name} {'moved' if changed else 'the same'}"
        case schema.FactIs(name, values, comparisons):
            if comparisons:
                return f"fact {name} {_comparisons(comparisons)}"
            return f"fact {name}" + (f" = {' or '.join(str(v) for v in values)}" if values else "")
        case schema.OperationIs(patterns):
            return f"operation {' or '.join(patterns)}"
        case schema.LayerIs(layers):
            return f"layer {' or '.join(layers)}"
        case schema.CategoryIs(categories):
            return f"category {' or '.join(categories)}"
        case _:
            return _compound(condition)


def _compound(condition: schema.Condition) -> str:
    match condition:
        case schema.AllOf(items):
            return " and ".join(_inner(item) for item in items) or "everything"
        case schema.AnyOf(items):
            return " or ".join(_inner(item) for item in items)
        case schema.NoneOf(item):
            return f"no {_inner(item)}"
        case schema.CoverageLacks(archs, ptx):
            words = [f"code for {' and '.join(archs)}"] if archs else []
            words += [f"PTX {ptx.value}"] if ptx is not schema.PtxFallback.OPTIONAL else []
            return f"family without {' or '.join(words)}"
        case schema.Without(base, excluded):
            return f"{_inner(base)} without {_inner(excluded)}"
        case _:
            return "a condition"


def _inner(condition: schema.Condition) -> str:
    words = condition_words(condition)
    compound = isinstance(condition, (schema.AllOf, schema.AnyOf, schema.Without))
    return f"({words})" if compound and " " in words else words


def _resource(test: schema.ResourceTest) -> str:
    measure = "" if test.measure is schema.Measure.VALUE else f" {test.measure.value}"
    return f"{test.name}{measure} {_comparisons(test.comparisons)}"


def _comparisons(comparisons: tuple[schema.Comparison, ...]) -> str:
    return " and ".join(f"{each.operator.value} {each.number:g}" for each in comparisons)
