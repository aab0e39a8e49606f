"""Judges a claim on one case: by numbers that were computed, or by expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from sassay.errors import SassayError
from sassay.machine.labels import RANK, worse, worst
from sassay.machine.parity.contract import LABELS, Claim, Contract
from sassay.machine.parity.differ import apart, distance_text, first_of, index_of, shared
from sassay.machine.parity.formats import bits_of, text_of
from sassay.model.parity import CaseResult, Mismatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sassay.machine.numeric import Label
    from sassay.machine.parity.execute import Case, Outcome, Sides
    from sassay.machine.parity.trace import Trace

    Array = NDArray[Any]


def judge_case(contract: Contract, sides: Sides, case: Case, title: str) -> CaseResult:
    """Whether a claim holds on one case.

    Args:
        contract: What is claimed.
        sides: Runs both sides.
        case: The point of the grid.
        title: Of the case.

    Raises:
        SassayError: A kernel cannot be found, bound or run.
    """
    if contract.claim is Claim.IDENTICAL:
        return _identical(contract, sides, case, title)
    return _numbers(contract, sides, case, title)


def _numbers(contract: Contract, sides: Sides, case: Case, title: str) -> CaseResult:
    left, right = (sides.numeric(side, case) for side in (contract.left, contract.right))
    for name, side in (("left", left), ("right", right)):
        if side.trap:
            return CaseResult(title, "broken", why=f"the {name} side trapped: {side.trap}")
    seen, bad, furthest = 0, {}, 0.0
    labels: dict[str, Label] = {}
    for name in shared(contract):
        a, b, form = left.buffers[name], right.buffers[name], case.formats[name]
        start = bits_of(case.buffers[name])
        changed = int(np.count_nonzero((bits_of(a) != start) | (bits_of(b) != start)))
        seen += changed
        wrong, distance = apart(contract, a, b, form)
        furthest = max(furthest, distance)
        if wrong.any():
            bad[name] = wrong
        if changed or wrong.any():
            found = (side.labels.get(name, "exact") for side in (left, right))
            labels[name] = worse(*found)
    result = CaseResult(
        title,
        "holds",
        "",
        seen,
        distance_text(contract, furthest),
        worst(labels.values()) if left.launches or right.launches else "",
        labels,
        dict(sorted({**left.forms, **right.forms}.items())),
    )
    if bad:
        name, element, count = first_of(bad)
        why = "the results differ"
        if contract.claim is Claim.CLOSE:
            why = "the results are too far apart"
        return msgspec.structs.replace(
            result,
            outcome="broken",
            why=why,
            mismatch=_mismatch(contract, sides, case, (left, right), (name, element, count, seen)),
        )
    short = _short_of(contract, result)
    if short:
        return msgspec.structs.replace(result, outcome="broken", why=short)
    return _unless_idle(result, left.launches + right.launches)


def _short_of(contract: Contract, result: CaseResult) -> str:
    """Why values are not as trusted as the contract requires; empty where they are."""
    if contract.label is None:
        return ""
    least = LABELS.index(contract.label)
    short = [name for name, label in result.labels.items() if RANK[label] > least]
    if not short:
        return ""
    forms = [form for form, label in result.forms.items() if RANK[label] > least]
    words = ", ".join(f"{name} is {result.labels[name]}" for name in short)
    by = f" by {', '.join(forms)}" if forms else ""
    required = contract.label if contract.label == "exact" else f"at least {contract.label}"
    return f"the values agree, but {words}{by}, and the contract requires {required}"


def _unless_idle(result: CaseResult, launches: int) -> CaseResult:
    if result.compared or not launches:
        return result
    why = "neither side changed any element that is compared"
    return msgspec.structs.replace(result, outcome="unknown", why=why, worst="", label="")


def _mismatch(
    contract: Contract,
    sides: Sides,
    case: Case,
    outcomes: tuple[Outcome, Outcome],
    first: tuple[str, int, int, int],
) -> Mismatch:
    """The first element that differs, by its values and by how they were computed."""
    name, element, count, seen = first
    left, right = (
        text_of(side.buffers[name].reshape(-1)[element], case.formats[name]) for side in outcomes
    )
    index = index_of(element, case.buffers[name].shape)
    found = Mismatch(name, index, left, right, count, seen)
    return _explained(found, contract, sides, case, element)


def _explained(
    mismatch: Mismatch, contract: Contract, sides: Sides, case: Case, element: int
) -> Mismatch:
    """The same mismatch with the place where the computations part, as far as it can be told."""
    from sassay.machine.parity.trace import parting, trace  # noqa: PLC0415 - needed when broken

    if contract.left.python or contract.right.python:
        return msgspec.structs.replace(mismatch, why_not="one side is Python code")
    try:
        left, right = (trace(sides, side, case) for side in (contract.left, contract.right))
        if left.trap or right.trap:
            return msgspec.structs.replace(mismatch, why_not=left.trap or right.trap)
        found = parting(left, right, mismatch.buffer, element, case)
    except SassayError as error:
        return msgspec.structs.replace(mismatch, why_not=str(error))
    return msgspec.structs.replace(mismatch, parting=found)


def _identical(contract: Contract, sides: Sides, case: Case, title: str) -> CaseResult:
    from sassay.machine.parity.trace import parting, trace  # noqa: PLC0415 - heavy

    left, right = (trace(sides, side, case) for side in (contract.left, contract.right))
    for name, side in (("left", left), ("right", right)):
        if side.trap:
            return CaseResult(title, "broken", why=f"the {name} side trapped: {side.trap}")
    doubt, caveats = _caveats(left, right, case)
    bad, seen = {}, 0
    for name in shared(contract):
        seen += int(np.count_nonzero(left.written[name] | right.written[name]))
        wrong = left.hashes[name] != right.hashes[name]
        if wrong.any():
            bad[name] = wrong
    if bad:
        name, element, count = first_of(bad)
        mismatch = Mismatch(
            buffer=name,
            index=index_of(element, case.buffers[name].shape),
            left="",
            right="",
            count=count,
            compared=seen,
            parting=parting(left, right, name, element, case),
        )
        return CaseResult(
            title,
            "broken",
            "the results are computed in different ways",
            seen,
            caveats=caveats,
            mismatch=mismatch,
        )
    if doubt:
        return CaseResult(title, "unknown", doubt, seen, caveats=caveats)
    held = CaseResult(title, "holds", "", seen, caveats=caveats)
    return _unless_idle(held, left.launches + right.launches)


def _caveats(left: Trace, right: Trace, case: Case) -> tuple[str, tuple[str, ...]]:
    """Why a proof does not hold for all inputs (empty if it does), and what it does not cover."""
    doubt = ""
    lines: dict[str, None] = {}
    for bound, caveat in (*left.caveats, *right.caveats):
        names = [bound.arrays[at].buffer for at in caveat.arguments if at in bound.arrays]
        names += [bound.scalars[at] for at in caveat.arguments if at in bound.scalars]
        floats = [each for each in names if each not in case.formats or case.formats[each].is_float]
        if caveat.kind == "given-values":
            what = ", ".join(sorted(set(names))) or "its arguments"
            lines[f"holds for the given {what}: {caveat.instruction} depends on it"] = None
            if floats:
                doubt = f"only for the given {', '.join(sorted(set(floats)))}: {caveat.message}"
        else:
            lines[caveat.message] = None
            doubt = caveat.message
    return doubt, tuple(lines)
