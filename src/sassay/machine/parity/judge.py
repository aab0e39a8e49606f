"""Judges contracts: every point of a contract's grid, and the first element that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from math import prod
from typing import TYPE_CHECKING

import msgspec

from sassay.errors import LimitError, SassayError
from sassay.machine.labels import worse, worst
from sassay.machine.parity import limits
from sassay.machine.parity.claims import judge_case
from sassay.machine.parity.contract import Claim, Contract, ContractFile, RaceSearch, SideSpec, Step
from sassay.machine.parity.execute import Case, Sides
from sassay.machine.parity.fill import buffers_of
from sassay.machine.parity.kernels import star_of
from sassay.machine.parity.watch import watch
from sassay.model.finding import Effect, Verdict
from sassay.model.parity import CaseResult, ContractResult, HeldWord, ParityReport, RaceFound

if TYPE_CHECKING:
    from sassay.machine.numeric import Label

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
    looked: set[tuple[object, ...]] = set()
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
                races = contract.races is not RaceSearch.OFF
                case = Case(dims, types, contract.scalars, buffers, formats, races)
                _note(titles, contract, sides, case)
                # What is read and who races depends on the point, hardly ever on the filling.
                point = (*dims.items(), *types.items())
                close = None if point in looked else _look(contract, sides, case, title)
                looked.add(point)
                if close is not None and close.outcome == "broken":
                    results.append(close)
                    continue
                result = judge_case(contract, sides, case, title)
                if close is not None:
                    result = msgspec.structs.replace(
                        result, caveats=(*result.caveats, *close.caveats), races=close.races
                    )
                results.append(result)
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
        required=contract.label or "",
        labels=_labels(results),
        forms=_forms(results),
        worth=_worth(results),
        cases=tuple(results),
    )


def _look(contract: Contract, sides: Sides, case: Case, title: str) -> CaseResult:
    """What both sides do to their buffers, whatever they compute."""
    races: list[RaceFound] = []
    caveats: list[str] = []
    why = ""
    for name, side in (("left", contract.left), ("right", contract.right)):
        seen = watch(sides, side, case, contract.buffers, name=name, search=contract.races)
        races += seen.races
        if seen.left_out:
            caveats.append(f"races of the {name} side were not all looked for: {seen.left_out}")
        if seen.trap:
            why = why or f"the {name} side trapped: {seen.trap}"
        elif seen.harmful:
            buffers = ", ".join(dict.fromkeys(each.buffer for each in seen.harmful))
            why = why or f"threads of the {name} side race for {buffers}"
    return CaseResult(
        title, "broken" if why else "holds", why, caveats=tuple(caveats), races=tuple(races)
    )


def _labels(results: list[CaseResult]) -> dict[str, Label]:
    found: dict[str, Label] = {}
    for each in results:
        for name, label in each.labels.items():
            found[name] = worse(found.get(name, "exact"), label)
    return found


def _forms(results: list[CaseResult]) -> dict[str, Label]:
    found = {form: label for each in results for form, label in each.forms.items()}
    return dict(sorted(found.items()))


def _worth(results: list[CaseResult]) -> str:
    """What the verdict says of a GPU; nothing of expressions, which hold for whatever it does."""
    labels = _labels(results)
    if not labels:
        return ""
    label = worst(labels.values())
    if label == "exact":
        return "for the inputs that were run: IEEE 754 decides every bit, on a GPU as here"
    if label == "modelled":
        return (
            "for the inputs that were run: what IEEE 754 leaves open is computed as the GPU did "
            "that the machine's models were measured on"
        )
    names = ", ".join(name for name, each in labels.items() if each == "approximate")
    return (
        f"little for {names}: its last bits are the machine's own, so a GPU may give other bits on "
        "either side, and values that agree here may differ there"
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
