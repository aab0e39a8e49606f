"""What compiled code offers of the look-ups of `decoder`, in LLVM's language: decode, and count."""

from __future__ import annotations

from string import Template

from sassay.isa.sass.tables.compiled_look_up import BLOCK, look_up

_FUNCTIONS = Template("""\
; The id of each word plus one, 0 if it is unknown.
define void @sassay_tables_decode(ptr %table, ptr %words, i64 %count, ptr noalias %ids) {
entry:
  %listed = alloca [$BLOCK x i32]
  %tested = alloca [$BLOCK x i32]
  %searched = alloca [$BLOCK x i32]
  br label %block
block:
  %w = phi i64 [ 0, %entry ], [ %w.next, %some ]
  %left = sub i64 %count, %w
  %more = icmp sgt i64 %left, 0
  br i1 %more, label %some, label %done
some:
  %n = call i64 @llvm.smin.i64(i64 %left, i64 $BLOCK)
  %half = shl i64 %w, 1
  %low.at = getelementptr i64, ptr %words, i64 %half
  %ids.at = getelementptr i32, ptr %ids, i64 %w
  call void @look_up(ptr %table, ptr %low.at, i64 %n, ptr %ids.at, ptr %listed, ptr %tested,
                     ptr %searched)
  %w.next = add i64 %w, %n
  br label %block
done:
  ret void
}

; How often each id occurs in each section. `spans` holds the offset and the words of each; `seen`
; is a bit for each id plus one, and `counts` a number for each: all of them are 0 before and
; after. For each section in turn, the ids plus one that occur in it are appended to `ids` in
; ascending order, their numbers to `totals`, and where they end to `ends`.
define void @sassay_tables_count(ptr %table, ptr %image, ptr %spans, i64 %sections, i64 %bits,
                                 ptr noalias %seen, ptr noalias %counts, ptr noalias %ids,
                                 ptr noalias %totals, ptr noalias %ends) {
entry:
  %found = alloca [$BLOCK x i32]
  %listed = alloca [$BLOCK x i32]
  %tested = alloca [$BLOCK x i32]
  %searched = alloca [$BLOCK x i32]
  br label %section
section:
  %s = phi i64 [ 0, %entry ], [ %s.next, %drained ]
  %out = phi i64 [ 0, %entry ], [ %out.b, %drained ]
  %s.more = icmp slt i64 %s, %sections
  br i1 %s.more, label %own, label %done
own:
  %s.twice = shl i64 %s, 1
  %offset.at = getelementptr i64, ptr %spans, i64 %s.twice
  %offset = load i64, ptr %offset.at
  %count.at = getelementptr i64, ptr %offset.at, i64 1
  %count = load i64, ptr %count.at
  %words = getelementptr i8, ptr %image, i64 %offset
  br label %block
block:
  %w = phi i64 [ 0, %own ], [ %w.next, %counted ]
  %left = sub i64 %count, %w
  %more = icmp sgt i64 %left, 0
  br i1 %more, label %some, label %drain
some:
  %n = call i64 @llvm.smin.i64(i64 %left, i64 $BLOCK)
  %half = shl i64 %w, 1
  %low.at = getelementptr i64, ptr %words, i64 %half
  call void @look_up(ptr %table, ptr %low.at, i64 %n, ptr %found, ptr %listed, ptr %tested,
                     ptr %searched)
  br label %word
word:
  %i = phi i64 [ 0, %some ], [ %i.next, %next ]
  %found.at = getelementptr i32, ptr %found, i64 %i
  %id.32 = load i32, ptr %found.at
  %id = zext i32 %id.32 to i64
  %before.at = getelementptr i32, ptr %counts, i64 %id
  %before = load i32, ptr %before.at
  %after = add i32 %before, 1
  store i32 %after, ptr %before.at
  %i.next = add i64 %i, 1
  %is.new = icmp eq i32 %before, 0
  br i1 %is.new, label %mark, label %next
mark:
  %bits.place = lshr i64 %id, 6
  %bit = and i64 %id, 63
  %one = shl i64 1, %bit
  %bits.at = getelementptr i64, ptr %seen, i64 %bits.place
  %old = load i64, ptr %bits.at
  %new = or i64 %old, %one
  store i64 %new, ptr %bits.at
  br label %next
next:
  %i.more = icmp slt i64 %i.next, %n
  br i1 %i.more, label %word, label %counted
counted:
  %w.next = add i64 %w, %n
  br label %block

drain:
  %d = phi i64 [ 0, %block ], [ %d.next, %emptied ]
  %out.b = phi i64 [ %out, %block ], [ %out.e, %emptied ]
  %d.more = icmp slt i64 %d, %bits
  br i1 %d.more, label %scan, label %drained
scan:
  %scan.at = getelementptr i64, ptr %seen, i64 %d
  %held = load i64, ptr %scan.at
  %d.next = add i64 %d, 1
  %is.empty = icmp eq i64 %held, 0
  br i1 %is.empty, label %emptied, label %take.all
take.all:
  store i64 0, ptr %scan.at
  %d.first = shl i64 %d, 6
  br label %take
take:
  %rest = phi i64 [ %held, %take.all ], [ %rest.next, %take ]
  %out.t = phi i64 [ %out.b, %take.all ], [ %out.t.next, %take ]
  %lowest = call i64 @llvm.cttz.i64(i64 %rest, i1 true)
  %seen.id = or i64 %d.first, %lowest
  %total.from = getelementptr i32, ptr %counts, i64 %seen.id
  %total = load i32, ptr %total.from
  store i32 0, ptr %total.from
  %seen.id.32 = trunc i64 %seen.id to i32
  %id.at = getelementptr i32, ptr %ids, i64 %out.t
  store i32 %seen.id.32, ptr %id.at
  %total.at = getelementptr i32, ptr %totals, i64 %out.t
  store i32 %total, ptr %total.at
  %out.t.next = add i64 %out.t, 1
  %rest.less = sub i64 %rest, 1
  %rest.next = and i64 %rest, %rest.less
  %take.more = icmp ne i64 %rest.next, 0
  br i1 %take.more, label %take, label %emptied
emptied:
  %out.e = phi i64 [ %out.b, %scan ], [ %out.t.next, %take ]
  br label %drain
drained:
  %end.at = getelementptr i64, ptr %ends, i64 %s
  store i64 %out.b, ptr %end.at
  %s.next = add i64 %s, 1
  br label %section
done:
  ret void
}

declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.cttz.i64(i64, i1)
""")


def source() -> str:
    """The module."""
    return look_up() + _FUNCTIONS.substitute(BLOCK=BLOCK)
