"""Addresses lane by lane: how far apart the threads of two warps reach.

A value is taken as a sum of things that all threads share, whose values are not known, and of a
number for each thread, which is: `%tid.x` is known, and so is what shifts, masks and constants
make of it. What does not fit is None: nothing is said of it, and no rule fires on it. Sums are
taken not to wrap around.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from sassay.lint.values import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from sassay.lint.divergence import Divergence
    from sassay.lint.program import Op
    from sassay.lint.values import Values
    from sassay.model.kernel import Launch

LANES = 64
"""Threads that are looked at: two warps."""
_ROUNDS = 4
_SWEEPS = 3
_MAX_TERMS = 32
_FAR = 1 << 62
_MAX_BITS = 62
_COPIES = frozenset({"mov", "cvta"})

_PREDICATES = 32
_ALL = np.ones(LANES, dtype=np.bool_)
_Lanes: TypeAlias = "NDArray[np.bool_]"
_COMPARISONS: Mapping[str, Callable[[NDArray[np.int64], np.int64], _Lanes]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "lo": np.less,
    "ls": np.less_equal,
    "hi": np.greater,
    "hs": np.greater_equal,
}

Terms = tuple[tuple[int, int], ...]
"""Values that all threads share, with their factors, sorted by value; a negative number stands for
a product of such values."""


@dataclass(frozen=True, eq=False)
class Form:
    """What a value is: a sum of shared terms, and a number for each lane."""

    terms: Terms
    lanes: NDArray[np.int64]

    @property
    def is_shared(self) -> bool:
        """Whether all lanes hold the same."""
        return bool((self.lanes == self.lanes[0]).all())

    @property
    def constant(self) -> int | None:
        """The number that it is, None if it is not one number for all."""
        return None if self.terms or not self.is_shared else int(self.lanes[0])

    @property
    def spread(self) -> NDArray[np.int64]:
        """How far each lane is from the first."""
        difference: NDArray[np.int64] = self.lanes - self.lanes[0]
        return difference

    @property
    def align(self) -> int:
        """A power of two that the shared terms are a multiple of."""
        found = _FAR
        for _, factor in self.terms:
            found = min(found, factor & -factor)
        return found


def _plain(lanes: NDArray[np.int64]) -> Form:
    return Form((), lanes)


def _number(value: int) -> Form | None:
    if abs(value) >= _FAR:
        return None
    return _plain(np.full(LANES, value, dtype=np.int64))


def _add(left: Form, right: Form, sign: int = 1) -> Form | None:
    if right.terms:
        terms = dict(left.terms)
        for value, factor in right.terms:
            terms[value] = terms.get(value, 0) + sign * factor
        if len(terms) > _MAX_TERMS:
            return None
        joined = tuple(sorted((v, f) for v, f in terms.items() if f))
    else:
        joined = left.terms
    return _checked(Form(joined, left.lanes + sign * right.lanes))


def _times(form: Form, factor: int) -> Form | None:
    if factor == 0:
        return _number(0)
    if abs(factor) >= _FAR or any(abs(f * factor) >= _FAR for _, f in form.terms):
        return None
    if int(np.abs(form.lanes).max()) * abs(factor) >= _FAR:
        return None
    return Form(tuple((v, f * factor) for v, f in form.terms), form.lanes * factor)


def _checked(form: Form) -> Form | None:
    return None if int(np.abs(form.lanes).max()) >= _FAR else form


class Lanes:
    """Forms of the values of a function, found when they are asked for."""

    def __init__(self, values: Values, divergence: Divergence, launch: Launch) -> None:
        self._values = values
        self._divergence = divergence
        self._forms: dict[int, Form | None] = {}
        self._addresses: dict[tuple[int, int], Form | None] = {}
        self._active: dict[tuple[int, bool, int], _Lanes] = {}
        self._opaque: set[int] = set()
        self._knows_rows = _one_dimensional(values, launch)
        self._specials = _specials(launch)
        self._loops = {loop.header: loop for loop in values.flow.loops}

    def address(self, op: Op, which: int = 0) -> Form | None:
        """The form of an address of an instruction, its offset included.

        Args:
            op: The instruction.
            which: The number of the address among its operands.
        """
        key = (op.index, which)
        if key not in self._addresses:
            self._addresses[key] = self._address(op, which)
        return self._addresses[key]

    def _address(self, op: Op, which: int) -> Form | None:
        values = self._values
        if which >= len(op.addresses):
            return None
        form = self.form(values.address(op, which))
        offset = _number(op.addresses[which].offset)
        if form is None or offset is None:
            return None
        block = values.flow.block_of[op.index]
        for value, _ in form.terms:
            # Threads that left a loop at different times do not share what it counted.
            if value >= 0 and self._divergence.values[value]:
                loop = self._loops.get(values.flow.block_of[values.ops[value]])
                if loop is None or block not in loop.blocks:
                    return None
        return _add(form, offset)

    def form(self, value: int) -> Form | None:
        """The form of a value, None where nothing is known of it."""
        if value < 0:
            return _number(0)
        if value not in self._forms:
            self._find(value)
        return self._forms[value]

    def active(self, op: Op) -> NDArray[np.bool_]:
        """Lanes that may run an instruction: what is known to keep a lane away leaves it out."""
        guard = self._values.guards[op.index]
        block = self._values.flow.block_of[op.index]
        known = self._active.get((guard, op.negated, block))
        if known is None:
            known = self._lanes(guard, block, negated=op.negated)
            self._active[guard, op.negated, block] = known
        return known

    def _lanes(self, guard: int, block: int, *, negated: bool) -> _Lanes:
        found = self._predicate(guard)[int(negated)].copy() if guard >= 0 else _ALL.copy()
        for branch in self._divergence.deciding(block):
            found &= self._through(branch, block)
        return found

    def _through(self, branch: int, block: int) -> _Lanes:
        """Lanes that may come by a branch to a block behind it."""
        flow = self._values.flow
        last = flow.last(branch)
        guard = self._values.guards[last.index] if last is not None else -1
        if last is None or guard < 0 or len(flow.targets[branch]) != 2:
            return _ALL
        # The first target is where the branch goes, the second what follows it.
        taken, follows = (flow.tree.dominates(each, block) for each in flow.targets[branch])
        if taken == follows:
            return _ALL
        return self._predicate(guard)[int(last.negated == taken)]

    def _predicate(self, value: int, depth: int = 0) -> tuple[_Lanes, _Lanes]:
        """Lanes where a predicate may be true, and where it may be false."""
        unknown = (_ALL.copy(), _ALL.copy())
        op = self._values.op(value)
        if op is None or depth > _PREDICATES:
            return unknown
        inputs = self._values.inputs[value]
        if op.opcode.head == "setp" and len(inputs) == 2 and not op.opcode.is_float:
            return self._compared(op, inputs) or unknown
        if op.opcode.head in {"and", "or"} and len(inputs) == 2:
            left, right = (self._predicate(each, depth + 1) for each in inputs)
            if op.opcode.head == "and":
                return left[0] & right[0], left[1] | right[1]
            return left[0] | right[0], left[1] & right[1]
        if op.opcode.head == "not":
            yes, no = self._predicate(inputs[0], depth + 1)
            return no, yes
        return unknown

    def _compared(self, op: Op, inputs: tuple[int, ...]) -> tuple[_Lanes, _Lanes] | None:
        left, right = (self.form(each) for each in inputs)
        compare = _COMPARISONS.get(op.opcode.words[0])
        if left is None or right is None or compare is None:
            return None
        difference = _add(left, right, -1)
        if difference is None or difference.terms:
            return None
        yes = compare(difference.lanes, np.int64(0))
        return yes, ~yes

    def _find(self, wanted: int) -> None:
        """Forms of a value and all it is made of; loops are taken to add shared terms only."""
        values = self._values
        order = self._order(wanted)
        phis = [each for each in order if values.kinds[each] is Kind.PHI]
        for attempt in range(_ROUNDS + 1):
            if attempt == _ROUNDS:
                self._opaque.update(phis)
            # What leads back to a phi stands before it, so the first sweep finds the phis alone.
            for _ in range(_SWEEPS if phis else 1):
                for value in order:
                    self._forms[value] = self._form(value)
            wrong = [phi for phi in phis if phi not in self._opaque and not self._holds(phi)]
            if not wrong:
                return
            self._opaque.update(wrong)

    def _order(self, wanted: int) -> list[int]:
        """What is not known yet, each after what it is made of, loops aside."""
        order: list[int] = []
        seen = {wanted}
        stack: list[tuple[int, int]] = [(wanted, 0)]
        while stack:
            value, at = stack.pop()
            inputs = self._inputs(value)
            while at < len(inputs) and (inputs[at] in seen or inputs[at] in self._forms):
                at += 1
            if at == len(inputs):
                order.append(value)
                continue
            stack.append((value, at + 1))
            seen.add(inputs[at])
            stack.append((inputs[at], 0))
        return order

    def _inputs(self, value: int) -> tuple[int, ...]:
        values = self._values
        if values.kinds[value] is Kind.OP:
            op = values.program.ops[values.ops[value]]
            if op.opcode.head not in _OPERATIONS or len(op.results) > 1:
                return ()
        return values.inputs[value]

    def _holds(self, phi: int) -> bool:
        """Whether everything that meets in a phi is spread over the lanes as was assumed."""
        mine = self._forms[phi]
        if mine is None:
            return True
        forms = [self._forms.get(each) for each in self._values.inputs[phi]]
        return all(each is not None and bool((each.spread == mine.spread).all()) for each in forms)

    def _form(self, value: int) -> Form | None:
        values = self._values
        kind = values.kinds[value]
        if kind is Kind.NUMBER:
            number = values.number(value)
            return None if number is None else _number(number)
        if kind is Kind.NAME:
            return self._named(value)
        if kind is Kind.PHI:
            return self._phi(value)
        if kind is Kind.OP:
            op = values.program.ops[values.ops[value]]
            if len(op.results) == 1 and op.opcode.head in _OPERATIONS:
                read = [self._forms.get(each) for each in values.inputs[value]]
                if all(each is not None for each in read):
                    known = [each for each in read if each is not None]
                    found = _OPERATIONS[op.opcode.head](op, known)
                    if found is not None:
                        return found
        return self._shared(value)

    def _shared(self, value: int) -> Form | None:
        if self._divergence.values[value]:
            return None
        return Form(((value, 1),), np.zeros(LANES, dtype=np.int64))

    def _named(self, value: int) -> Form | None:
        name = self._values.names[value]
        lanes = self._specials.get(name)
        if lanes is not None:
            return _plain(lanes) if self._knows_rows else None
        return self._shared(value)

    def _phi(self, value: int) -> Form | None:
        values = self._values
        if value in self._opaque:
            return self._shared(value)
        if values.flow.block_of[values.ops[value]] not in self._loops:
            return self._shared(value)
        first = next(
            (form for each in values.inputs[value] if (form := self._forms.get(each)) is not None),
            None,
        )
        return None if first is None else Form(((value, 1),), first.spread)


def _one_dimensional(values: Values, launch: Launch) -> bool:
    """Whether a warp's lanes surely are 32 neighbours along x."""
    if launch.block is not None:
        return launch.block[0] % 32 == 0
    return not any(
        name.startswith(("%tid.y", "%tid.z"))
        for name, kind in zip(values.names, values.kinds, strict=True)
        if kind is Kind.NAME
    )


def _specials(launch: Launch) -> Mapping[str, NDArray[np.int64]]:
    lanes = np.arange(LANES, dtype=np.int64)
    found = {"%tid.x": lanes, "%laneid": lanes % 32}
    if launch.block is not None:
        width, height, _ = launch.block
        found["%tid.x"] = lanes % max(1, width)
        found["%tid.y"] = lanes // max(1, width) % max(1, height)
        found["%tid.z"] = lanes // max(1, width * height)
    return found


def _copy(op: Op, read: list[Form]) -> Form | None:
    del op
    return read[0] if len(read) == 1 else None


def _convert(op: Op, read: list[Form]) -> Form | None:
    types = op.opcode.types
    if op.opcode.is_float or len(types) != 2 or types[1][0] not in "us" or types[0][0] not in "us":
        return None
    form = read[0]
    target, source = int(types[0][1:]), int(types[1][1:])
    if target >= source:
        return form
    if form.terms or bool((form.lanes < 0).any()) or int(form.lanes.max()) >> (target - 1):
        # What is cut off is not known; addresses that are cut to 32 bits hold what counts.
        return form if target == 32 else None
    return form


def _sum(op: Op, read: list[Form]) -> Form | None:
    if op.opcode.is_float or len(read) != 2:
        return None
    return _add(read[0], read[1])


def _difference(op: Op, read: list[Form]) -> Form | None:
    if op.opcode.is_float or len(read) != 2:
        return None
    return _add(read[0], read[1], -1)


def _product(op: Op, read: list[Form]) -> Form | None:
    if op.opcode.is_float or len(read) != 2 or "hi" in op.opcode.words:
        return None
    return _multiply(read[0], read[1])


def _multiply(left: Form, right: Form) -> Form | None:
    if (factor := right.constant) is not None:
        return _times(left, factor)
    if (factor := left.constant) is not None:
        return _times(right, factor)
    if left.is_shared and right.is_shared:
        # A product of shared things is one more of them, told by what it is made of.
        parts = sorted((each.terms, int(each.lanes[0])) for each in (left, right))
        return Form(((-1 - abs(hash(tuple(parts))), 1),), np.zeros(LANES, dtype=np.int64))
    return None


def _multiply_add(op: Op, read: list[Form]) -> Form | None:
    if op.opcode.is_float or len(read) != 3 or "hi" in op.opcode.words:
        return None
    product = _multiply(read[0], read[1])
    return None if product is None else _add(product, read[2])


def _shift_left(op: Op, read: list[Form]) -> Form | None:
    del op
    count = read[1].constant if len(read) == 2 else None
    return _times(read[0], 1 << count) if count is not None and 0 <= count < _MAX_BITS else None


def _shift_right(op: Op, read: list[Form]) -> Form | None:
    del op
    count = read[1].constant if len(read) == 2 else None
    form = read[0]
    if count is None or not 0 <= count < _MAX_BITS or bool((form.lanes < 0).any()):
        return None
    if form.terms and form.align < 1 << count:
        return None
    return Form(tuple((v, f >> count) for v, f in form.terms), form.lanes >> count)


def _and(op: Op, read: list[Form]) -> Form | None:
    if "pred" in op.opcode.types or len(read) != 2:
        return None
    form, mask = (
        (read[0], read[1].constant)
        if read[1].constant is not None
        else (
            read[1],
            read[0].constant,
        )
    )
    if mask is None or bool((form.lanes < 0).any()):
        return None
    bits = op.opcode.bits or 64
    mask &= (1 << min(bits, _MAX_BITS)) - 1
    if not form.terms:
        return _plain(form.lanes & mask)
    if mask < form.align:
        return _plain(form.lanes & mask)
    low = ~mask & ((1 << min(bits, _MAX_BITS)) - 1)
    if low < form.align and int(form.lanes.max()) < form.align:
        return Form(form.terms, form.lanes & mask)
    return None


def _or(op: Op, read: list[Form]) -> Form | None:
    if "pred" in op.opcode.types or len(read) != 2:
        return None
    left, right = read
    if bool((left.lanes < 0).any()) or bool((right.lanes < 0).any()):
        return None
    if not left.terms and not right.terms:
        return _plain(left.lanes | right.lanes)
    # Disjoint bits add up: what is shared lies above everything that differs.
    if left.terms and right.terms:
        return None
    shared, rest = (left, right) if left.terms else (right, left)
    if int(rest.lanes.max()) < shared.align and not bool((shared.lanes & rest.lanes).any()):
        return Form(shared.terms, shared.lanes | rest.lanes)
    return None


def _xor(op: Op, read: list[Form]) -> Form | None:
    if "pred" in op.opcode.types or len(read) != 2 or read[0].terms or read[1].terms:
        return None
    return _plain(read[0].lanes ^ read[1].lanes)


def _field(op: Op, read: list[Form]) -> Form | None:
    if len(read) != 3 or read[0].terms or bool((read[0].lanes < 0).any()):
        return None
    start, length = read[1].constant, read[2].constant
    if start is None or length is None or not (0 <= start < 63 and 0 < length < 62):
        return None
    found = read[0].lanes >> start & ((1 << length) - 1)
    if "s32" in op.opcode.types or "s64" in op.opcode.types:
        sign = 1 << (length - 1)
        found = (found ^ sign) - sign
    return _plain(found)


def _negative(op: Op, read: list[Form]) -> Form | None:
    return None if op.opcode.is_float else _times(read[0], -1)


def _quotient(op: Op, read: list[Form]) -> Form | None:
    divisor = read[1].constant if len(read) == 2 else None
    form = read[0]
    if op.opcode.is_float or divisor is None or divisor <= 0 or form.terms:
        return None
    if bool((form.lanes < 0).any()):
        return None
    return _plain(form.lanes // divisor if op.opcode.head == "div" else form.lanes % divisor)


_OPERATIONS: Mapping[str, Callable[[Op, list[Form]], Form | None]] = {
    **dict.fromkeys(_COPIES, _copy),
    "cvt": _convert,
    "add": _sum,
    "sub": _difference,
    "mul": _product,
    "mad": _multiply_add,
    "shl": _shift_left,
    "shr": _shift_right,
    "and": _and,
    "or": _or,
    "xor": _xor,
    "bfe": _field,
    "neg": _negative,
    "div": _quotient,
    "rem": _quotient,
}
"""Integer operations that forms go through, by the head of their opcode."""
