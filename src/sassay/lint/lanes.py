"""Forms of a function's values and addresses: how far apart the threads of two warps reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from sassay.lint.form_operations import OPERATIONS
from sassay.lint.forms import LANES, Form, add, number, plain
from sassay.lint.values import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from sassay.lint.divergence import Divergence
    from sassay.lint.program import Op
    from sassay.lint.values import Values
    from sassay.model.kernel import Launch

_ROUNDS = 4
_SWEEPS = 3
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
        offset = number(op.addresses[which].offset)
        if form is None or offset is None:
            return None
        block = values.flow.block_of[op.index]
        for value, _ in form.terms:
            # Threads that left a loop at different times do not share what it counted.
            if value >= 0 and self._divergence.values[value]:
                loop = self._loops.get(values.flow.block_of[values.ops[value]])
                if loop is None or block not in loop.blocks:
                    return None
        return add(form, offset)

    def form(self, value: int) -> Form | None:
        """The form of a value, None where nothing is known of it."""
        if value < 0:
            return number(0)
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
        difference = add(left, right, -1)
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
            if op.opcode.head not in OPERATIONS or len(op.results) > 1:
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
            constant = values.number(value)
            return None if constant is None else number(constant)
        if kind is Kind.NAME:
            return self._named(value)
        if kind is Kind.PHI:
            return self._phi(value)
        if kind is Kind.OP:
            op = values.program.ops[values.ops[value]]
            if len(op.results) == 1 and op.opcode.head in OPERATIONS:
                read = [self._forms.get(each) for each in values.inputs[value]]
                if all(each is not None for each in read):
                    known = [each for each in read if each is not None]
                    found = OPERATIONS[op.opcode.head](op, known)
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
            return plain(lanes) if self._knows_rows else None
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
