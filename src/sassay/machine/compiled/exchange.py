"""Instructions between the lanes of a warp, in IR: what `machine.warp` computes with numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sassay.machine.compiled.code import LANES, Code, Value, number
from sassay.machine.warp import lane_sources

if TYPE_CHECKING:
    from collections.abc import Sequence

_REDUCE = {
    ("add", True): "add",
    ("add", False): "add",
    ("min", True): "smin",
    ("min", False): "umin",
    ("max", True): "smax",
    ("max", False): "umax",
    ("and", False): "and",
    ("or", False): "or",
    ("xor", False): "xor",
}
_NEUTRAL = {"smin": (1 << 31) - 1, "umin": -1, "smax": -(1 << 31), "and": -1}


def lane_numbers(code: Code, bits: int = 32) -> Value:
    """The number of each lane."""
    numbers = ", ".join(f"i{bits} {lane}" for lane in range(LANES))
    wide = f"<{LANES} x i{bits}>"
    return code.let(f"or {wide} zeroinitializer, <{numbers}>", f"i{bits}", wide=True)


def constant_lanes(code: Code, flags: Sequence[bool]) -> Value:
    """A predicate that is known for each lane."""
    bits = sum(1 << lane for lane, flag in enumerate(flags) if flag)
    return code.unmask(number(bits, 32))


def shuffle(code: Code, mode: str, value: Value, offset: Value, clamp: Value) -> list[Value]:
    """`shfl.sync`: a word of another lane, and whether that lane is in range."""
    if offset.constant and clamp.constant and not offset.wide and not clamp.wide:
        given = np.array(int(offset.text)), np.array(int(clamp.text))
        source, inside = lane_sources(mode, *given)
        found = value
        if value.wide:
            steps = ", ".join(f"i32 {int(at)}" for at in np.broadcast_to(source, LANES))
            found = code.let(
                f"shufflevector {value.spelled} {value.text}, {value.spelled} poison, "
                f"<{LANES} x i32> <{steps}>",
                value.type,
                wide=True,
            )
        return [found, constant_lanes(code, np.broadcast_to(inside, LANES).tolist())]
    return _shuffle_each(code, mode, value, offset, clamp)


def _shuffle_each(code: Code, mode: str, value: Value, offset: Value, clamp: Value) -> list[Value]:
    low5 = number(31, 32)
    distance, bound = code.op("and", offset, low5), code.op("and", clamp, low5)
    segment = code.op("and", code.op("lshr", clamp, number(8, 32)), low5)
    lane = lane_numbers(code)
    low = code.op("and", lane, segment)
    free = code.op("xor", segment, number(-1, 32))
    high = code.op("or", low, code.op("and", bound, free))
    if mode == "up":
        source = code.op("sub", lane, distance)
        inside = code.test("sge", source, high)
    else:
        if mode == "down":
            source = code.op("add", lane, distance)
        elif mode == "bfly":
            source = code.op("xor", lane, distance)
        else:
            source = code.op("or", low, code.op("and", distance, free))
        inside = code.test("sle", source, high)
    source = code.choose(inside, source, lane)
    if not value.wide:
        return [value, inside]
    room = code.scratch("words", 4 * LANES)
    code.emit(f"store {value.spelled} {value.text}, ptr {room}, align 32")
    result = Value("poison", value.type, wide=True)
    for at in range(LANES):
        index = code.let(
            f"extractelement {source.spelled} {source.text}, i32 {at}", "i32", wide=False
        )
        place = code.at(room, code.resize(code.op("shl", index, number(2, 32)), 64))
        word = code.load("i32", place, "i32", wide=False, align=4)
        result = code.let(
            f"insertelement {value.spelled} {result.text}, i32 {word.text}, i32 {at}",
            "i32",
            wide=True,
        )
    return [result, inside]


def vote(code: Code, mode: str, held: Value, running: Value) -> Value:
    """`vote.sync`; `running` is the word of lanes that take part."""
    words = code.op("and", code.mask(held), running)
    if mode == "ballot":
        return words
    if mode == "any":
        return code.test("ne", words, number(0, 32))
    everyone = code.test("eq", words, running)
    if mode == "all":
        return everyone
    return code.op("or", everyone, code.test("eq", words, number(0, 32)))


def reduce(code: Code, how: str, value: Value, running: Value, *, signed: bool) -> Value | None:
    """`redux.sync`; None for one that is not compiled."""
    name = _REDUCE.get((how, signed)) or _REDUCE.get((how, False))
    if name is None:
        return None
    wide = code.splat(value)
    kept = code.choose(code.unmask(running), wide, number(_NEUTRAL.get(name, 0), 32))
    called = f"llvm.vector.reduce.{name}.v{LANES}i32"
    code.unit.declared.add(f"declare i32 @{called}({wide.spelled})")
    return code.let(f"call i32 @{called}({kept.spelled} {kept.text})", "i32", wide=False)


def match(code: Code, value: Value, running: Value) -> tuple[Value, Value]:
    """`match.sync`: the lanes that hold the same word, and all lanes if all do, else 0."""
    wide = code.splat(value)
    result = code.splat(number(0, 32))
    for lane in range(LANES):
        word = code.let(
            f"extractelement {wide.spelled} {wide.text}, i32 {lane}", wide.type, wide=False
        )
        bit = code.op("and", running, number(1 << lane, 32))
        same = code.choose(code.test("eq", wide, word), bit, number(0, 32))
        result = code.op("or", result, same)
    everyone = code.test("eq", result, running)
    return result, code.choose(everyone, running, number(0, 32))


def lowest(code: Code, running: Value) -> Value:
    """The number of the lowest lane that takes part."""
    return code.intrinsic("cttz", [running], extra="i1 false")
