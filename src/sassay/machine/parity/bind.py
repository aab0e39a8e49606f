"""What a launch passes: buffers, rows of buffers and numbers, by the names of a contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.errors import LimitError, UsageError
from sassay.machine.launch import Launch
from sassay.machine.parity import limits
from sassay.machine.parity.arithmetic import value_of
from sassay.machine.types import TYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sassay.machine.launch import Argument
    from sassay.machine.parity.contract import Step
    from sassay.machine.parity.kernels import KernelCode
    from sassay.model.artifact import Scalar

    Array = NDArray[Any]

_SCRATCH = 2
"""Pointers to scratch memory that Triton adds behind a kernel's own parameters, at most."""


@dataclass(frozen=True)
class Bound:
    """An array argument: a buffer, or the part of it that indices name.

    Attributes:
        buffer: Its name.
        start: The part's first element, flat.
        view: The part, in the side's own memory.
    """

    buffer: str
    start: int
    view: Array


@dataclass(frozen=True)
class BoundLaunch:
    """One launch, ready to run.

    Attributes:
        kernel: What is launched.
        launch: How; its arrays are those of `arrays`.
        arrays: By argument position.
        scalars: Names of the floating-point arguments, by position.
    """

    kernel: KernelCode
    launch: Launch
    arrays: Mapping[int, Bound]
    scalars: Mapping[int, str]


@dataclass(frozen=True)
class Values:
    """What names stand for in one case.

    Attributes:
        dims: Dimensions.
        scalars: Numbers.
        buffers: The side's own memory.
        find_races: Whether a race in shared memory is a trap.
    """

    dims: Mapping[str, int]
    scalars: Mapping[str, float]
    buffers: Mapping[str, Array]
    find_races: bool = True


def launches_of(step: Step, kernel: KernelCode, values: Values) -> Iterator[BoundLaunch]:
    """The launches of a step, one for every combination of its loop variables.

    Raises:
        UsageError: An argument is missing, unknown, or breaks what the kernel was compiled for.
        LimitError: There are too many.
    """
    counts = {name: value_of(count, values.dims) for name, count in step.each.items()}
    if int(np.prod([*counts.values(), 1], dtype=object)) > limits.MAX_LAUNCHES:
        raise LimitError(
            f"{kernel.symbol} would be launched {counts} times",
            hint=f"at most {limits.MAX_LAUNCHES}",
        )
    for point in product(*(range(max(count, 0)) for count in counts.values())):
        names = {**values.dims, **dict(zip(counts, point, strict=True))}
        yield _launch(step, kernel, values, names)


def _launch(
    step: Step, kernel: KernelCode, values: Values, names: Mapping[str, int]
) -> BoundLaunch:
    block: tuple[int, ...] = tuple(value_of(each, names) for each in step.block)
    if not block:
        if kernel.block is None:
            raise UsageError(f"nothing says how many threads {kernel.symbol} needs", hint="block =")
        block = kernel.block
    shared = kernel.shared if step.shared is None else value_of(step.shared, names)
    arrays: dict[int, Bound] = {}
    scalars: dict[int, str] = {}
    seen: dict[str, Bound] = {}
    passed: list[Argument] = []
    for position, (name, given) in enumerate(_given(step, kernel, values, names)):
        params = kernel.program.params
        pointer = position >= len(params) or TYPES[params[position].type].bits == 64
        bound = _bound(given, values, names, seen) if pointer else None
        if bound is not None:
            _check_pointer(kernel, name, bound)
            arrays[position] = bound
            passed.append(bound.view)
            continue
        number = _element(given, values, names)
        if isinstance(number, int) and kernel.program.params[position].type in {"f32", "f64"}:
            number = float(number)
        if isinstance(number, float):
            scalars[position] = str(given) if isinstance(given, str) else repr(number)
        _check_divisor(kernel, name, number)
        passed.append(number)
    passed += [None] * _scratch(kernel, len(passed))
    grid = [value_of(each, names) for each in step.grid]
    launch = Launch(grid, block, passed, shared=shared, find_races=values.find_races)
    return BoundLaunch(kernel, launch, arrays, scalars)


def _scratch(kernel: KernelCode, given: int) -> int:
    """Parameters that the front end added behind those that the source names."""
    missing = len(kernel.program.params) - given
    behind = kernel.program.params[given:]
    if 0 <= missing <= _SCRATCH and all(each.type == "u64" for each in behind):
        return missing
    raise UsageError(
        f"{kernel.symbol} takes {len(kernel.program.params)} arguments, not {given}",
        hint=f"its parameters: {', '.join(kernel.parameters)}",
    )


def _given(
    step: Step, kernel: KernelCode, values: Values, names: Mapping[str, int]
) -> list[tuple[str, Scalar]]:
    arguments = step.arguments
    if isinstance(arguments, tuple) and arguments:
        padded = [*kernel.parameters, *[""] * len(arguments)]
        return list(zip(padded, arguments, strict=False))
    known = {*names, *values.scalars, *values.buffers}
    found: list[tuple[str, Scalar]] = []
    table = arguments if isinstance(arguments, Mapping) else {}
    for name in table:
        if name not in kernel.parameters and name not in kernel.signature:
            raise UsageError(
                f"{kernel.symbol} has no parameter {name!r}",
                hint=f"it has {', '.join(kernel.parameters)}",
            )
    for name in kernel.parameters:
        if name in table:
            found.append((name, table[name]))
            continue
        own = next((each for each in (name, name.removesuffix("_ptr")) if each in known), None)
        if own is None:
            if not kernel.signature and len(found) >= len(kernel.parameters) - _SCRATCH:
                break
            raise UsageError(
                f"nothing is given for the parameter {name!r} of {kernel.symbol}",
                hint=f"name it in arguments; known: {', '.join(sorted(known))}",
            )
        found.append((name, own))
    return found


def _bound(
    given: Scalar, values: Values, names: Mapping[str, int], seen: dict[str, Bound]
) -> Bound | None:
    if not isinstance(given, str):
        return None
    buffer, bracket, index = given.partition("[")
    if buffer not in values.buffers:
        return None
    whole = values.buffers[buffer]
    at: tuple[int, ...] = ()
    if bracket:
        at = tuple(value_of(part.strip(), names) for part in index.removesuffix("]").split(","))
    if len(at) > whole.ndim or any(not 0 <= i < n for i, n in zip(at, whole.shape, strict=False)):
        raise UsageError(f"{given} is outside of {buffer}, which has the shape {whole.shape}")
    key = f"{buffer}{at}"
    if key not in seen:
        if any(bound.buffer == buffer for bound in seen.values()):
            raise UsageError(
                f"{given} and another part of {buffer} are passed to one launch",
                hint="pass the whole buffer twice, or two buffers",
            )
        start, size = 0, int(np.prod(whole.shape[len(at) :]))
        for place, length in zip(at, whole.shape, strict=False):
            start = start * length + place
        start *= size
        shape = whole.shape[len(at) :] or (1,)
        view = whole.reshape(-1)[start : start + size].reshape(shape)
        seen[key] = Bound(buffer, start, view)
    return seen[key]


def _element(given: Scalar, values: Values, names: Mapping[str, int]) -> int | float | None:
    """A number, which may be an element of a buffer."""
    buffer, bracket, index = given.partition("[") if isinstance(given, str) else ("", "", "")
    if not bracket:
        return _number(given, values, names)
    at = tuple(value_of(part.strip(), names) for part in index.removesuffix("]").split(","))
    whole = values.buffers[buffer]
    if len(at) != whole.ndim or any(not 0 <= i < n for i, n in zip(at, whole.shape, strict=True)):
        raise UsageError(f"{given} is no element of {buffer}, which has the shape {whole.shape}")
    found: int | float = whole[at].item()
    return found


def _number(given: Scalar, values: Values, names: Mapping[str, int]) -> int | float | None:
    if isinstance(given, str):
        if given == "null":
            return None
        if given in values.scalars:
            return values.scalars[given]
        return value_of(given, names)
    return given


def _check_pointer(kernel: KernelCode, name: str, bound: Bound) -> None:
    divisor = kernel.divisibility.get(name, 1)
    offset = bound.start * bound.view.dtype.itemsize
    if offset % divisor:
        raise UsageError(
            f"{kernel.symbol} was compiled for {name} at multiples of {divisor} bytes, "
            f"not {offset} behind the start of {bound.buffer}",
            hint="choose dimensions that fit, or an instance that was compiled for less",
        )


def _check_divisor(kernel: KernelCode, name: str, number: float | None) -> None:
    divisor = kernel.divisibility.get(name, 1)
    if number is not None and number == int(number) and int(number) % divisor:
        raise UsageError(
            f"{kernel.symbol} was compiled for {name} divisible by {divisor}, not {number}",
            hint="choose dimensions that fit, or an instance that was compiled for less",
        )
