"""How a block of words is looked up, in LLVM's language: a function that serves every table.

`table` are the addresses of the arrays of `layout`, in the order of `ARRAYS`. Whole words alone are
read, of which the caller says how many there are, and every index lies in its array whatever the
words are, since `layout` makes the arrays so.
"""

from __future__ import annotations

from string import Template

from sassay.isa.sass.tables.layout import (
    CHUNKS,
    HEAD,
    KEYS,
    NAME_BITS,
    NAME_MASK,
    PIECES,
    REUSE_SHIFT,
    SPECIAL,
    WRONG,
)

ARRAYS = (
    "heads", "chunks", "answers", "specials", "shifts", "pieces", "rests", "tests", "values",
    "known",
)  # fmt: skip
"""What `%table` holds the addresses of."""
REST_NUMBERS = 9
"""Numbers of a special opcode: the mask and value that its bits must have, its first and last plus
one test, its first and last plus one known index, and what is added to a place among those."""
TEST_NUMBERS = 6
"""Numbers of a test: half, shift, mask, what it adds, its first value and how many there are."""
BLOCK = 1024
"""Words at a time: what they need stays in the first cache."""

_ARRAY = Template("""\
  %$NAME.from = getelementptr ptr, ptr %table, i64 $N
  %$NAME = load ptr, ptr %$NAME.from
""")

_PIECE = Template("""\
  %shift.place.$N = add i64 %own.shifts, $N
  %shift.at.$N = getelementptr i8, ptr %shifts, i64 %shift.place.$N
  %shift.8.$N = load i8, ptr %shift.at.$N
  %shift.$N = zext i8 %shift.8.$N to i64
  %field.$N = lshr i64 %l.low, %shift.$N
  %byte.$N = and i64 %field.$N, 255
  %piece.own.$N = add i64 %own.pieces, $START
  %piece.place.$N = add i64 %piece.own.$N, %byte.$N
  %piece.at.$N = getelementptr i32, ptr %pieces, i64 %piece.place.$N
  %piece.adds.$N = load i32, ptr %piece.at.$N
  %index.$NEXT = add i32 $BEFORE, %piece.adds.$N
""")

_CHUNK = Template("""\
  %from.at.$N = getelementptr i32, ptr %head, i64 $N
  %from.32.$N = load i32, ptr %from.at.$N
  %from.$N = zext i32 %from.32.$N to i64
  %bits.$N = lshr i64 %c.high, $SHIFT
  %value.$N = and i64 %bits.$N, $MASK
  %place.$N = add i64 %from.$N, %value.$N
  %at.$N = getelementptr i32, ptr %chunks, i64 %place.$N
  %added.$N = load i32, ptr %at.$N
  %sum.$NEXT = add i32 $BEFORE, %added.$N
""")

_LOOK_UP = Template("""\
; What `decode` and `count` know of some words, at most $BLOCK of them: the id of the mnemonic plus
; one, 0 if it is unknown. Words that need more than chunks are listed and done after one another,
; and so are those of them that have tests or are searched, since a processor that guesses each time
; what the next word needs is often wrong.
define internal void @look_up(ptr %table, ptr %words, i64 %count, ptr noalias %ids,
                              ptr noalias %listed, ptr noalias %tested, ptr noalias %searched)
                              noinline {
entry:
$ARRAYS  %is.none = icmp slt i64 %count, 1
  br i1 %is.none, label %done, label %chunked

chunked:
  %c = phi i64 [ 0, %entry ], [ %c.next, %chunked ]
  %special = phi i64 [ 0, %entry ], [ %special.next, %chunked ]
  %c.half = shl i64 %c, 1
  %c.low.at = getelementptr i64, ptr %words, i64 %c.half
  %c.high.at = getelementptr i64, ptr %c.low.at, i64 1
  %c.low = load i64, ptr %c.low.at, align 1
  %c.high = load i64, ptr %c.high.at, align 1
  %c.key = and i64 %c.low, $KEY
  %head.place = mul i64 %c.key, $HEAD
  %head = getelementptr i32, ptr %heads, i64 %head.place
$EACH_CHUNK  %start.at = getelementptr i32, ptr %head, i64 $CHUNKS
  %start = load i32, ptr %start.at
  %sum = add i32 %sum.$CHUNKS, %start
  %sum.at = getelementptr i32, ptr %ids, i64 %c
  store i32 %sum, ptr %sum.at
  %c.32 = trunc i64 %c to i32
  %listed.at = getelementptr i32, ptr %listed, i64 %special
  store i32 %c.32, ptr %listed.at
  %is.special = icmp sge i32 %sum, $SPECIAL
  %one.more = zext i1 %is.special to i64
  %special.next = add i64 %special, %one.more
  %c.next = add i64 %c, 1
  %c.more = icmp slt i64 %c.next, %count
  br i1 %c.more, label %chunked, label %listing

listing:
  %is.plain = icmp eq i64 %special.next, 0
  br i1 %is.plain, label %answering, label %listed.word
listed.word:
  %l = phi i64 [ 0, %listing ], [ %l.next, %listed.word ]
  %with.tests = phi i64 [ 0, %listing ], [ %with.tests.next, %listed.word ]
  %with.search = phi i64 [ 0, %listing ], [ %with.search.next, %listed.word ]
  %l.at = getelementptr i32, ptr %listed, i64 %l
  %l.word.32 = load i32, ptr %l.at
  %l.word = zext i32 %l.word.32 to i64
  %l.half = shl i64 %l.word, 1
  %l.low.at = getelementptr i64, ptr %words, i64 %l.half
  %l.high.at = getelementptr i64, ptr %l.low.at, i64 1
  %l.low = load i64, ptr %l.low.at, align 1
  %l.high = load i64, ptr %l.high.at, align 1
  %l.key = and i64 %l.low, $KEY
  %l.number.at = getelementptr i16, ptr %specials, i64 %l.key
  %l.number.16 = load i16, ptr %l.number.at
  %l.number = zext i16 %l.number.16 to i64
  %l.sum.at = getelementptr i32, ptr %ids, i64 %l.word
  %l.sum = load i32, ptr %l.sum.at
  %l.index = sub i32 %l.sum, $SPECIAL
  %own.shifts = mul i64 %l.number, $PIECES
  %own.pieces = mul i64 %l.number, $PIECE_VALUES
$EACH_PIECE
  %l.rest.place = mul i64 %l.number, $REST
  %l.rest = getelementptr i64, ptr %rests, i64 %l.rest.place
  %mask.low = load i64, ptr %l.rest
  %mask.high.at = getelementptr i64, ptr %l.rest, i64 1
  %mask.high = load i64, ptr %mask.high.at
  %value.low.at = getelementptr i64, ptr %l.rest, i64 2
  %value.low = load i64, ptr %value.low.at
  %value.high.at = getelementptr i64, ptr %l.rest, i64 3
  %value.high = load i64, ptr %value.high.at
  %fixed.low = and i64 %l.low, %mask.low
  %fixed.high = and i64 %l.high, %mask.high
  %wrong.low = xor i64 %fixed.low, %value.low
  %wrong.high = xor i64 %fixed.high, %value.high
  %wrong = or i64 %wrong.low, %wrong.high
  %is.wrong = icmp ne i64 %wrong, 0
  %l.found = select i1 %is.wrong, i32 $WRONG, i32 %index.$PIECES
  store i32 %l.found, ptr %l.sum.at
  %l.test.at = getelementptr i64, ptr %l.rest, i64 4
  %l.test = load i64, ptr %l.test.at
  %l.test.last.at = getelementptr i64, ptr %l.rest, i64 5
  %l.test.last = load i64, ptr %l.test.last.at
  %has.tests = icmp ne i64 %l.test, %l.test.last
  %tested.at = getelementptr i32, ptr %tested, i64 %with.tests
  store i32 %l.word.32, ptr %tested.at
  %one.tested = zext i1 %has.tests to i64
  %with.tests.next = add i64 %with.tests, %one.tested
  %l.span.at = getelementptr i64, ptr %l.rest, i64 6
  %l.span = load i64, ptr %l.span.at
  %l.span.last.at = getelementptr i64, ptr %l.rest, i64 7
  %l.span.last = load i64, ptr %l.span.last.at
  %has.search = icmp ne i64 %l.span, %l.span.last
  %searched.at = getelementptr i32, ptr %searched, i64 %with.search
  store i32 %l.word.32, ptr %searched.at
  %one.searched = zext i1 %has.search to i64
  %with.search.next = add i64 %with.search, %one.searched
  %l.next = add i64 %l, 1
  %l.more = icmp slt i64 %l.next, %special.next
  br i1 %l.more, label %listed.word, label %testing

testing:
  %t = phi i64 [ 0, %listed.word ], [ %t.next, %tests.done ]
  %t.more = icmp slt i64 %t, %with.tests.next
  br i1 %t.more, label %tested.word, label %searching
tested.word:
  %t.at = getelementptr i32, ptr %tested, i64 %t
  %t.word.32 = load i32, ptr %t.at
  %t.word = zext i32 %t.word.32 to i64
  %t.next = add i64 %t, 1
  %t.half = shl i64 %t.word, 1
  %t.low.at = getelementptr i64, ptr %words, i64 %t.half
  %t.high.at = getelementptr i64, ptr %t.low.at, i64 1
  %t.low = load i64, ptr %t.low.at, align 1
  %t.high = load i64, ptr %t.high.at, align 1
  %t.key = and i64 %t.low, $KEY
  %t.number.at = getelementptr i16, ptr %specials, i64 %t.key
  %t.number.16 = load i16, ptr %t.number.at
  %t.number = zext i16 %t.number.16 to i64
  %t.rest.place = mul i64 %t.number, $REST
  %t.rest = getelementptr i64, ptr %rests, i64 %t.rest.place
  %test.first.at = getelementptr i64, ptr %t.rest, i64 4
  %test.first = load i64, ptr %test.first.at
  %test.last.at = getelementptr i64, ptr %t.rest, i64 5
  %test.last = load i64, ptr %test.last.at
  %t.index.at = getelementptr i32, ptr %ids, i64 %t.word
  %t.index = load i32, ptr %t.index.at
  br label %test
test:
  %n = phi i64 [ %test.first, %tested.word ], [ %n.next, %settled ]
  %n.index = phi i32 [ %t.index, %tested.word ], [ %n.index.next, %settled ]
  %test.place = mul i64 %n, $TEST
  %own = getelementptr i64, ptr %tests, i64 %test.place
  %half.is = load i64, ptr %own
  %shift.at = getelementptr i64, ptr %own, i64 1
  %shift = load i64, ptr %shift.at
  %mask.at = getelementptr i64, ptr %own, i64 2
  %mask = load i64, ptr %mask.at
  %adds.at = getelementptr i64, ptr %own, i64 3
  %adds = load i64, ptr %adds.at
  %value.first.at = getelementptr i64, ptr %own, i64 4
  %value.first = load i64, ptr %value.first.at
  %value.count.at = getelementptr i64, ptr %own, i64 5
  %value.count = load i64, ptr %value.count.at
  %is.high = icmp ne i64 %half.is, 0
  %half = select i1 %is.high, i64 %t.high, i64 %t.low
  %half.shifted = lshr i64 %half, %shift
  %has = and i64 %half.shifted, %mask
  br label %wanted
wanted:
  ; The last value that is not above lies in so many from %v.first.
  %v.first = phi i64 [ %value.first, %test ], [ %v.first.next, %narrowed ]
  %v.count = phi i64 [ %value.count, %test ], [ %v.count.next, %narrowed ]
  %v.open = icmp sgt i64 %v.count, 1
  br i1 %v.open, label %narrowed, label %settled
narrowed:
  %v.half = lshr i64 %v.count, 1
  %v.middle = add i64 %v.first, %v.half
  %v.middle.at = getelementptr i64, ptr %values, i64 %v.middle
  %v.middle.is = load i64, ptr %v.middle.at
  %v.above = icmp ugt i64 %v.middle.is, %has
  %v.first.next = select i1 %v.above, i64 %v.first, i64 %v.middle
  %v.count.next = sub i64 %v.count, %v.half
  br label %wanted
settled:
  %v.at = getelementptr i64, ptr %values, i64 %v.first
  %v.is = load i64, ptr %v.at
  %v.same = icmp eq i64 %v.is, %has
  %adds.32 = trunc i64 %adds to i32
  %added = select i1 %v.same, i32 %adds.32, i32 0
  %n.index.next = add i32 %n.index, %added
  %n.next = add i64 %n, 1
  %n.more = icmp slt i64 %n.next, %test.last
  br i1 %n.more, label %test, label %tests.done
tests.done:
  store i32 %n.index.next, ptr %t.index.at
  br label %testing

searching:
  %s = phi i64 [ 0, %testing ], [ %s.next, %hit ]
  %s.more = icmp slt i64 %s, %with.search.next
  br i1 %s.more, label %searched.word, label %answering
searched.word:
  %s.at = getelementptr i32, ptr %searched, i64 %s
  %s.word.32 = load i32, ptr %s.at
  %s.word = zext i32 %s.word.32 to i64
  %s.next = add i64 %s, 1
  %s.half = shl i64 %s.word, 1
  %s.low.at = getelementptr i64, ptr %words, i64 %s.half
  %s.low = load i64, ptr %s.low.at, align 1
  %s.key = and i64 %s.low, $KEY
  %s.number.at = getelementptr i16, ptr %specials, i64 %s.key
  %s.number.16 = load i16, ptr %s.number.at
  %s.number = zext i16 %s.number.16 to i64
  %s.rest.place = mul i64 %s.number, $REST
  %s.rest = getelementptr i64, ptr %rests, i64 %s.rest.place
  %span.first.at = getelementptr i64, ptr %s.rest, i64 6
  %span.first = load i64, ptr %span.first.at
  %span.last.at = getelementptr i64, ptr %s.rest, i64 7
  %span.last = load i64, ptr %span.last.at
  %span.count = sub i64 %span.last, %span.first
  %s.index.at = getelementptr i32, ptr %ids, i64 %s.word
  %s.index = load i32, ptr %s.index.at
  br label %search
search:
  ; The last known index that is not above lies in so many from %k.first.
  %k.first = phi i64 [ %span.first, %searched.word ], [ %k.first.next, %halved ]
  %k.count = phi i64 [ %span.count, %searched.word ], [ %k.count.next, %halved ]
  %k.open = icmp sgt i64 %k.count, 1
  br i1 %k.open, label %halved, label %hit
halved:
  %k.half = lshr i64 %k.count, 1
  %k.middle = add i64 %k.first, %k.half
  %k.middle.at = getelementptr i32, ptr %known, i64 %k.middle
  %k.middle.is = load i32, ptr %k.middle.at
  %k.above = icmp sgt i32 %k.middle.is, %s.index
  %k.first.next = select i1 %k.above, i64 %k.first, i64 %k.middle
  %k.count.next = sub i64 %k.count, %k.half
  br label %search
hit:
  %k.at = getelementptr i32, ptr %known, i64 %k.first
  %k.is = load i32, ptr %k.at
  %k.same = icmp eq i32 %k.is, %s.index
  %offset.at = getelementptr i64, ptr %s.rest, i64 8
  %offset = load i64, ptr %offset.at
  %k.place = add i64 %k.first, %offset
  %k.place.32 = trunc i64 %k.place to i32
  %s.found = select i1 %k.same, i32 %k.place.32, i32 $WRONG
  store i32 %s.found, ptr %s.index.at
  br label %searching

answering:
  br label %answer
answer:
  %a = phi i64 [ 0, %answering ], [ %a.next, %answer ]
  %a.half = shl i64 %a, 1
  %a.high.place = or i64 %a.half, 1
  %a.high.at = getelementptr i64, ptr %words, i64 %a.high.place
  %a.high = load i64, ptr %a.high.at, align 1
  %a.index.at = getelementptr i32, ptr %ids, i64 %a
  %a.index = load i32, ptr %a.index.at
  %a.place.32 = call i32 @llvm.smax.i32(i32 %a.index, i32 0)
  %a.place = zext i32 %a.place.32 to i64
  %answer.at = getelementptr i32, ptr %answers, i64 %a.place
  %held = load i32, ptr %answer.at
  %reuse.64 = lshr i64 %a.high, $REUSE
  %reuse = trunc i64 %reuse.64 to i32
  %both = and i32 %reuse, %held
  %refused = icmp ugt i32 %both, $NAME
  %held.id = and i32 %held, $NAME
  %id = select i1 %refused, i32 0, i32 %held.id
  store i32 %id, ptr %a.index.at
  %a.next = add i64 %a, 1
  %a.more = icmp slt i64 %a.next, %count
  br i1 %a.more, label %answer, label %done
done:
  ret void
}

declare i32 @llvm.smax.i32(i32, i32)
""")


def look_up() -> str:
    """The function `@look_up`, and what it needs."""
    numbers = {
        "BLOCK": BLOCK,
        "KEY": KEYS - 1,
        "HEAD": HEAD,
        "CHUNKS": len(CHUNKS),
        "SPECIAL": SPECIAL,
        "WRONG": WRONG,
        "REUSE": REUSE_SHIFT - NAME_BITS,
        "NAME": NAME_MASK,
        "PIECES": PIECES,
        "PIECE_VALUES": PIECES << 8,
        "REST": REST_NUMBERS,
        "TEST": TEST_NUMBERS,
    }
    chunks = "".join(
        _CHUNK.substitute(
            N=number,
            NEXT=number + 1,
            SHIFT=first - 64,
            MASK=(1 << width) - 1,
            BEFORE=f"%sum.{number}" if number else "0",
        )
        for number, (first, width) in enumerate(CHUNKS)
    )
    pieces = "".join(
        _PIECE.substitute(
            N=number,
            NEXT=number + 1,
            START=number << 8,
            BEFORE=f"%index.{number}" if number else "%l.index",
        )
        for number in range(PIECES)
    )
    arrays = "".join(_ARRAY.substitute(NAME=name, N=place) for place, name in enumerate(ARRAYS))
    return _LOOK_UP.substitute(numbers, EACH_CHUNK=chunks, EACH_PIECE=pieces, ARRAYS=arrays)
