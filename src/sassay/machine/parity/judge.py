"""Judges contracts: every point of a contract's grid, and the first element that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from sassay.errors import LimitError, SassayError
from sassay.machine.parity import limits
from sassay.machine.parity.contract import Claim, Contract, ContractFile, SideSpec, Step
from sassay.machine.parity.execute import RANK, Case, Sides
from sassay.machine.parity.fill import buffers_of
from sassay.machine.parity.formats import bits_of, is_nan, text_of, ulps, values_of
from sassay.machine.parity.kernels import star_of
from sassay.model.finding import Effect, Verdict
from sassay.model.parity import CaseResult, ContractResult, HeldWord, Mismatch, ParityReport

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sassay.machine.parity.trace import Trace

    Array = NDArray[Any]

Progress = Callable[[str], None]


def check_contracts(
    file: ContractFile,
    sides: Sides,
    *,
    names: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> ParityReport:
    """Judges the contracts of a file.

    Args:
        file: The contracts.
        sides: Finds kernels and Python functions.
        names: Only contracts whose name is one of these; empty: all.
        progress: Told each case before it runs.
    """
    results: list[ContractResult] = []
    # What cannot be read at all ends the run before it starts.
    for origin in sides.chooser.prepare(_steps(file, names)):
        if progress is not None:
            progress(f"reading {origin}")
        sides.chooser.all(origin)
    for contract in file.contracts:
        for each in expand_pairs(contract, sides):
            if names and each.name not in names and contract.name not in names:
                continue
            results.append(_contract(each, sides, file.folder, progress))
    return ParityReport("parity/1", tuple(results), verdict_of(results), file.path)


def _steps(file: ContractFile, names: tuple[str, ...]) -> list[Step]:
    wanted = [
        each
        for each in file.contracts
        if not names or each.name in names or (each.pairs and _of_pair(each.name, names))
    ]
    return [step for each in wanted for side in (each.left, each.right) for step in side.kernels]


def _of_pair(name: str, names: tuple[str, ...]) -> bool:
    return any(each.startswith(f"{name}[") for each in names)


def verdict_of(results: list[ContractResult]) -> Verdict:
    """The verdict over contracts, by the precedence FAIL, UNKNOWN, REVIEW, PASS."""
    broken = {each.effect for each in results if each.outcome == "broken"}
    if Effect.FAIL in broken:
        return Verdict.FAIL
    if not results or any(each.outcome == "unknown" for each in results):
        return Verdict.UNKNOWN
    return Verdict.REVIEW if broken else Verdict.PASS


def expand_pairs(contract: Contract, sides: Sides) -> tuple[Contract, ...]:
    """A contract with pairs, once for each pair that the right side's pattern finds.

    Raises:
        SassayError: The right side's kernels cannot be read.
    """
    if not contract.pairs:
        return (contract,)
    (left,), (right,) = contract.left.kernels, contract.right.kernels
    found = {star_of(code, right.kernel) for code in sides.chooser.all(right.origin)} - {None}
    known = {code.symbol for code in sides.chooser.all(left.origin)}
    out = []
    for star in sorted(str(each) for each in found):
        pair = [
            msgspec.structs.replace(each, kernel=each.kernel.replace("*", star))
            for each in (left, right)
        ]
        if pair[0].kernel in known:
            out.append(
                msgspec.structs.replace(
                    contract,
                    name=f"{contract.name}[{star}]",
                    left=SideSpec(steps=(pair[0],)),
                    right=SideSpec(steps=(pair[1],)),
                    pairs=False,
                )
            )
    return tuple(out)


def _contract(
    contract: Contract, sides: Sides, folder: str, progress: Progress | None
) -> ContractResult:
    results: list[CaseResult] = []
    titles: dict[str, dict[str, None]] = {"left": {}, "right": {}, "arch": {}}
    try:
        for title, seed, inputs, dims, types in _grid(contract):
            if progress is not None:
                progress(f"{contract.name}: {title}")
            try:
                buffers, formats = buffers_of(
                    contract.buffers, dims, types, scalars=contract.scalars, inputs=inputs,
                    seed=seed, folder=folder,
                )  # fmt: skip
                case = Case(dims, types, contract.scalars, buffers, formats)
                _note(titles, contract, sides, case)
                results.append(_case(contract, sides, case, title))
            except SassayError as error:
                results.append(CaseResult(title, "unknown", why=str(error)))
    except LimitError as error:
        results.append(CaseResult("the grid", "unknown", why=str(error)))
    return ContractResult(
        contract=contract.name,
        claim=contract.claim.value,
        effect=contract.effect,
        left=", ".join(titles["left"]) or _written(contract.left),
        right=", ".join(titles["right"]) or _written(contract.right),
        arch=", ".join(titles["arch"]),
        outcome=_worst([each.outcome for each in results]),
        cases=tuple(results),
    )


def _written(side: SideSpec) -> str:
    return side.python or ", ".join(step.kernel for step in side.kernels)


def _worst(outcomes: list[HeldWord]) -> HeldWord:
    if "broken" in outcomes:
        return "broken"
    return "unknown" if "unknown" in outcomes or not outcomes else "holds"


def _note(titles: dict[str, dict[str, None]], contract: Contract, sides: Sides, case: Case) -> None:
    for name, side in (("left", contract.left), ("right", contract.right)):
        if side.python is not None:
            titles[name][side.python] = None
        for step in side.kernels:
            code = sides.chooser.choose(step, case.names)
            titles[name][code.symbol] = None
            titles["arch"][code.arch] = None


def _grid(
    contract: Contract,
) -> Iterator[tuple[str, str, str, dict[str, int], dict[str, str]]]:
    """Points of the grid: title, seed, inputs, dimensions, types."""
    axes = [
        [(name, each) for each in given]
        for table in (contract.dims, contract.types)
        for name, given in table.items()
    ]
    fillings = [(kind, seed) for kind in contract.inputs for seed in range(contract.seeds)]
    size = prod(len(axis) for axis in axes) * len(fillings)
    if size > limits.MAX_CASES:
        raise LimitError(f"{size} cases", hint=f"at most {limits.MAX_CASES}")
    for point in product(*axes):
        dims = {name: each for name, each in point if isinstance(each, int)}
        types = {name: each for name, each in point if isinstance(each, str)}
        words = ", ".join(f"{name}={each}" for name, each in point)
        for inputs, seed in fillings:
            title = words
            if contract.claim is not Claim.IDENTICAL:
                number = f" {seed + 1}" if contract.seeds > 1 else ""
                title = f"{words}{', ' if words else ''}{inputs} inputs{number}"
            name = f"{contract.name}: {words}: {inputs}: {seed}"
            yield title or "the only case", name, inputs, dims, types


def _case(contract: Contract, sides: Sides, case: Case, title: str) -> CaseResult:
    if contract.claim is Claim.IDENTICAL:
        return _identical(contract, sides, case, title)
    left, right = (sides.numeric(side, case) for side in (contract.left, contract.right))
    for name, side in (("left", left), ("right", right)):
        if side.trap:
            return CaseResult(title, "broken", why=f"the {name} side trapped: {side.trap}")
    label = max((left.label, right.label), key=RANK.__getitem__)
    compared, bad, worst = 0, {}, 0.0
    for name in _compared(contract):
        a, b, form = left.buffers[name], right.buffers[name], case.formats[name]
        start = bits_of(case.buffers[name])
        compared += int(np.count_nonzero((bits_of(a) != start) | (bits_of(b) != start)))
        wrong, distance = _apart(contract, a, b, form)
        worst = max(worst, distance)
        if wrong.any():
            bad[name] = wrong
    if bad:
        name, element, count = _first(bad)
        form = case.formats[name]
        mismatch = Mismatch(
            buffer=name,
            index=_index(element, case.buffers[name].shape),
            left=text_of(left.buffers[name].reshape(-1)[element], form),
            right=text_of(right.buffers[name].reshape(-1)[element], form),
            count=count,
            compared=compared,
        )
        mismatch = _explained(mismatch, contract, sides, case, element)
        why = (
            "the results differ"
            if contract.claim is Claim.BITWISE
            else "the results are too far apart"
        )
        return CaseResult(
            title, "broken", why, compared, _worst_text(contract, worst), label, (), mismatch
        )
    return _held(
        title, compared, left.launches + right.launches, _worst_text(contract, worst), label
    )


def _held(title: str, compared: int, launches: int, worst: str, label: str) -> CaseResult:
    if not compared and launches:
        return CaseResult(title, "unknown", "neither side changed any element that is compared")
    return CaseResult(title, "holds", "", compared, worst, label)


def _compared(contract: Contract) -> list[str]:
    return [name for name, spec in contract.buffers.items() if spec.compared]


def _first(bad: dict[str, NDArray[np.bool_]]) -> tuple[str, int, int]:
    """Buffer and flat place of the first difference, and how many there are."""
    name = next(iter(bad))
    count = sum(int(np.count_nonzero(each)) for each in bad.values())
    return name, int(np.argmax(bad[name].reshape(-1))), count


def _index(element: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(each) for each in np.unravel_index(element, shape))


def _apart(
    contract: Contract, left: Array, right: Array, form: Any
) -> tuple[NDArray[np.bool_], float]:
    """Which elements break the claim, and the largest distance in the unit that it bounds."""
    unlike = bits_of(left) != bits_of(right)
    # Which NaN an operation gives is not for a kernel to choose.
    unlike &= ~(is_nan(left, form) & is_nan(right, form))
    if contract.claim is Claim.BITWISE or not unlike.any():
        return unlike, 0.0
    a, b = values_of(left, form), values_of(right, form)
    with np.errstate(all="ignore"):
        gap = np.abs(a - b)
        relative = gap / np.maximum(np.abs(a), np.abs(b))
        far = unlike.copy()
        steps = ulps(left, right, form)
        for bound, measure in (
            (contract.ulp, steps), (contract.relative, relative), (contract.absolute, gap),
        ):  # fmt: skip
            if bound is not None:
                far &= ~(measure <= bound)
    unit = steps if contract.ulp is not None else relative if contract.relative is not None else gap
    inside = unit[unlike & np.isfinite(unit)]
    return far, float(inside.max()) if inside.size else 0.0


def _worst_text(contract: Contract, worst: float) -> str:
    if contract.claim is not Claim.CLOSE:
        return ""
    if contract.ulp is not None:
        return f"{worst:.0f} ulp"
    return f"{worst:.3g} {'relative' if contract.relative is not None else 'absolute'}"


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
    bad, compared = {}, 0
    for name in _compared(contract):
        compared += int(np.count_nonzero(left.written[name] | right.written[name]))
        wrong = left.hashes[name] != right.hashes[name]
        if wrong.any():
            bad[name] = wrong
    if bad:
        name, element, count = _first(bad)
        mismatch = Mismatch(
            buffer=name,
            index=_index(element, case.buffers[name].shape),
            left="",
            right="",
            count=count,
            compared=compared,
            parting=parting(left, right, name, element, case),
        )
        return CaseResult(
            title,
            "broken",
            "the results are computed in different ways",
            compared,
            caveats=caveats,
            mismatch=mismatch,
        )
    if doubt:
        return CaseResult(title, "unknown", doubt, compared, caveats=caveats)
    held = _held(title, compared, left.launches + right.launches, "", "")
    return msgspec.structs.replace(held, caveats=caveats)


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
