"""Runs one side of a contract on numbers, or on expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.errors import UsageError
from sassay.machine.labels import worse, worst
from sassay.machine.parity.bind import Values, launches_of
from sassay.machine.parity.contract import Linear
from sassay.machine.parity.formats import values_of, words_of
from sassay.machine.run import run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sassay.machine.launch import Launch
    from sassay.machine.numeric import Label
    from sassay.machine.parity.bind import BoundLaunch
    from sassay.machine.parity.contract import SideSpec
    from sassay.machine.parity.formats import Format
    from sassay.machine.parity.kernels import Chooser, KernelCode
    from sassay.machine.result import Result
    from sassay.model.artifact import Scalar

    Array = NDArray[Any]

Reference = Callable[..., Mapping[str, "Array"] | None]
"""A Python function of buffers by name, and of `dims`; it returns new content by name."""


@dataclass
class Outcome:
    """What a side left behind.

    Attributes:
        buffers: Words by name.
        label: The worst label of what ran.
        labels: How far each buffer can be trusted.
        forms: Instructions that ran and are not exact, with their label.
        trap: What ended it early; empty if nothing did.
        launches: Launches that had any block.
    """

    buffers: dict[str, Array]
    label: Label = "exact"
    trap: str = ""
    launches: int = 0
    labels: dict[str, Label] = field(default_factory=dict)
    forms: dict[str, Label] = field(default_factory=dict)

    def take(self, bound: BoundLaunch, result: Result) -> None:
        """Adds how far what a launch left can be trusted: never further than what it was given."""
        self.label = worse(self.label, result.label)
        self.forms |= result.forms
        given = worst(self.labels.get(array.buffer, "exact") for array in bound.arrays.values())
        for position, array in bound.arrays.items():
            own = result.labels[position] if result.labels else result.label
            if not result.written or result.written[position]:
                own = worse(given, own or "exact")
            self.labels[array.buffer] = worse(
                self.labels.get(array.buffer, "exact"), own or "exact"
            )

    def take_product(self, step: Linear) -> None:
        """The same for a matrix product, which stands for a library's."""
        self.label = worse(self.label, "modelled")
        given = worst(self.labels.get(each, "exact") for each in (step.x, step.weight))
        self.labels[step.out] = worse(given, "modelled")
        self.forms["a library's matrix product"] = "modelled"


@dataclass(frozen=True)
class Case:
    """One point of the grid.

    Attributes:
        dims: Dimensions.
        types: Types by placeholder.
        scalars: Numbers that are passed by value.
        buffers: What buffers hold at the start.
        formats: Their types.
        find_races: Whether a race in shared memory is a trap.
    """

    dims: Mapping[str, int]
    types: Mapping[str, str]
    scalars: Mapping[str, float]
    buffers: Mapping[str, Array]
    formats: Mapping[str, Format]
    find_races: bool = True

    @property
    def names(self) -> dict[str, Scalar]:
        """What placeholders stand for."""
        return {**self.dims, **self.types}


@dataclass
class Sides:
    """What running a side needs.

    Attributes:
        chooser: Finds kernels.
        references: Loaded Python functions by `FILE.py:FUNCTION`.
        runs: Runs a launch on numbers; the machine if None.
    """

    chooser: Chooser
    references: Mapping[str, Reference] = field(default_factory=dict)
    runs: Callable[[KernelCode, Launch], Result] | None = None

    def bound(
        self, spec: SideSpec, case: Case, buffers: Mapping[str, Array]
    ) -> Iterator[BoundLaunch | Linear]:
        """The launches of a side, bound to its memory, and the products between them."""
        values = Values(case.dims, case.scalars, buffers, case.find_races)
        for step in spec.steps:
            if isinstance(step, Linear):
                yield step
                continue
            kernel = self.chooser.choose(step, case.names)
            yield from launches_of(step, kernel, values)

    def numeric(self, spec: SideSpec, case: Case) -> Outcome:
        """Runs a side on numbers.

        Raises:
            SassayError: A kernel cannot be found, bound or run.
        """
        buffers = {name: array.copy() for name, array in case.buffers.items()}
        if spec.python is not None:
            return self._python(spec.python, case, buffers)
        outcome = Outcome(buffers)
        for bound in self.bound(spec, case, buffers):
            if isinstance(bound, Linear):
                multiply(bound, buffers, case.formats)
                outcome.take_product(bound)
                continue
            outcome.launches += bool(bound.launch.blocks)
            if self.runs is None:
                result = run(bound.kernel.program, bound.launch)
            else:
                result = self.runs(bound.kernel, bound.launch)
            for position, array in bound.arrays.items():
                found = result.arrays[position]
                if found is not None and array.view.size:
                    array.view[...] = found
            outcome.take(bound, result)
            if result.trap is not None:
                outcome.trap = f"{bound.kernel.symbol}: {result.trap}"
                break
        return outcome

    def _python(self, name: str, case: Case, buffers: dict[str, Array]) -> Outcome:
        function = self.references.get(name)
        if function is None:
            raise UsageError(
                f"{name} is Python code, which runs only when it is asked for", hint="--run-python"
            )
        readable = {
            key: values_of(words, case.formats[key]) if case.formats[key].is_float else words.copy()
            for key, words in buffers.items()
        }
        single = {
            key: value.astype(np.float32) if case.formats[key].dtype.itemsize < 8 else value
            for key, value in readable.items()
            if case.formats[key].is_float
        }
        given = {**readable, **single, **case.scalars, **case.dims}
        returned = function(**given)
        for key, value in (returned or {}).items():
            if key not in buffers:
                raise UsageError(f"{name} returns {key!r}, which is no buffer")
            array = np.asarray(value)
            if array.shape != buffers[key].shape:
                raise UsageError(
                    f"{name} returns {key} with the shape {array.shape}, not {buffers[key].shape}"
                )
            buffers[key] = words_of(array, case.formats[key])
        filled = sum(bool(np.asarray(value).size) for value in (returned or {}).values())
        return Outcome(buffers, launches=filled)


def multiply(step: Linear, buffers: Mapping[str, Array], formats: Mapping[str, Format]) -> None:
    """Does a matrix product.

    Raises:
        UsageError: The shapes do not fit.
    """
    x, weight = (values_of(buffers[name], formats[name]) for name in (step.x, step.weight))
    out = buffers[step.out]
    if (
        x.ndim != 2
        or weight.ndim != 2
        or out.shape != (x.shape[0], weight.shape[0])
        or (x.shape[1] != weight.shape[1])
    ):
        raise UsageError(
            f"{step.x}{x.shape} times {step.weight}{weight.shape} does not give "
            f"{step.out}{out.shape}"
        )
    with np.errstate(all="ignore"):
        out[...] = words_of(x @ weight.T, formats[step.out])
