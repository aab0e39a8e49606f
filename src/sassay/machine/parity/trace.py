"""Runs one side of a contract on expressions, and says how two elements came about."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.machine.parity.contract import Linear
from sassay.machine.parity.execute import multiply
from sassay.machine.path.reduce import reduction
from sassay.machine.path.words import describe_levels
from sassay.machine.reads import first_read
from sassay.machine.run import run
from sassay.machine.symbolic import Leaf, hashing, run_symbolic
from sassay.model.numeric_path import Reduction
from sassay.model.parity import Parting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sassay.machine.parity.bind import BoundLaunch
    from sassay.machine.parity.contract import SideSpec
    from sassay.machine.parity.execute import Case, Sides
    from sassay.machine.program import Place
    from sassay.machine.symbolic import Caveat, Expression, SymbolicResult
    from sassay.model.artifact import SourceLocation

    Array = NDArray[Any]

_DEPTH = 4
_WIDTH = 160
_PATH = 4
_FEW = 4


@dataclass
class Trace:
    """What a side computed, element by element.

    Attributes:
        hashes: Of the expression of each element, by buffer.
        written: Which elements some launch wrote.
        caveats: What the expressions do not cover, with the launch that each came up in.
        trap: What ended it early; empty if nothing did.
        launches: Launches that had any block.
        products: The matrix product that filled a buffer, by the buffer.
    """

    hashes: dict[str, NDArray[np.uint64]]
    written: dict[str, NDArray[np.bool_]]
    caveats: list[tuple[BoundLaunch, Caveat]] = field(default_factory=list)
    trap: str = ""
    launches: int = 0
    products: dict[str, Linear] = field(default_factory=dict)
    _runs: list[tuple[SymbolicResult, BoundLaunch]] = field(default_factory=list)
    _places: dict[str, list[tuple[int, NDArray[np.int64]]]] = field(default_factory=dict)
    _inputs: list[dict[str, NDArray[np.uint64]]] = field(default_factory=list)

    def take(self, bound: BoundLaunch, result: SymbolicResult) -> None:
        """Adds what a launch wrote."""
        number = len(self._runs)
        self._runs.append((result, bound))
        inputs: dict[str, NDArray[np.uint64]] = {}
        for array in bound.arrays.values():
            part = slice(array.start, array.start + array.view.size)
            if self.written[array.buffer].reshape(-1)[part].any():
                inputs[array.buffer] = self.hashes[array.buffer].reshape(-1)[part].copy()
        self._inputs.append(inputs)
        for position, array in bound.arrays.items():
            hashes, written = result.outputs[position], result.written[position]
            if hashes is None or written is None or not written.any():
                continue
            places = np.flatnonzero(written.reshape(-1))
            self._places.setdefault(array.buffer, []).append((number, places + array.start))
            part = slice(array.start, array.start + array.view.size)
            self.hashes[array.buffer].reshape(-1)[part][places] = hashes.reshape(-1)[places]
            self.written[array.buffer].reshape(-1)[part][places] = True

    def explain(self, buffer: str, element: int) -> Expression | None:
        """The expression of an element, through all launches; None if nobody wrote it.

        Args:
            buffer: Its name.
            element: Flat.
        """
        return self._explain(buffer, element, len(self._runs))

    def read_of(self, buffer: str, element: int, source: str, index: int) -> Place | None:
        """Where the launch that wrote an element reads an element of another buffer first.

        Args:
            buffer: Of the element that is written.
            element: Flat.
            source: The other buffer.
            index: Of its element, flat.
        """
        writers = [
            number for number, places in self._places.get(buffer, ()) if _holds(places, element)
        ]
        for number in reversed(range(writers[-1] + 1 if writers else 0)):
            _, bound = self._runs[number]
            for position, array in bound.arrays.items():
                place = index - array.start
                if array.buffer == source and 0 <= place < array.view.size:
                    byte = place * array.view.dtype.itemsize
                    op = first_read(bound.kernel.program, bound.launch, position, byte)
                    if op is not None:
                        return op.place
        return None

    def _explain(self, buffer: str, element: int, before: int) -> Expression | None:
        """The expression that an element had before a launch."""
        writers = [
            number
            for number, places in self._places.get(buffer, ())
            if number < before and _holds(places, element)
        ]
        if not writers:
            return None
        result, bound = self._runs[writers[-1]]
        for position, array in bound.arrays.items():
            if array.buffer == buffer:
                found = result.explain(position, element - array.start)
                return self._joined(found, bound, writers[-1])
        return None

    def _joined(self, root: Expression, bound: BoundLaunch, number: int) -> Expression:
        """An expression with what earlier launches left put in where it stands for itself."""
        made: dict[int, Expression] = {}
        earlier: dict[int, tuple[str, int]] = {}
        for array in bound.arrays.values():
            part = self._inputs[number].get(array.buffer)
            if part is not None:
                places = enumerate(part.reshape(-1).tolist())
                earlier |= {hash_: (array.buffer, array.start + at) for at, hash_ in places}
        for node in root.walk():
            operands = tuple(made[id(each)] for each in node.operands)
            found = node
            if node.operation == "unknown" and node.hash in earlier:
                found = self._explain(*earlier[node.hash], number) or node
            elif any(new is not old for new, old in zip(operands, node.operands, strict=True)):
                found = replace(node, operands=operands)
            made[id(node)] = found
        return made[id(root)]


def _holds(places: NDArray[np.int64], element: int) -> bool:
    at = int(np.searchsorted(places, element))
    return at < len(places) and int(places[at]) == element


def trace(sides: Sides, spec: SideSpec, case: Case) -> Trace:
    """Runs a side on expressions.

    Raises:
        SassayError: A kernel cannot be found, bound or run.
    """
    buffers = {name: array.copy() for name, array in case.buffers.items()}
    found = Trace(
        hashes={name: leaf_hashes(name, array.shape) for name, array in buffers.items()},
        written={name: np.zeros(array.shape, np.bool_) for name, array in buffers.items()},
    )
    several = len(spec.steps) > 1
    for bound in sides.bound(spec, case, buffers):
        if isinstance(bound, Linear):
            multiply(bound, buffers, case.formats)
            _multiplied(bound, found)
            continue
        found.launches += bool(bound.launch.blocks)
        result = run_symbolic(bound.kernel.program, bound.launch, leaves=_leaves(bound, found))
        found.caveats += [(bound, each) for each in result.caveats]
        if result.trap is not None:
            found.trap = f"{bound.kernel.symbol}: {result.trap}"
            break
        found.take(bound, result)
        if several:
            # What a later step takes as an index has to be there as a number.
            numeric = run(bound.kernel.program, bound.launch)
            for position, array in bound.arrays.items():
                content = numeric.arrays[position]
                if content is not None and array.view.size:
                    array.view[...] = content
    return found


def _multiplied(step: Linear, found: Trace) -> None:
    """Hashes of a matrix product: of a row of x, a row of the weight, and nothing else."""
    rows = [
        (found.hashes[name] * hashing.leaf(hashing.name_hash("term"), np.arange(n))).sum(axis=1)
        for name in (step.x, step.weight)
        for n in found.hashes[name].shape[1:]
    ]
    mixed = hashing.leaf(hashing.name_hash("linear"), rows[0].view(np.int64)[:, None])
    out = hashing.leaf(hashing.name_hash("output"), (mixed + rows[1][None, :]).view(np.int64))
    found.hashes[step.out] = out
    found.written[step.out][...] = True
    found.products[step.out] = step


def leaf_hashes(name: str, shape: tuple[int, ...]) -> NDArray[np.uint64]:
    """What the elements of a buffer that nobody wrote are called."""
    count = int(np.prod(shape))
    places = np.arange(count, dtype=np.int64)
    found: NDArray[np.uint64] = hashing.leaf(hashing.name_hash(f"leaf {name}"), places)
    return found.reshape(shape)


def _leaves(bound: BoundLaunch, found: Trace) -> dict[int, Leaf]:
    leaves = {position: Leaf(name) for position, name in bound.scalars.items()}
    for position, array in bound.arrays.items():
        part = slice(array.start, array.start + array.view.size)
        leaves[position] = Leaf(array.buffer, array.start)
        if found.written[array.buffer].reshape(-1)[part].any():
            hashes = found.hashes[array.buffer].reshape(-1)[part].copy()
            leaves[position] = Leaf(array.buffer, hashes)
    return leaves


def parting(left: Trace, right: Trace, buffer: str, element: int, case: Case) -> Parting:
    """Where the expressions of one element part.

    Args:
        left: The left side.
        right: The right side.
        buffer: Which buffer.
        element: Flat.
        case: For the shapes of buffers.
    """
    shapes = {name: array.shape for name, array in case.buffers.items()}
    a, b = left.explain(buffer, element), right.explain(buffer, element)
    above: list[tuple[Expression, Expression]] = []
    if a is not None and b is not None:
        a, b, above = descend(a, b)
    nothing = f"the content of {buffer} before: nobody wrote it"
    placed = [each for each in above if each[0].place and each[1].place][-1:]
    near_a = _near(left, buffer, element, a, [each for each, _ in placed])
    near_b = _near(right, buffer, element, b, [each for _, each in placed])
    left_words = nothing if a is None else words(a, shapes)
    right_words = nothing if b is None else words(b, shapes)
    if left_words == right_words:
        right_words = f"the same form over other terms, or in another order: {right_words}"
    return Parting(
        path=tuple(each.label for each, _ in reversed(above[-_PATH:])),
        left=left_words,
        right=right_words,
        left_place=near_a[0],
        right_place=near_b[0],
        left_location=near_a[1],
        right_location=near_b[1],
    )


def _near(
    side: Trace, buffer: str, element: int, node: Expression | None, above: list[Expression]
) -> tuple[str, SourceLocation | None]:
    """The place of a node: of an input where it is read, else of what is made of it."""
    if node is not None and node.operation == "input" and node.index is not None:
        place = side.read_of(buffer, element, node.name, node.index)
        if place is not None:
            words = f"line {place.line}"
            if place.location is not None:
                words = f"{place.location.file}:{place.location.line}"
            return words, place.location
    if node is None or not node.place:
        node = above[-1] if above else node
    return ("", None) if node is None else (node.place, node.location)


def descend(
    left: Expression, right: Expression
) -> tuple[Expression, Expression, list[tuple[Expression, Expression]]]:
    """Follows two expressions from the root to where they part.

    While one operand alone differs, or all that differ have the same form and other inputs, the
    way leads on, in the second case into the first of them. It ends where the form differs.

    Returns:
        The two nodes, and the pairs above them, the root first.
    """
    forms: dict[int, int] = {}
    above: list[tuple[Expression, Expression]] = []
    while left.operation == right.operation and len(left.operands) == len(right.operands):
        pairs = _unlike(left, right)
        if not pairs:
            break
        apart = [pair for pair in pairs if _form(pair[0], forms) != _form(pair[1], forms)]
        if len(apart) > 1 or (apart and len(pairs) > 1 and left.operation.startswith("add")):
            break
        above.append((left, right))
        left, right = (apart or pairs)[0]
    return left, right, above


def _unlike(left: Expression, right: Expression) -> list[tuple[Expression, Expression]]:
    """Pairs of operands that differ; what stands in another order does not."""
    kept_right = list(right.operands)
    kept_left = []
    for each in left.operands:
        same = next((other for other in kept_right if other.hash == each.hash), None)
        if same is None:
            kept_left.append(each)
        else:
            kept_right.remove(same)
    return list(zip(kept_left, kept_right, strict=True))


def _form(root: Expression, known: dict[int, int]) -> int:
    """A hash of an expression without the places of its inputs."""
    for node in root.walk():
        if id(node) not in known:
            name = node.name if not node.operands else ""
            parts = tuple(known[id(each)] for each in node.operands)
            known[id(node)] = hash((node.operation, name, parts))
    return known[id(root)]


def words(node: Expression, shapes: Mapping[str, tuple[int, ...]], depth: int = _DEPTH) -> str:
    """An expression in words, cut where it gets deep or long; a long sum by its terms."""
    tree = reduction(node)
    if tree is not None and len(tree.terms) > _FEW:
        found = Reduction(
            what=tree.what, term="", operation=tree.joined, fused=False, terms=len(tree.terms),
            levels=tree.levels, spacing=None, place="",
        )  # fmt: skip
        return f"a {tree.what} of {len(tree.terms):,} terms: {describe_levels(found)}"
    for levels in range(depth, -1, -1):
        text = _words(node, shapes, levels)
        if len(text) <= _WIDTH:
            return text
    return f"{_words(node, shapes, 0)[:_WIDTH]}"


def _words(node: Expression, shapes: Mapping[str, tuple[int, ...]], depth: int) -> str:
    if node.operation == "input" and node.index is not None and node.name in shapes:
        shape = shapes[node.name]
        if 0 <= node.index < int(np.prod(shape)):
            at = ", ".join(str(int(i)) for i in np.unravel_index(node.index, shape))
            return f"{node.name}[{at}]"
    if not node.operands:
        return node.label
    if depth <= 0:
        return f"{node.label}(...)"
    inner = ", ".join(_words(each, shapes, depth - 1) for each in node.operands)
    return f"{node.label}({inner})"
