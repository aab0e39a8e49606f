"""Loads, stores and atomics in IR.

Every access of the code has a record of the allocation that it hit last. If all lanes run and their
words are neighbours, one bound is checked and a vector moved; otherwise lanes take turns. What
misses the record is looked up; what is in no allocation makes the code give up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sassay.machine.compiled.code import LANES, Code, Unit, Value
from sassay.machine.compiled.layout import (
    ALLOCATION_WORDS,
    FIXED,
    GENERIC,
    MAY_READ,
    MAY_WRITE,
    SITE_WORDS,
    Word,
)
from sassay.machine.memory import WINDOWS

if TYPE_CHECKING:
    from collections.abc import Callable

    Update = Callable[[Code, Value, Value, Value], Value]


@dataclass(frozen=True)
class Site:
    """An access of the code.

    Attributes:
        space: `global`, `shared`, `local`, `const`, `param`, or empty for generic.
        kind: Bits of `layout`.
        op: Identity of the operation.
    """

    space: str
    kind: int
    op: int


_TAKES = "ptr %ctx, ptr %site, ptr %addr, i32 %mask, ptr %data"


def kind_of(space: str, *, writes: bool, reads: bool) -> int:
    """The bits of an access."""
    found = (MAY_WRITE if writes else 0) | (MAY_READ if reads else 0)
    if space == "":
        return found | GENERIC
    return found if space == "global" else found | FIXED


def word_at(code: Code, table: str, index: int) -> Value:
    """A word of a table of 64-bit words."""
    return code.load("i64", code.at(table, 8 * index), "i64", wide=False, align=8)


def pointer_at(code: Code, index: int) -> str:
    """A pointer in the table of the run."""
    place = code.at("%ctx", 8 * index)
    return code.let(f"load ptr, ptr {place}, align 8", "ptr", wide=False).text


_FIND = f"""define internal i1 @find(ptr %ctx, ptr %site, i64 %a, i64 %size) noinline {{
start:
  %pkind = getelementptr i64, ptr %site, i64 3
  %kind = load i64, ptr %pkind, align 8
  %fixed = and i64 %kind, {FIXED}
  %isfixed = icmp ne i64 %fixed, 0
  br i1 %isfixed, label %no, label %open
open:
  %generic = and i64 %kind, {GENERIC}
  %isgeneric = icmp ne i64 %generic, 0
  %window = lshr i64 %a, 48
  %isshared = icmp eq i64 %window, {WINDOWS["shared"] >> 48}
  %both = and i1 %isgeneric, %isshared
  br i1 %both, label %shared, label %search
shared:
  %off = sub i64 %a, {WINDOWS["shared"]}
  %past = add i64 %off, %size
  %psbytes = getelementptr i64, ptr %ctx, i64 {Word.SHARED_BYTES}
  %sbytes = load i64, ptr %psbytes, align 8
  %inshared = icmp ule i64 %past, %sbytes
  br i1 %inshared, label %takeshared, label %no
takeshared:
  %pshost = getelementptr i64, ptr %ctx, i64 {Word.SHARED}
  %shost = load i64, ptr %pshost, align 8
  br label %take
search:
  %pn = getelementptr i64, ptr %ctx, i64 {Word.ALLOCATION_COUNT}
  %n = load i64, ptr %pn, align 8
  %ptable = getelementptr i64, ptr %ctx, i64 {Word.ALLOCATIONS}
  %table = load ptr, ptr %ptable, align 8
  br label %each
each:
  %i = phi i64 [ 0, %search ], [ %inext, %next ]
  %end = icmp eq i64 %i, %n
  br i1 %end, label %no, label %look
look:
  %iw = mul i64 %i, {ALLOCATION_WORDS}
  %entry = getelementptr i64, ptr %table, i64 %iw
  %start1 = load i64, ptr %entry, align 8
  %p1 = getelementptr i64, ptr %entry, i64 1
  %size1 = load i64, ptr %p1, align 8
  %p2 = getelementptr i64, ptr %entry, i64 2
  %host1 = load i64, ptr %p2, align 8
  %p3 = getelementptr i64, ptr %entry, i64 3
  %may = load i64, ptr %p3, align 8
  %o = sub i64 %a, %start1
  %oend = add i64 %o, %size
  %c1 = icmp ult i64 %o, %size1
  %c2 = icmp ule i64 %oend, %size1
  %want = and i64 %kind, {MAY_READ | MAY_WRITE}
  %has = and i64 %may, %want
  %c3 = icmp eq i64 %has, %want
  %c12 = and i1 %c1, %c2
  %c = and i1 %c12, %c3
  br i1 %c, label %touch, label %next
next:
  %inext = add i64 %i, 1
  br label %each
touch:
  %pnumber = getelementptr i64, ptr %site, i64 4
  %number = load i64, ptr %pnumber, align 8
  %row = mul i64 %number, %n
  %cell = add i64 %row, %i
  %ptouched = getelementptr i64, ptr %ctx, i64 {Word.TOUCHED}
  %touched = load ptr, ptr %ptouched, align 8
  %pcell = getelementptr i8, ptr %touched, i64 %cell
  store i8 1, ptr %pcell, align 1
  br label %take
take:
  %s = phi i64 [ {WINDOWS["shared"]}, %takeshared ], [ %start1, %touch ]
  %z = phi i64 [ %sbytes, %takeshared ], [ %size1, %touch ]
  %h = phi i64 [ %shost, %takeshared ], [ %host1, %touch ]
  store i64 %s, ptr %site, align 8
  %q1 = getelementptr i64, ptr %site, i64 1
  store i64 %z, ptr %q1, align 8
  %q2 = getelementptr i64, ptr %site, i64 2
  store i64 %h, ptr %q2, align 8
  ret i1 true
no:
  ret i1 false
}}
"""


def _check(address: str, size: int, good: str, miss: str, mark: str) -> str:
    """Whether an access lies in what the record says; `%host` and `%off` follow."""
    return f"""
  %start{mark} = load i64, ptr %site, align 8
  %plimit{mark} = getelementptr i64, ptr %site, i64 1
  %limit{mark} = load i64, ptr %plimit{mark}, align 8
  %phost{mark} = getelementptr i64, ptr %site, i64 2
  %host{mark} = load ptr, ptr %phost{mark}, align 8
  %off{mark} = sub i64 {address}, %start{mark}
  %past{mark} = add i64 %off{mark}, {size}
  %in1{mark} = icmp ult i64 %off{mark}, %limit{mark}
  %in2{mark} = icmp ule i64 %past{mark}, %limit{mark}
  %in{mark} = and i1 %in1{mark}, %in2{mark}
  %place{mark} = getelementptr i8, ptr %host{mark}, i64 %off{mark}
  br i1 %in{mark}, label %{good}, label %{miss}
"""


def _one_by_one(size: int, body: str) -> str:
    """The loop over the lanes that run, each at `%place1`; `body` moves its words."""
    return f"""
lanes:
  br label %loop
loop:
  %m = phi i32 [ %mask, %lanes ], [ %rest, %moved ]
  %none = icmp eq i32 %m, 0
  br i1 %none, label %good, label %lane
lane:
  %i32 = call i32 @llvm.cttz.i32(i32 %m, i1 true)
  %i = zext i32 %i32 to i64
  %pa = getelementptr i64, ptr %addr, i64 %i
  %a = load i64, ptr %pa, align 8
  %low = and i64 %a, {size - 1}
  %odd = icmp ne i64 %low, 0
  br i1 %odd, label %bad, label %try
try:{_check("%a", size, "move", "miss", "1")}
miss:
  %known = call i1 @find(ptr %ctx, ptr %site, i64 %a, i64 {size})
  br i1 %known, label %try, label %bad
move:{body}
  br label %moved
moved:
  %below = sub i32 %m, 1
  %rest = and i32 %m, %below
  br label %loop
good:
  ret i1 true
bad:
  ret i1 false
}}
"""


def _head(name: str, size: int, total: int) -> str:
    steps = ", ".join(f"i64 {size * lane}" for lane in range(LANES))
    vector = f"<{LANES} x i64>"
    return f"""define internal i1 @{name}({_TAKES}) noinline {{
start:
  %full = icmp eq i32 %mask, -1
  br i1 %full, label %wide, label %lanes
wide:
  %all = load {vector}, ptr %addr, align 32
  %a0 = extractelement {vector} %all, i32 0
  %one = insertelement {vector} poison, i64 %a0, i32 0
  %same = shufflevector {vector} %one, {vector} poison, <{LANES} x i32> zeroinitializer
  %want = add {vector} %same, <{steps}>
  %diff = xor {vector} %all, %want
  %apart = call i64 @llvm.vector.reduce.or.v{LANES}i64({vector} %diff)
  %low0 = and i64 %a0, {size - 1}
  %wrong = or i64 %apart, %low0
  %near = icmp eq i64 %wrong, 0
  br i1 %near, label %together, label %lanes
together:{_check("%a0", total, "fast", "lanes", "0")}
"""


def _declare(unit: Unit) -> None:
    unit.helper("find", lambda _unit: _FIND)
    unit.declared.add("declare i32 @llvm.cttz.i32(i32, i1)")
    unit.declared.add(f"declare i64 @llvm.vector.reduce.or.v{LANES}i64(<{LANES} x i64>)")


def loads(unit: Unit, width: int, count: int) -> str:
    """The function that loads `count` words of `width` bytes of each lane."""
    name, size, bits = f"ld.{width}x{count}", width * count, 8 * width
    _declare(unit)
    whole, part = f"<{LANES * count} x i{bits}>", f"<{LANES} x i{bits}>"
    fast = f"fast:\n  %got = load {whole}, ptr %place0, align 1\n"
    for index in range(count):
        steps = ", ".join(f"i32 {lane * count + index}" for lane in range(LANES))
        chosen = f"<{LANES} x i32> <{steps}>"
        fast += f"""  %w{index} = shufflevector {whole} %got, {whole} poison, {chosen}
  %o{index} = getelementptr i8, ptr %data, i64 {index * LANES * width}
  store {part} %w{index}, ptr %o{index}, align 32
"""
    fast += "  ret i1 true"
    body = ""
    for index in range(count):
        body += f"""
  %from{index} = getelementptr i8, ptr %place1, i64 {index * width}
  %x{index} = load i{bits}, ptr %from{index}, align 1
  %row{index} = getelementptr i8, ptr %data, i64 {index * LANES * width}
  %to{index} = getelementptr i{bits}, ptr %row{index}, i64 %i
  store i{bits} %x{index}, ptr %to{index}, align {width}"""
    text = _head(name, size, LANES * size) + fast + _one_by_one(size, body)
    unit.helper(name, lambda _unit: text)
    return name


def stores(unit: Unit, width: int, count: int) -> str:
    """The function that stores `count` words of `width` bytes of each lane."""
    name, size, bits = f"st.{width}x{count}", width * count, 8 * width
    _declare(unit)
    part = f"<{LANES} x i{bits}>"
    fast, joined = "fast:\n", []
    for index in range(count):
        fast += f"""  %f{index} = getelementptr i8, ptr %data, i64 {index * LANES * width}
  %g{index} = load {part}, ptr %f{index}, align 32
"""
        joined.append(f"%g{index}")
    lanes = LANES
    while len(joined) > 1:
        kind, steps = f"<{lanes} x i{bits}>", ", ".join(f"i32 {at}" for at in range(2 * lanes))
        pairs = []
        for index in range(0, len(joined), 2):
            name_ = f"%j{lanes}.{index}"
            fast += (
                f"  {name_} = shufflevector {kind} {joined[index]}, {kind} {joined[index + 1]}, "
                f"<{2 * lanes} x i32> <{steps}>\n"
            )
            pairs.append(name_)
        joined, lanes = pairs, 2 * lanes
    order = ", ".join(
        f"i32 {index * LANES + lane}" for lane in range(LANES) for index in range(count)
    )
    whole = f"<{LANES * count} x i{bits}>"
    chosen = f"<{LANES * count} x i32> <{order}>"
    fast += f"""  %packed = shufflevector {whole} {joined[0]}, {whole} poison, {chosen}
  store {whole} %packed, ptr %place0, align 1
  ret i1 true"""
    body = ""
    for index in range(count):
        body += f"""
  %row{index} = getelementptr i8, ptr %data, i64 {index * LANES * width}
  %from{index} = getelementptr i{bits}, ptr %row{index}, i64 %i
  %x{index} = load i{bits}, ptr %from{index}, align {width}
  %to{index} = getelementptr i8, ptr %place1, i64 {index * width}
  store i{bits} %x{index}, ptr %to{index}, align 1"""
    text = _head(name, size, LANES * size) + fast + _one_by_one(size, body)
    unit.helper(name, lambda _unit: text)
    return name


def loads_alike(unit: Unit, width: int, count: int) -> str:
    """The function that loads words from an address that all lanes have."""
    name, size, bits = f"lu.{width}x{count}", width * count, 8 * width
    _declare(unit)
    body = ""
    for index in range(count):
        body += f"""
  %from{index} = getelementptr i8, ptr %place1, i64 {index * width}
  %x{index} = load i{bits}, ptr %from{index}, align 1
  %to{index} = getelementptr i8, ptr %data, i64 {index * width}
  store i{bits} %x{index}, ptr %to{index}, align {width}"""
    text = f"""define internal i1 @{name}(ptr %ctx, ptr %site, i64 %a, ptr %data) noinline {{
start:
  %low = and i64 %a, {size - 1}
  %odd = icmp ne i64 %low, 0
  br i1 %odd, label %bad, label %try
try:{_check("%a", size, "move", "miss", "1")}
miss:
  %known = call i1 @find(ptr %ctx, ptr %site, i64 %a, i64 {size})
  br i1 %known, label %try, label %bad
move:{body}
  ret i1 true
bad:
  ret i1 false
}}
"""
    unit.helper(name, lambda _unit: text)
    return name


def updates(unit: Unit, name: str, bits: int, update: Update) -> str:
    """The function of an atomic: lanes take turns in their order.

    Args:
        unit: That it is of.
        name: What tells it from others.
        bits: Of a word.
        update: Gives the new word out of the old one and two sources.
    """
    _declare(unit)
    size = bits // 8

    def build(inside: Unit) -> str:
        code = Code(inside)
        result = update(
            code, Value("%old", f"i{bits}"), Value("%new", f"i{bits}"), Value("%other", f"i{bits}")
        )
        lines = "\n  ".join(code.lines)
        body = f"""
  %old = load i{bits}, ptr %place1, align 1
  %pn = getelementptr i{bits}, ptr %data, i64 %i
  %new = load i{bits}, ptr %pn, align {size}
  %second = getelementptr i8, ptr %data, i64 {LANES * size}
  %po = getelementptr i{bits}, ptr %second, i64 %i
  %other = load i{bits}, ptr %po, align {size}
  {lines}
  store i{bits} {result.text}, ptr %place1, align 1
  store i{bits} %old, ptr %pn, align {size}"""
        head = f"""define internal i1 @{name}({_TAKES}) noinline {{
start:
  br label %lanes
"""
        return head + _one_by_one(size, body)

    unit.helper(name, build)
    return name


def site_place(code: Code, number: int) -> str:
    """Where the record of an access lies."""
    return code.at("%sites", 8 * SITE_WORDS * number)
