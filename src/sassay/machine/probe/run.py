"""Runs a probe: rows by kind, both sides on each, rates, and the smallest row that flips."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.errors import InputError, SassayError
from sassay.machine.labels import worse, worst
from sassay.machine.parity.arithmetic import names_in, value_of
from sassay.machine.parity.contract import Linear, RaceSearch, SideSpec
from sassay.machine.parity.execute import Case, Outcome, Sides
from sassay.machine.parity.fill import buffers_of, random_of
from sassay.machine.parity.formats import FORMATS, bits_of, text_of, values_of, words_of
from sassay.machine.parity.watch import watch
from sassay.machine.probe.compare import Chosen, Counts
from sassay.machine.probe.explain import explain
from sassay.machine.probe.rows import rows_of
from sassay.machine.probe.shrink import shrink
from sassay.machine.probe.spec import ROWS, Bounds, ProbeSpec
from sassay.model.finding import Verdict
from sassay.model.parity import Flip, ProbeKind, ProbeReport, RaceFound

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sassay.machine.numeric import Label

    Array = NDArray[Any]

Progress = Callable[[str], None]


_LOOKED = 8
_WORTH: dict[Label, str] = {
    "exact": "IEEE 754 decides every bit, so a GPU has the same rates on these rows",
    "modelled": "what IEEE 754 leaves open is computed as the GPU did that the machine's models "
    "were measured on: it has the same rates on these rows",
    "approximate": "some instructions are computed in double precision and rounded; a GPU may "
    "round otherwise, so its rates on these rows may differ",
}


def _racing(races: list[RaceFound]) -> tuple[str, ...]:
    """Sides whose threads race, in words."""
    found = dict.fromkeys((each.side, each.buffer) for each in races if each.kind == "race")
    return tuple(f"threads of the {side} side race for {buffer}" for side, buffer in found)


def run_probe(spec: ProbeSpec, sides: Sides, *, progress: Progress | None = None) -> ProbeReport:
    """Runs a probe.

    Args:
        spec: The probe.
        sides: Finds kernels and Python functions.
        progress: Told how far it is.

    Raises:
        SassayError: A kernel cannot be found, bound or run, or it traps.
    """
    return _Runner(spec, sides, progress).report()


class _Runner:
    """Keeps what all chunks of rows share."""

    def __init__(self, spec: ProbeSpec, sides: Sides, progress: Progress | None) -> None:
        self._spec = spec
        self._sides = sides
        self._progress = progress
        self._label: Label = "exact"
        self._labels: dict[str, Label] = {}
        self._forms: dict[str, Label] = {}
        for origin in sides.chooser.prepare([*spec.left.kernels, *spec.right.kernels]):
            if progress is not None:
                progress(f"reading {origin}")
            sides.chooser.all(origin)
        # What does not depend on the number of rows is the same for all of them.
        fixed = {
            name: each
            for name, each in spec.buffers.items()
            if not any(ROWS in names_in(part) for part in each.shape)
        }
        self._fixed, _ = buffers_of(
            fixed, spec.dims, {}, scalars=spec.scalars, inputs="normal",
            seed=f"{spec.name}: {spec.seed}",
            folder=spec.folder,
        )  # fmt: skip
        self._form = FORMATS[spec.buffers[spec.input].type]

    def report(self) -> ProbeReport:
        """Runs everything."""
        spec = self._spec
        races = self._look()
        total, records = Counts(), list[ProbeKind]()
        flipped: tuple[str, int, Array] | None = None
        shares = np.full(len(spec.kinds), spec.rows // len(spec.kinds))
        shares[: spec.rows % len(spec.kinds)] += 1
        first = 0
        for kind, share in zip(spec.kinds, shares.tolist(), strict=True):
            counts = Counts()
            for start in range(0, share, spec.chunk):
                size = min(spec.chunk, share - start)
                if self._progress is not None:
                    self._progress(f"{spec.name}: {first:,} of {spec.rows:,} rows, {kind}")
                rows = self._rows(kind, first, size)
                left, right = self._choose(rows)
                other = counts.add(left, right, first)
                if flipped is None and other.any():
                    at = int(np.argmax(other))
                    flipped = (kind, first + at, rows[at].copy())
                first += size
            records.append(counts.record(kind))
            total.merge(counts)
        whole = total.record("all")
        broken = (*self._broken(whole), *_racing(races))
        left_title, right_title, arch = self._titles()
        return ProbeReport(
            schema="probe/1",
            name=spec.name,
            left=left_title,
            right=right_title,
            arch=arch,
            seed=spec.seed,
            kinds=(*records, whole),
            flip=None if flipped is None else self._shrunk(*flipped),
            label=self._label,
            labels=self._labels,
            forms=dict(sorted(self._forms.items())),
            worth=_WORTH[worst(self._labels.values())] + self._library(),
            races=tuple(races),
            numeric=self._numeric(),
            verdict=Verdict.FAIL if broken else Verdict.PASS,
            broken=broken,
            bounded=spec.bounds != Bounds(),
        )

    def _library(self) -> str:
        """What a product that stands for a library's takes away from that."""
        steps = (*self._spec.left.steps, *self._spec.right.steps)
        product = next((step for step in steps if isinstance(step, Linear)), None)
        if product is None:
            return ""
        return f"; {product.out} stands for a library's product, which may round otherwise"

    def _look(self) -> list[RaceFound]:
        """Looks closely at a few rows: reads of what nobody wrote, races.

        Raises:
            InputError: A kernel traps.
        """
        spec = self._spec
        case = self._case(self._rows(spec.kinds[0], 0, min(_LOOKED, spec.rows)))
        races: list[RaceFound] = []
        for name, side in (("left", spec.left), ("right", spec.right)):
            seen = watch(self._sides, side, case, spec.buffers, name=name, search=spec.races)
            if seen.trap:
                raise InputError(f"the {name} side trapped: {seen.trap}", artifact=spec.path)
            races += seen.races
        return races

    def _rows(self, kind: str, first: int, size: int) -> Array:
        width = value_of(self._spec.buffers[self._spec.input].shape[1], self._spec.dims)
        random = random_of(self._spec.name, self._spec.seed, kind, first)
        return rows_of(random, kind, (size, width), self._form)

    def _case(self, rows: Array) -> Case:
        spec = self._spec
        dims = {**spec.dims, ROWS: len(rows)}
        moving = {
            name: each
            for name, each in spec.buffers.items()
            if name not in self._fixed and name != spec.input
        }
        buffers, formats = buffers_of(
            moving,
            dims,
            {},
            scalars=spec.scalars,
            inputs="zeros",
            seed=spec.name,
            folder=spec.folder,
        )
        formats |= {name: FORMATS[each.type] for name, each in spec.buffers.items()}
        races = spec.races is not RaceSearch.OFF
        arrays = {**self._fixed, **buffers, spec.input: rows}
        return Case(dims, {}, spec.scalars, arrays, formats, races)

    def _choose(self, rows: Array) -> tuple[Chosen, Chosen]:
        case = self._case(rows)
        return self._side("left", self._spec.left, case), self._side(
            "right", self._spec.right, case
        )

    def _side(self, name: str, side: SideSpec, case: Case) -> Chosen:
        outcome: Outcome = self._sides.numeric(side, case)
        if outcome.trap:
            raise InputError(f"the {name} side trapped: {outcome.trap}", artifact=self._spec.path)
        self._label = worse(self._label, outcome.label)
        self._forms |= outcome.forms
        for key in (self._spec.ids, *([self._spec.weights] if self._spec.weights else [])):
            found = outcome.labels.get(key, "exact")
            self._labels[key] = worse(self._labels.get(key, "exact"), found)
        ids = outcome.buffers[self._spec.ids].astype(np.int64)
        if self._spec.weights is None:
            return Chosen(ids, None, None)
        words = outcome.buffers[self._spec.weights]
        form = case.formats[self._spec.weights]
        return Chosen(ids, values_of(words, form), bits_of(words))

    def _flips(self, rows: Array) -> NDArray[np.bool_]:
        left, right = self._choose(rows)
        return Counts().add(left, right, 0)

    def _shrunk(self, kind: str, number: int, row: Array) -> Flip:
        if self._progress is not None:
            self._progress(f"{self._spec.name}: looking for the smallest row that flips")
        small = shrink(row, self._form, self._flips)
        left, right = self._choose(small[None, :])
        zero = words_of(np.zeros(1), self._form)[0]
        kept = np.flatnonzero(bits_of(small) != bits_of(np.array([zero]))[0]).tolist()
        only = [sorted(set(a) - set(b)) for a, b in (
            (left.ids[0].tolist(), right.ids[0].tolist()),
            (right.ids[0].tolist(), left.ids[0].tolist()),
        )]  # fmt: skip
        return Flip(
            kind=kind,
            row=number,
            values={f"{self._spec.input}[{at}]": text_of(small[at], self._form) for at in kept},
            filling=text_of(zero, self._form),
            left=tuple(left.ids[0].tolist()),
            right=tuple(right.ids[0].tolist()),
            note=f"{len(kept)} of {len(row)} values are left; the left side alone chooses "
            f"{', '.join(map(str, only[0]))}, the right side alone {', '.join(map(str, only[1]))}",
        )

    def _broken(self, whole: ProbeKind) -> tuple[str, ...]:
        bounds, lines = self._spec.bounds, []
        for name in ("set_disagreement", "order_disagreement", "expert_flips"):
            bound, found = getattr(bounds, name), getattr(whole, name)
            share = found.count / found.trials if found.trials else 0.0
            if bound is not None and share > bound:
                lines.append(f"{name.replace('_', ' ')} is {share:.4g}, over {bound:g}")
        bound, largest = bounds.weight_difference, whole.largest_weight_difference
        if bound is not None and (largest is None or largest > bound):
            words = "not finite" if largest is None else f"{largest:.4g}"
            lines.append(f"the largest weight difference is {words}, over {bound:g}")
        return tuple(lines)

    def _titles(self) -> tuple[str, str, str]:
        archs: dict[str, None] = {}
        titles = []
        for side in (self._spec.left, self._spec.right):
            parts = []
            for step in side.steps:
                if isinstance(step, Linear):
                    parts.append(f"linear({step.x})")
                    continue
                code = self._sides.chooser.choose(step, dict(self._spec.dims))
                archs[code.arch] = None
                parts.append(code.symbol)
            titles.append(side.python or ", ".join(parts))
        return titles[0], titles[1], ", ".join(archs)

    def _numeric(self) -> tuple[str, ...]:
        """Which outputs of one row are computed in different ways, and how."""
        if self._spec.left.python or self._spec.right.python:
            return ()
        try:
            return explain(self._spec, self._sides, self._case(self._rows("normal", 0, 1)))
        except SassayError as error:
            return (f"the expressions could not be followed: {error}",)
