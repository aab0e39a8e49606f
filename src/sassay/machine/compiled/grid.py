"""The loop over the blocks of a grid in IR, and the warps of a block between barriers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.machine.barriers import BARRIERS
from sassay.machine.compiled import layout
from sassay.machine.compiled.code import LANES
from sassay.machine.compiled.layout import Word

if TYPE_CHECKING:
    from sassay.machine.compiled.code import Unit


def grid_text(
    unit: Unit, name: str, *, threads: int, frame_bytes: int, cleared: dict[int, int]
) -> str:
    """The function that runs blocks one after the other.

    It takes the table, the number of the first block and that of the one after the last, and gives
    0, or 1 if compiled code gives up.

    Args:
        unit: That it goes into.
        name: Of the function.
        threads: Of a block.
        frame_bytes: Of the frame of a warp.
        cleared: Bytes of the memories that each block finds empty, by the word of their address.
    """
    warps = -(-threads // LANES)
    unit.declared.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
    partial = (1 << threads % LANES) - 1 if threads % LANES else -1
    clears = ""
    for word, size in cleared.items():
        if size:
            clears += f"""
  %pc{word} = getelementptr i64, ptr %ctx, i64 {int(word)}
  %c{word} = load ptr, ptr %pc{word}, align 8
  call void @llvm.memset.p0.i64(ptr %c{word}, i8 0, i64 {size}, i1 false)"""
    state, resume = layout.STATE, layout.RESUME
    arrived, number, expected, held = (
        layout.ARRIVED,
        layout.NUMBER,
        layout.EXPECTED,
        layout.HELD,
    )
    size = layout.BARRIER_BYTES
    return f"""define i32 @{name}(ptr %ctx, i64 %first, i64 %last) {{
start:
  %pframes = getelementptr i64, ptr %ctx, i64 {Word.FRAMES}
  %frames = load ptr, ptr %pframes, align 8
  %pbars = getelementptr i64, ptr %ctx, i64 {Word.BARRIERS}
  %bars = load ptr, ptr %pbars, align 8
  %pgx = getelementptr i64, ptr %ctx, i64 {Word.GRID_X}
  %gx = load i64, ptr %pgx, align 8
  %pgy = getelementptr i64, ptr %ctx, i64 {Word.GRID_Y}
  %gy = load i64, ptr %pgy, align 8
  %pdone = getelementptr i64, ptr %ctx, i64 {Word.INSTRUCTIONS}
  %plimit = getelementptr i64, ptr %ctx, i64 {Word.LIMIT}
  %psteps = getelementptr i64, ptr %ctx, i64 {Word.STEPS}
  %steps = load i64, ptr %psteps, align 8
  br label %blocks
blocks:
  %b = phi i64 [ %first, %start ], [ %bnext, %finished ]
  %over = icmp uge i64 %b, %last
  br i1 %over, label %done, label %begin
begin:{clears}
  %ran = load i64, ptr %pdone, align 8
  %limit = add i64 %ran, %steps
  store i64 %limit, ptr %plimit, align 8
  call void @llvm.memset.p0.i64(ptr %bars, i8 0, i64 {size * BARRIERS}, i1 false)
  %x64 = urem i64 %b, %gx
  %t64 = udiv i64 %b, %gx
  %y64 = urem i64 %t64, %gy
  %z64 = udiv i64 %t64, %gy
  %x = trunc i64 %x64 to i32
  %y = trunc i64 %y64 to i32
  %z = trunc i64 %z64 to i32
  br label %reset
reset:
  %wr = phi i64 [ 0, %begin ], [ %wrn, %reset ]
  %offr = mul i64 %wr, {frame_bytes}
  %fr = getelementptr i8, ptr %frames, i64 %offr
  store i64 0, ptr %fr, align 8
  %wrn = add i64 %wr, 1
  %more = icmp ult i64 %wrn, {warps}
  br i1 %more, label %reset, label %round
round:
  %left = phi i32 [ {warps}, %reset ], [ %left2, %freed ]
  br label %warps
warps:
  %w = phi i64 [ 0, %round ], [ %wn, %after ]
  %left1 = phi i32 [ %left, %round ], [ %left2, %after ]
  %offw = mul i64 %w, {frame_bytes}
  %frame = getelementptr i8, ptr %frames, i64 %offw
  %pstate = getelementptr i8, ptr %frame, i64 {state}
  %s = load i32, ptr %pstate, align 4
  %runs = icmp eq i32 %s, {layout.RUNS}
  br i1 %runs, label %call, label %after
call:
  %w32 = trunc i64 %w to i32
  %islast = icmp eq i32 %w32, {warps - 1}
  %full = select i1 %islast, i32 {partial}, i32 -1
  %got = call i32 @warp(ptr %ctx, ptr %frame, i32 %w32, i32 %full, i32 %x, i32 %y, i32 %z)
  switch i32 %got, label %giveup [ i32 {layout.EXITED}, label %exited
                                   i32 {layout.ARRIVES}, label %arrives ]
exited:
  store i32 {layout.ENDED}, ptr %pstate, align 4
  %less = sub i32 %left1, 1
  br label %after
arrives:
  store i32 {layout.WAITS}, ptr %pstate, align 4
  %pn = getelementptr i8, ptr %frame, i64 {number}
  %n = load i32, ptr %pn, align 4
  %n64 = zext i32 %n to i64
  %offb = mul i64 %n64, {size}
  %bar = getelementptr i8, ptr %bars, i64 %offb
  %pa = getelementptr i8, ptr %frame, i64 {arrived}
  %a = load i32, ptr %pa, align 4
  %a0 = load i32, ptr %bar, align 4
  %a1 = add i32 %a0, %a
  store i32 %a1, ptr %bar, align 4
  %pe = getelementptr i8, ptr %frame, i64 {expected}
  %e = load i32, ptr %pe, align 4
  %be = getelementptr i8, ptr %bar, i64 4
  store i32 %e, ptr %be, align 4
  %ph = getelementptr i8, ptr %frame, i64 {held}
  %h = load i32, ptr %ph, align 4
  %bh = getelementptr i8, ptr %bar, i64 8
  %h0 = load i32, ptr %bh, align 4
  %h1 = add i32 %h0, %h
  store i32 %h1, ptr %bh, align 4
  br label %after
after:
  %left2 = phi i32 [ %left1, %warps ], [ %less, %exited ], [ %left1, %arrives ]
  %wn = add i64 %w, 1
  %morew = icmp ult i64 %wn, {warps}
  br i1 %morew, label %warps, label %settle
settle:
  %none = icmp eq i32 %left2, 0
  br i1 %none, label %finished, label %living
living:
  %wl = phi i64 [ 0, %settle ], [ %wln, %living ]
  %alive = phi i32 [ 0, %settle ], [ %alive1, %living ]
  %offl = mul i64 %wl, {frame_bytes}
  %fl = getelementptr i8, ptr %frames, i64 %offl
  %psl = getelementptr i8, ptr %fl, i64 {state}
  %sl = load i32, ptr %psl, align 4
  %waits = icmp eq i32 %sl, {layout.WAITS}
  %pal = getelementptr i8, ptr %fl, i64 {arrived}
  %al = load i32, ptr %pal, align 4
  %aw = select i1 %waits, i32 %al, i32 0
  %alive1 = add i32 %alive, %aw
  %wln = add i64 %wl, 1
  %morel = icmp ult i64 %wln, {warps}
  br i1 %morel, label %living, label %bars1
bars1:
  %k = phi i64 [ 0, %living ], [ %kn, %checked ]
  %any = phi i32 [ 0, %living ], [ %any2, %checked ]
  %offk = mul i64 %k, {size}
  %bk = getelementptr i8, ptr %bars, i64 %offk
  %ak = load i32, ptr %bk, align 4
  %bke = getelementptr i8, ptr %bk, i64 4
  %ek = load i32, ptr %bke, align 4
  %all = icmp eq i32 %ek, 0
  %wanted = select i1 %all, i32 %alive1, i32 %ek
  %some = icmp ne i32 %ak, 0
  %enough = icmp uge i32 %ak, %wanted
  %open = and i1 %some, %enough
  br i1 %open, label %release, label %checked
release:
  %bkh = getelementptr i8, ptr %bk, i64 8
  %hk = load i32, ptr %bkh, align 4
  %bkr = getelementptr i8, ptr %bk, i64 12
  store i32 %hk, ptr %bkr, align 4
  %bkt = getelementptr i8, ptr %bk, i64 16
  store i32 %ak, ptr %bkt, align 4
  store i32 0, ptr %bk, align 4
  store i32 0, ptr %bkh, align 4
  br label %free
free:
  %wf = phi i64 [ 0, %release ], [ %wfn, %freeing ]
  %offf = mul i64 %wf, {frame_bytes}
  %ff = getelementptr i8, ptr %frames, i64 %offf
  %psf = getelementptr i8, ptr %ff, i64 {state}
  %sf = load i32, ptr %psf, align 4
  %wf1 = icmp eq i32 %sf, {layout.WAITS}
  %pnf = getelementptr i8, ptr %ff, i64 {number}
  %nf = load i32, ptr %pnf, align 4
  %k32 = trunc i64 %k to i32
  %same = icmp eq i32 %nf, %k32
  %goes = and i1 %wf1, %same
  %sf2 = select i1 %goes, i32 {layout.RUNS}, i32 %sf
  store i32 %sf2, ptr %psf, align 4
  br label %freeing
freeing:
  %wfn = add i64 %wf, 1
  %moref = icmp ult i64 %wfn, {warps}
  br i1 %moref, label %free, label %checked1
checked1:
  br label %checked
checked:
  %any2 = phi i32 [ %any, %bars1 ], [ 1, %checked1 ]
  %kn = add i64 %k, 1
  %morek = icmp ult i64 %kn, {BARRIERS}
  br i1 %morek, label %bars1, label %freed1
freed1:
  %stuck = icmp eq i32 %any2, 0
  br i1 %stuck, label %giveup, label %freed
freed:
  br label %round
finished:
  %bnext = add i64 %b, 1
  %sum = load i64, ptr %pdone, align 8
  %long = icmp ugt i64 %sum, %limit
  br i1 %long, label %giveup, label %blocks
done:
  ret i32 0
giveup:
  ret i32 1
}}
; the frame of a warp starts with {resume} for the place to go on
"""
