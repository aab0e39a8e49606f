"""Finds the numeric path of a kernel: runs it on symbols, and reads its outputs' expressions."""

from __future__ import annotations

import hashlib
import itertools
import re
from typing import TYPE_CHECKING

import numpy as np

from sassay.errors import SassayError
from sassay.machine.load import load_program
from sassay.machine.matrix.rules import GPUS
from sassay.machine.path.compare import shape_differences
from sassay.machine.path.formula import Formulas, rounds
from sassay.machine.path.launch import NoLaunchError, plan_launches
from sassay.machine.path.runs import first_run, larger_run
from sassay.machine.path.words import describe_path
from sassay.model.fact import UNKNOWN, Fact
from sassay.model.numeric_path import (
    NumericPath,
    OutputPath,
    PathAnswer,
    Product,
    Reduction,
    Rounding,
)
from sassay.sources.record_cache import RecordCache, analysis_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sassay.machine.path.products import Dot
    from sassay.machine.path.reduce import Tree
    from sassay.machine.path.runs import Seen
    from sassay.machine.program import Program
    from sassay.machine.symbolic import Caveat, Expression, SymbolicResult
    from sassay.machine.types import Array
    from sassay.model.code import CodeStore
    from sassay.model.kernel import Kernel

NUMERIC_PATH = "numeric_path"
"""Fact: the digest of a kernel's numeric path, or `unknown`; its lines say what it is."""

VERSION = "8"
"""Of this analysis; answers of another one are not used."""

_APPROXIMATE = ("approx", "full")


class NumericPaths:
    """Finds numeric paths, each different code once.

    Args:
        store: Where the code is.
        folder: Where answers are kept between runs; None for the user's cache.
    """

    def __init__(self, store: CodeStore, folder: Path | None = None) -> None:
        self._store = store
        self._records = RecordCache(
            folder or analysis_folder(), f"numeric-path-{VERSION}", PathAnswer
        )
        self._known: dict[str, PathAnswer] = {}

    def answer(self, kernel: Kernel) -> PathAnswer:
        """The numeric path of a kernel, or why there is none.

        Args:
            kernel: Which kernel.
        """
        if kernel.code.ptx is None:
            return PathAnswer(None, "the capture holds no PTX of it")
        spec = kernel.specialization
        named = (
            kernel.symbol,
            kernel.code.ptx,
            repr(list(spec.signature.items())),
            repr(sorted(spec.constants.items())),
            repr((kernel.launch.block, kernel.launch.warps, kernel.metadata.get("shared"))),
        )
        key = hashlib.sha256("\0".join(named).encode()).hexdigest()
        if key not in self._known:
            found = self._records.load(key)
            if found is None:
                found = self._find(kernel, kernel.code.ptx)
                self._records.save(key, found)
            self._known[key] = found
        return self._known[key]

    def facts(self, kernel: Kernel) -> dict[str, Fact]:
        """The facts of a kernel."""
        if kernel.code.ptx is None:
            return {}
        found = self.answer(kernel)
        if found.path is None:
            return {NUMERIC_PATH: Fact(UNKNOWN, (found.reason,))}
        return {NUMERIC_PATH: Fact(found.path.digest, describe_path(found.path))}

    def _find(self, kernel: Kernel, ref: str) -> PathAnswer:
        try:
            text = self._store.ptx(ref)
            program = load_program(text, kernel.symbol, artifact=kernel.symbol)
            return PathAnswer(numeric_path(kernel, program))
        except NoLaunchError as error:
            return PathAnswer(None, str(error))
        except SassayError as error:
            return PathAnswer(None, error.message)


def numeric_path(kernel: Kernel, program: Program) -> NumericPath:
    """The numeric path of a kernel.

    Args:
        kernel: As captured.
        program: Its PTX, lowered.

    Raises:
        NoLaunchError: No launch can be derived, or none that the kernel survives.
        SassayError: The symbolic mode cannot run it.
    """
    plan = plan_launches(kernel, program)
    seen = first_run(program, plan)
    path = _read(seen)
    more = larger_run(program, plan)
    return path if more is None else _with_larger(path, _read(more))


def _with_larger(path: NumericPath, larger: NumericPath) -> NumericPath:
    """A path that stands for two launches: what differs between them in shape is said."""
    lines = shape_differences(path, larger)
    caveats = (*path.caveats, *(each for each in larger.caveats if each not in path.caveats))
    if lines:
        caveats = (f"a launch of {larger.launch} has another shape: {'; '.join(lines)}", *caveats)
    digest = _digest(path.digest.encode(), larger.digest.encode())
    return NumericPath(path.outputs, digest, path.launch, caveats)


def _read(seen: Seen) -> NumericPath:
    result, derived = seen.result, seen.derived
    outputs = []
    for position, (hashes, written) in enumerate(zip(result.outputs, result.written, strict=True)):
        if hashes is None or written is None or position in derived.scratch:
            continue
        if written.any():
            name = derived.leaves[position].name
            outputs.append(_output(result, position, name, (hashes, written)))
    if not outputs:
        raise NoLaunchError("it writes nothing in the derived launch")
    digest = _digest(*(f"{each.name} {each.digest}".encode() for each in outputs))
    return NumericPath(tuple(outputs), digest, derived.words, _caveats(result))


def _caveats(result: SymbolicResult) -> tuple[str, ...]:
    """What the proof does not cover, once for what the instructions of one source line do alike."""
    found: dict[tuple[object, ...], list[Caveat]] = {}
    for each in result.caveats:
        place = each.location or each.line
        found.setdefault((each.kind, each.arguments, place), []).append(each)
    return tuple(
        f"{first.message} (and {len(more)} more of that source line)" if more else first.message
        for first, *more in found.values()
    )


def _digest(*parts: bytes) -> str:
    return hashlib.blake2b(b"\0".join(parts), digest_size=6).hexdigest()


def _output(
    result: SymbolicResult, position: int, name: str, what: tuple[Array, Array]
) -> OutputPath:
    hashes, written = (each.reshape(-1) for each in what)
    places = np.flatnonzero(written)
    digest = _digest(places.astype("<i8").tobytes(), hashes[places].astype("<u8").tobytes())
    formulas = Formulas()
    root = _telling(result, position, places, formulas)
    nodes = list(_shown(root, formulas))
    seen: set[int] = set()
    distinct = []
    for node in nodes:
        shape = formulas.shape(node)
        if shape not in seen:
            seen.add(shape)
            distinct.append(node)
    users = _users(nodes, formulas)
    approximations: dict[str, int] = {}
    for node in distinct:
        if any(each in node.operation.split(".") for each in _APPROXIMATE):
            approximations[node.operation] = approximations.get(node.operation, 0) + 1
    return OutputPath(
        name=name,
        formula=formulas.text(root),
        reductions=_whole(
            [
                _reduction(node, tree, formulas)
                for node in distinct
                if formulas.dot(node) is None and (tree := formulas.tree(node)) is not None
            ]
        ),
        roundings=tuple(
            _rounding(node, to, formulas, users.get(formulas.shape(node), "store"))
            for node in distinct
            if (to := rounds(node.operation)) is not None
        ),
        approximations=dict(sorted(approximations.items())),
        fused=sum(
            node.operation.startswith("fma")
            and formulas.dot(node) is None
            and formulas.tree(node) is None
            for node in distinct
        ),
        constants=tuple(sorted({node.name for node in distinct if node.operation == "constant"})),
        digest=digest,
        products=tuple(
            _product(dot, formulas) for node in distinct if (dot := formulas.dot(node)) is not None
        ),
    )


def _whole(reductions: list[Reduction]) -> tuple[Reduction, ...]:
    """Reductions without those that are the first tiles of another."""

    def part(one: Reduction, other: Reduction) -> bool:
        shorter = one.terms < other.terms and len(one.levels) <= len(other.levels)
        common = len(other.levels) - 1
        return (
            shorter
            and (one.what, one.term, one.operation) == (other.what, other.term, other.operation)
            and one.levels[:common] == other.levels[:common]
        )

    return tuple(each for each in reductions if not any(part(each, other) for other in reductions))


_SHAPE = re.compile(r"\.(m\d+n\d+k\d+)\.", re.ASCII)


def _product(dot: Dot, formulas: Formulas) -> Product:
    unit, k, accumulator, *types = dot.last.operation.split(".")
    shape = _SHAPE.search(dot.last.text)
    factor = formulas.factor_text(dot.factors[-1]) if dot.factors else ""
    return Product(
        left=formulas.text(dot.factor(0)),
        right=formulas.text(dot.factor(1)),
        unit=unit,
        shape=shape[1] if shape else "",
        k=int(k[1:]),
        types=(types[0], types[1]),
        accumulator=accumulator,
        gpu=types[-1] if types[-1] in GPUS else "",
        tiles=tuple(len(each) for each in dot.tiles),
        joined=dot.joined,
        factor=factor,
        start="" if dot.start is None else formulas.text(dot.start),
        order=dot.order(),
        place=dot.last.place.rpartition("/")[2],
    )


def _telling(
    result: SymbolicResult, position: int, places: Array, formulas: Formulas
) -> Expression:
    """The expression of an element that stands for the others: the commonest shape of a few.

    Of shapes that are as common as one another the largest: a mask hides least of it.
    """
    chosen = sorted({int(places[at * (len(places) - 1) // 4]) for at in range(5)})
    roots = result.explain_all(position, chosen)
    shapes = [formulas.shape(root) for root in roots]
    sizes = [sum(1 for _ in root.walk()) for root in roots]
    best = max(range(len(roots)), key=lambda at: (shapes.count(shapes[at]), sizes[at], -at))
    return roots[best]


def _shown(root: Expression, formulas: Formulas) -> Iterator[Expression]:
    """The nodes that a formula shows, operands before what uses them."""
    seen: set[int] = set()
    stack = [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            yield node
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack += [(each, False) for each in reversed(formulas.parts(node))]


def _users(nodes: list[Expression], formulas: Formulas) -> dict[int, str]:
    found: dict[int, str] = {}
    for node in reversed(nodes):
        tree = formulas.tree(node)
        use = tree.what if tree else node.operation
        if formulas.dot(node) is not None:
            use = "dot product"
        if node.operation.startswith("cvt") and rounds(node.operation) is None:
            # Widening changes nothing: what counts is what uses it.
            use = found.get(formulas.shape(node), "store")
        for each in formulas.parts(node):
            found.setdefault(formulas.shape(each), use)
    return found


def _rounding(node: Expression, to: str, formulas: Formulas, then: str) -> Rounding:
    text = formulas.text(node)
    what = text.removeprefix(f"{to}(").removesuffix(")") if text.startswith(f"{to}(") else text
    return Rounding(to, node.operation, what, then, node.place.rpartition("/")[2])


def _reduction(node: Expression, tree: Tree, formulas: Formulas) -> Reduction:
    return Reduction(
        what=tree.what,
        term=formulas.title(tree),
        operation=tree.joined,
        fused=any(fused for _, fused in tree.terms),
        terms=tree.count,
        levels=tree.levels,
        spacing=_spacing(tree),
        place=node.place.rpartition("/")[2],
        factor="" if tree.factor is None else formulas.factor_text(tree.factor),
    )


def _spacing(tree: Tree) -> int | None:
    """How far apart the elements are that a thread takes one after the other."""
    places = []
    for node, fused in tree.first:
        roots = node.operands[:2] if fused else (node,)
        inputs = [
            (each.name, each.index)
            for root in roots
            for each in root.walk()
            if each.operation == "input" and each.index is not None
        ]
        if not inputs:
            return None
        # Of several inputs always the same one, whatever their order in a product.
        places.append(min(inputs)[1])
    steps = {b - a for a, b in itertools.pairwise(places)}
    return abs(steps.pop()) if len(steps) == 1 else None
