"""A contract: two computations over the same buffers, and what is claimed of their results."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from sassay.model.artifact import Scalar
from sassay.model.finding import Effect

Whole = int | str
"""A whole number, or an expression of dimensions."""


class Claim(StrEnum):
    """What a contract claims.

    `IDENTICAL`: equal expressions, so equal bits for all inputs. `BITWISE`: equal bits on inputs
    that were run. `CLOSE`: a bounded distance on such inputs.
    """

    IDENTICAL = "identical"
    BITWISE = "bitwise"
    CLOSE = "close"


class Role(StrEnum):
    """What a buffer is to the kernels.

    `IN`: it holds something, and nobody may write it. `OUT`: it holds nothing, so nobody may read
    what nobody wrote. `INOUT`: it holds something and may be written.
    """

    IN = "in"
    OUT = "out"
    INOUT = "inout"


class RaceSearch(StrEnum):
    """What is looked for of races between threads.

    `OFF`: nothing. `HARMFUL`: races that can change a result. `ALL`: also those that cannot.
    """

    OFF = "off"
    HARMFUL = "harmful"
    ALL = "all"


LABELS: tuple[str, ...] = ("exact", "modelled", "approximate")
"""How far values can be trusted, the best first."""

INPUTS: tuple[str, ...] = ("normal", "wide", "specials", "subnormals")
"""How floating-point buffers are filled; see `fill.py`."""
FILLS: tuple[str, ...] = (*INPUTS, "uniform", "zeros", "ones", "poison")


class BufferSpec(msgspec.Struct, frozen=True):
    """A buffer that both sides see under one name.

    Attributes:
        type: Element type; `{T}` stands for a type of the grid.
        shape: By dimension.
        fill: A name of `FILLS`; None: by the case's inputs.
        low: For integers: the smallest value.
        high: For integers: one more than the largest; None without.
        values: Values to repeat; empty: none given.
        file: A `.npy` file with the content; None without.
        of: Another buffer whose content, times the scalar `by`, this one holds, rounded once.
        by: That scalar.
        compared: Whether the two sides have to agree on it.
        role: What it is to the kernels. Not given, it is `OUT` where the fill is `poison` and
            `INOUT` where any other content is given; else None: `OUT` for kernels that write it.
    """

    type: str
    shape: tuple[Whole, ...]
    fill: str | None = None
    low: Whole = 0
    high: Whole | None = None
    values: tuple[float, ...] = ()
    file: str | None = None
    of: str | None = None
    by: str | None = None
    compared: bool = True
    role: Role | None = None


class Step(msgspec.Struct, frozen=True):
    """Launches of one kernel.

    Attributes:
        kernel: Glob over symbol, name and family.
        origin: Where the kernel comes from: a manifest, or any INPUT of the command line.
        arch: Glob over architectures; None: any.
        where: What the instance must have been compiled for: a type by parameter, a constant or
            an option by name.
        each: Loop variables with their count: one launch for every combination.
        grid: Blocks by dimension.
        block: Threads by dimension; empty: what the kernel was compiled for.
        shared: Bytes of dynamic shared memory; None: what the kernel was compiled for.
        arguments: By parameter name, or in order; empty: each parameter has the buffer, scalar or
            dimension of its own name.
    """

    kernel: str
    origin: str
    arch: str | None = None
    where: Mapping[str, Scalar] = {}
    each: Mapping[str, Whole] = {}
    grid: tuple[Whole, ...] = (1,)
    block: tuple[Whole, ...] = ()
    shared: Whole | None = None
    arguments: Mapping[str, Scalar] | tuple[Scalar, ...] = ()


class Linear(msgspec.Struct, frozen=True):
    """`out = x @ weight.T`, summed in double precision and rounded once.

    It stands for a library's matrix product, alike wherever it is used.

    Attributes:
        x: Buffer of rows.
        weight: Buffer with one row for each output.
        out: Buffer of rows that it fills.
    """

    x: str
    weight: str
    out: str


class SideSpec(msgspec.Struct, frozen=True):
    """One of the two computations: kernels one after the other, or a Python function.

    Attributes:
        steps: Kernels and matrix products in order; empty for a Python function.
        python: `FILE.py:FUNCTION`, relative to the contract file; None for kernels.
    """

    steps: tuple[Step | Linear, ...] = ()
    python: str | None = None

    @property
    def kernels(self) -> tuple[Step, ...]:
        """The steps that launch kernels."""
        return tuple(each for each in self.steps if isinstance(each, Step))


class Contract(msgspec.Struct, frozen=True):
    """One contract.

    Attributes:
        ulp: Bound on the distance in units in the last place (`close`).
        relative: Bound on the relative distance (`close`).
        absolute: What is closer than this is close whatever the other bounds say.
        dims: Values of each dimension; the grid is their product.
        types: Element types by placeholder, likewise.
        scalars: Numbers that are passed by value.
        inputs: How floating-point buffers are filled, one case each.
        seeds: Fillings of each kind.
        effect: What it asks for when it is broken.
        pairs: The kernels of both sides are patterns with one `*`: one contract for every kernel
            that the right one finds and whose name the left one makes of it is there.
        label: The label that every compared buffer must have, or a better one; None for any.
        races: Which races between threads break it.
    """

    name: str
    claim: Claim
    left: SideSpec
    right: SideSpec
    buffers: Mapping[str, BufferSpec]
    dims: Mapping[str, tuple[int, ...]] = {}
    types: Mapping[str, tuple[str, ...]] = {}
    scalars: Mapping[str, float] = {}
    inputs: tuple[str, ...] = INPUTS
    seeds: int = 1
    ulp: float | None = None
    relative: float | None = None
    absolute: float | None = None
    effect: Effect = Effect.FAIL
    pairs: bool = False
    label: str | None = None
    races: RaceSearch = RaceSearch.HARMFUL


class ContractFile(msgspec.Struct, frozen=True):
    """The contracts of one file; `folder` is where its paths start."""

    path: str
    folder: str
    contracts: tuple[Contract, ...]
