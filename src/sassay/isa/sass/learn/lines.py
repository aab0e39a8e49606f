"""The lines of PTX that seed the tables, see `corpus`.

Scalar instructions are spelled by loops over their modifiers; matrix, asynchronous and tensor
memory ones, and what is longer than a line, are listed in a file beside this one.
"""

from __future__ import annotations

from importlib import resources
from itertools import chain, product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTED = "lines.txt"


def _each(text: str, *choices: str) -> Iterator[str]:
    """The text with every combination of space-separated choices in its `{}`; `-` is nothing."""
    for picked in product(*(choice.split(" ") for choice in choices)):
        yield text.format(*("" if word == "-" else word for word in picked))


def lines() -> tuple[str, ...]:
    """Every line of the corpus."""
    listed = resources.files(__package__).joinpath(LISTED).read_text("utf-8").splitlines()
    scalar = (_integer(), _floats(), _halves(), _conversions())
    other = (_memory(), _multicast(), _atomics(), _warp(), _control())
    return tuple(dict.fromkeys(chain(*scalar, *other, listed)))


def _integer() -> Iterator[str]:
    for second in ("%r2", "5", "0x12345678", "-1", "64"):
        yield from _each("{}.b32 %ro,%r1," + second + ";", "and or xor")
        yield from _each("{}.{}32 %ro,%r1," + second + ";", "add sub min max mul.lo mul.hi", "s u")
        yield from _each("{}.wide.{}32 %do,%r1," + second + ";", "mul", "s u")
        yield from _each("mad.{}.{}32 %ro,%r1," + second + ",%r3;", "lo hi", "s u")
        yield from _each("mad.wide.{}32 %do,%r1," + second + ",%d1;", "s u")
        yield from _each("setp.{}.{}32 %qo,%r1," + second + ";", "eq ne lt le gt ge", "s u")
        yield from _each("{} %ro,%r1," + second + ";", "shl.b32 shr.u32 shr.s32")
    yield from _each("setp.{}.{}.{}32 %qo,%r1,%r2,%q1;", "lt ne", "and or xor", "s u")
    yield from _each("{}.{}64 %do,%d1,%d2;", "add sub min max mul.lo mul.hi", "s u")
    yield from _each("setp.{}.{}64 %qo,%d1,%d2;", "eq lt ge", "s u")
    yield from _each("{}.b64 %do,%d1,%d2;", "and or xor")
    yield from _each("{} %do,%d1,%r2;", "shl.b64 shr.u64 shr.s64")
    yield from _each("{}.b32 %ro,%r1;", "not popc clz brev")
    yield from _each("bfind.{}{}32 %ro,%r1;", "- shiftamt.", "u s")
    yield from _each("{}.b64 %ro,%d1;", "popc clz")
    yield from _each("bfe.{}32 %ro,%r1,%r2,%r3;", "u s")
    yield "bfe.s32 %ro,%r1,4,9;"
    yield "bfi.b32 %ro,%r1,%r2,%r3,%r4;"
    yield from _each("lop3.b32 %ro,%r1,%r2,%r3,{};", "0x96 0xe8 0x1b")
    yield "lop3.or.b32 %ro|%qo,%r1,%r2,%r3,0x96,%q1;"
    yield from _each("prmt.b32{} %ro,%r1,%r2,%r3;", "- .f4e .b4e .rc8 .ecl .ecr .rc16")
    yield "prmt.b32 %ro,%r1,%r2,0x5410;"
    yield from _each("shf.{}.{}.b32 %ro,%r1,%r2,%r3;", "l r", "clamp wrap")
    yield from _each("{}.{}32 %ro,%r1,%r2,%r3;", "sad", "u s")
    yield from _each("{}.s32 %ro,%r1;", "abs neg")
    yield from _each("selp.{};", "b32\t%ro,%r1,%r2,%q1 b64\t%do,%d1,%d2,%q1 f32\t%fo,%f1,%f2,%q1")
    yield from _each("dp4a.{}32.{}32 %ro,%r1,%r2,%r3;", "u s", "u s")
    yield from _each("dp2a.{}.{}32.{}32 %ro,%r1,%r2,%r3;", "lo hi", "u s", "u s")
    yield from _each("{}.{}32 %ro,%r1,%r2;", "div rem", "u s")
    yield from _each("{}.u64 %do,%d1,%d2;", "div rem")
    yield from _each(
        "v{}4.{}32.{}32.{}32 %ro,%r1,%r2,%r3;", "add sub absdiff min max", "u", "u", "u s"
    )
    yield from _each("{}.u16x2 %ro,%r1,%r2;", "add min max")
    yield from _each("{}.s16x2{} %ro,%r1,%r2;", "min max", "- .relu")
    yield from _each("{}.s32.relu %ro,%r1,%r2;", "min max")
    yield "szext.wrap.s32 %ro,%r1,%r2;"
    yield "bmsk.clamp.b32 %ro,%r1,%r2;"
    yield "mul24.lo.u32 %ro,%r1,%r2;"
    yield "add.cc.u32 %ro,%r1,%r2; addc.u32 %ro2,%r3,%r4;"
    yield "sub.cc.u32 %ro,%r1,%r2; subc.u32 %ro2,%r3,%r4;"
    yield "mad.lo.cc.u32 %ro,%r1,%r2,%r3; madc.hi.u32 %ro2,%r1,%r2,%r4;"
    yield "add.s32 %ro,%r1,%r2; add.s32 %ro,%ro,%r3; neg.s32 %ro2,%ro;"
    yield "mad.lo.u32 %ro,%r1,8,%r2; mad.lo.u32 %ro2,%r1,16,64;"
    yield from _each(
        "mov.u32 %ro,{};", "%tid.x %ctaid.y %laneid %warpid %smid %clock %lanemask_lt %nctaid.x 7"
    )
    yield from _each("mov.u64 %do,{};", "%clock64 %globaltimer 0x123456789abc")
    yield from _each(
        "mov.u32 %ro,{};", "%clusterid.x %cluster_ctarank %cluster_nctaid.x %dynamic_smem_size"
    )
    yield from _each("fns.b32 %ro,%r1,%r2,{};", "1 %r3")


def _floats() -> Iterator[str]:
    for second in ("%f2", "0f3FC00000", "0f00000000"):
        yield from _each(
            "{}{}{}.f32 %fo,%f1," + second + ";",
            "add sub mul",
            ".rn .rz .rm .rp",
            "- .ftz .sat .ftz.sat",
        )
        yield from _each(
            "{}{}{}.f32 %fo,%f1," + second + ";",
            "min max",
            "- .ftz",
            "- .NaN .xorsign.abs .NaN.xorsign.abs",
        )
        yield from _each(
            "setp.{}{}.f32 %qo,%f1," + second + ";",
            "eq ne lt le gt ge equ neu ltu leu gtu geu num nan",
            "- .ftz",
        )
        yield from _each(
            "fma{}{}.f32 %fo,%f1," + second + ",%f3;", ".rn .rz .rm .rp", "- .ftz .sat .ftz.sat"
        )
    yield from _each("setp.{}.{}.f32 %qo,%f1,%f2,%q1;", "lt ne", "and or xor")
    yield from _each("set.{}.{}.f32 {},%f1,%f2;", "lt ge", "u32", "%ro")
    yield from _each("set.{}.f32.f32 %fo,%f1,%f2;", "lt ge")
    yield from _each("{}{}.f32 %fo,%f1;", "abs neg", "- .ftz")
    yield from _each(
        "{}.f32 %fo,%f1;",
        "rcp.approx sqrt.approx rsqrt.approx sin.approx cos.approx lg2.approx ex2.approx "
        "tanh.approx rcp.rn sqrt.rn rcp.approx.ftz ex2.approx.ftz sqrt.approx.ftz",
    )
    yield from _each("div.{}.f32 %fo,%f1,%f2;", "rn full approx approx.ftz")
    yield from _each("{}.{}.f64 %go,%g1,%g2;", "add mul", "rn rz rm rp")
    yield from _each("fma.{}.f64 %go,%g1,%g2,%g3;", "rn rz rm rp")
    yield from _each("{}.f64 %go,%g1,%g2;", "min max div.rn")
    yield from _each("{}.f64 %go,%g1;", "abs neg rcp.rn sqrt.rn rsqrt.approx rcp.approx.ftz")
    yield from _each("setp.{}.f64 %qo,%g1,%g2;", "eq ne lt le gt ge equ neu ltu num nan")
    yield from _each("testp.{}.f32 %qo,%f1;", "finite infinite number notanumber normal subnormal")
    yield "copysign.f32 %fo,%f1,%f2;"
    yield from _each("{}.f32x2 %do,%d1,%d2;", "add mul add.rz mul.ftz")
    yield from _each("fma.rn{}.f32x2 %do,%d1,%d2,%d3;", "- .ftz")
    yield "fma.rn.f32 %fo,%f1,%f2,0f3F800000; fma.rn.f32 %fo2,%f1,0f40000000,0f3F800000;"
    yield "min.f32 %fo,%f1,%f2,%f3;"
    yield "max.f32 %fo,%f1,%f2,%f3;"


def _halves() -> Iterator[str]:
    for kind in ("f16", "bf16"):
        yield from _each("{}{}." + kind + " %ho,%h1,%h2;", "add sub mul", ".rn .rn.sat .rn.ftz")
        yield from _each("{}{}." + kind + "x2 %ro,%r1,%r2;", "add sub mul", ".rn .rn.sat .rn.ftz")
        yield from _each(
            "fma.rn{}." + kind + " %ho,%h1,%h2,%h3;", "- .sat .relu .ftz .ftz.sat .ftz.relu"
        )
        yield from _each(
            "fma.rn{}." + kind + "x2 %ro,%r1,%r2,%r3;", "- .sat .relu .ftz .ftz.sat .ftz.relu"
        )
        yield from _each(
            "{}{}." + kind + "x2 %ro,%r1,%r2;",
            "min max",
            "- .NaN .xorsign.abs .NaN.xorsign.abs .ftz",
        )
        yield from _each("{}{}." + kind + " %ho,%h1,%h2;", "min max", "- .NaN .xorsign.abs")
        yield from _each("setp.{}." + kind + " %qo,%h1,%h2;", "eq ne lt le gt ge num nan ltu geu")
        yield from _each(
            "setp.{}." + kind + "x2 %qo|%qo2,%r1,%r2;", "eq ne lt le gt ge num nan ltu geu"
        )
        yield from _each("set.{}." + kind + "x2." + kind + "x2 %ro,%r1,%r2;", "eq lt ge gtu")
        yield from _each(
            "{}." + kind + "x2 %ro,%r1;", "abs neg tanh.approx ex2.approx ex2.approx.ftz"
        )
        yield from _each(
            "{}." + kind + " %ho,%h1;", "abs neg tanh.approx ex2.approx ex2.approx.ftz"
        )


def _conversions() -> Iterator[str]:
    names = {
        "u8": "r",
        "s8": "r",
        "u16": "h",
        "s16": "h",
        "u32": "r",
        "s32": "r",
        "u64": "d",
        "s64": "d",
    }
    floats = {"f16": "h", "bf16": "h", "f32": "f", "f64": "g"}
    for (whole, one), (kind, other) in product(names.items(), floats.items()):
        for rounding in ("rn", "rz", "rm", "rp"):
            yield f"cvt.{rounding}.{kind}.{whole} %{other}o,%{one}1;"
            yield f"cvt.{rounding}i.{whole}.{kind} %{one}o,%{other}1;"
        yield f"cvt.rni.sat.{whole}.{kind} %{one}o,%{other}1;"
        yield f"cvt.rzi.ftz.{whole}.{kind} %{one}o,%{other}1;"
    for (kind, one), (other, two) in product(floats.items(), floats.items()):
        for rounding in ("", ".rn", ".rz", ".rm", ".rp", ".rni", ".rzi", ".rmi", ".rpi"):
            for extra in ("", ".ftz", ".sat", ".relu"):
                if extra and rounding not in {"", ".rn", ".rni"}:
                    continue
                yield f"cvt{rounding}{extra}.{kind}.{other} %{one}o,%{two}1;"
    for (kind, one), (other, two) in product(names.items(), names.items()):
        if kind == other:
            continue
        yield f"cvt.{kind}.{other} %{one}o,%{two}1;"
        if kind[1:] in {"8", "16", "32"}:
            yield f"cvt.sat.{kind}.{other} %{one}o,%{two}1;"
    for kind in ("f16x2", "bf16x2", "e4m3x2", "e5m2x2"):
        out = "%ho" if kind.startswith("e") else "%ro"
        for extra in ("rn", "rz", "rn.relu", "rz.relu", "rn.satfinite", "rn.satfinite.relu"):
            yield f"cvt.{extra}.{kind}.f32 {out},%f1,%f2;"
    yield from _each("cvt.rn{}.f16x2.{}x2 %ro,%h1;", "- .relu", "e4m3 e5m2 e2m1 e2m3 e3m2")
    yield from _each("cvt.rn.satfinite{}.{}x2.f16x2 %ho,%r1;", "- .relu", "e4m3 e5m2")
    yield from _each("cvt.{}.tf32.f32 %ro,%f1;", "rna rn rz rn.relu rna.satfinite rn.satfinite")
    yield from _each("cvt.rn.satfinite.{}x2.f32 %ho,%f1,%f2;", "e2m3 e3m2 ue8m0")
    yield from _each("cvt.{}.satfinite.ue8m0x2.f32 %ho,%f1,%f2;", "rz rp")
    yield from _each("cvt.{}.satfinite.ue8m0x2.bf16x2 %ho,%r1;", "rz rp")
    yield "cvt.rn.bf16x2.ue8m0x2 %ro,%h1;"
    yield from _each("cvt.pack.sat.{}.s32{} %ro,%r1,%r2{};", "u8 s8", ".b32", ",%r3")
    yield from _each("cvt.pack.sat.{}.s32 %ro,%r1,%r2;", "u16 s16")


def _memory() -> Iterator[str]:
    widths = [
        "b8:r",
        "u16:h",
        "b32:r",
        "b64:d",
        "s8:r",
        "s16:h",
        "v2.b32:rr",
        "v4.b32:rrrr",
        "v2.b64:dd",
        "v2.b16:hh",
        "v8.b32:rrrr",
        "v4.b64:dddd",
    ]
    orders = (
        "weak",
        "volatile",
        "relaxed.cta",
        "relaxed.gpu",
        "relaxed.sys",
        "acquire.gpu",
        "acquire.sys",
        "acquire.cta",
        "relaxed.cluster",
    )
    for width in widths:
        kind, _, registers = width.partition(":")
        names = [f"%{r}o{i or ''}" for i, r in enumerate(registers.replace("rrrr", "rrrr"), 1)]
        names = [name.replace("o1", "o") for name in names]
        target = names[0] if len(names) == 1 else "{" + ",".join(names) + "}"
        inputs = [f"%{r}{i}" for i, r in enumerate(registers, 1)]
        source = inputs[0] if len(inputs) == 1 else "{" + ",".join(inputs) + "}"
        if kind.startswith("v8"):
            target = "{%ro,%ro2,%ro3,%ro4,%ro5,%ro6,%ro7,%ro8}"
            source = "{%r1,%r2,%r3,%r4,%r5,%r6,%r7,%r8}"
        for space in ("", ".global", ".shared", ".local"):
            address = {"": "%d5", ".global": "%d5", ".shared": "%r5", ".local": "%d5"}[space]
            for order in orders:
                if order != "weak" and (space == ".local" or kind not in {"b32", "v4.b32"}):
                    continue
                load = order.replace("acquire", "acquire")
                store = order.replace("acquire", "release")
                yield f"ld.{load}{space}.{kind} {target},[{address}+8];"
                yield f"st.{store}{space}.{kind} [{address}+16],{source};"
        if kind not in {"b32", "v4.b32", "s8", "v8.b32"}:
            continue
        for hint in (
            "ca",
            "cg",
            "cs",
            "lu",
            "cv",
            "nc",
            "nc.L1::no_allocate",
            "L1::evict_last",
            "L1::evict_first",
            "L1::evict_unchanged",
            "nc.L1::evict_first",
            "L1::no_allocate.L2::128B",
            "L2::256B",
            "nc.L2::64B",
            "L1::evict_last.L2::256B",
            "L2::evict_last",
            "L2::evict_first",
        ):
            yield f"ld.global.{hint}.{kind} {target},[%d5+8];"
        for hint in (
            "wb",
            "cg",
            "cs",
            "wt",
            "L1::no_allocate",
            "L1::evict_last",
            "L1::evict_first",
            "L2::evict_last",
        ):
            yield f"st.global.{hint}.{kind} [%d5+8],{source};"
        yield f"ld.const.{kind} {target},[table];"
        yield f"ld.const.{kind} {target},[table+%r5];".replace("table+%r5", "%d5")
    yield "createpolicy.fractional.L2::evict_last.b64 %do,1.0;"
    yield "ld.global.L2::cache_hint.b32 %ro,[%d5],%d1;"
    yield "st.global.L2::cache_hint.b32 [%d5],%r1,%d1;"
    yield "applypriority.global.L2::evict_normal [%d5],128;"
    yield "discard.global.L2 [%d5],128;"
    yield from _each("prefetch.global.{} [%d5];", "L1 L2 L2::evict_last L2::evict_normal")
    yield "prefetchu.L1 [%d5];"
    yield from _each("isspacep.{} %qo,%d5;", "global shared local const shared::cluster")
    yield from _each("cvta{}.{}.u64 %do,%d1;", "- .to", "shared local global")
    yield "mapa.shared::cluster.u32 %ro,%r5,%r1;"
    yield "ld.shared::cluster.b32 %ro,[%r5];"
    yield "st.shared::cluster.b32 [%r5],%r1;"
    yield "getctarank.shared::cluster.u32 %ro,%r5;"
    yield from _each("membar.{};", "cta gl sys")
    yield from _each("fence.{}.{};", "sc acq_rel", "cta cluster gpu sys")
    yield from _each("fence.proxy.{};", "async alias async.global async.shared::cta")
    yield "fence.mbarrier_init.release.cluster;"
    yield from _each(
        "ldmatrix.sync.aligned.m8n8.{}.shared.b16 {},[%r5];".replace(" {},", " {{%ro}},"),
        "x1 x1.trans",
    )
    yield from _each(
        "ldmatrix.sync.aligned.m8n8.{}.shared.b16 {{%ro,%ro2,%ro3,%ro4}},[%r5];", "x4 x4.trans"
    )
    yield from _each(
        "stmatrix.sync.aligned.m8n8.{}.shared.b16 [%r5],{{%r1,%r2,%r3,%r4}};", "x4 x4.trans"
    )
    yield "stmatrix.sync.aligned.m8n8.x1.shared.b16 [%r5],{%r1};"
    yield "movmatrix.sync.aligned.m8n8.trans.b16 %ro,%r1;"


def _multicast() -> Iterator[str]:
    """Memory of all GPUs of a multicast object, and of the other blocks of a cluster."""
    for order in ("", ".weak", ".relaxed.gpu", ".relaxed.sys", ".acquire.sys", ".relaxed.cta"):
        load, store = f"multimem.ld_reduce{order}.global", f"multimem.st{order}.global"
        store = store.replace("acquire", "release")
        yield from _each(load + ".{}.{}32 %ro,[%d5+8];", "add min max", "u s")
        yield from _each(load + ".{}.b32 %ro,[%d5];", "and or xor")
        yield from _each(load + ".{}.{}64 %do,[%d5];", "add min max", "u s")
        yield load + ".add.f32 %fo,[%d5];"
        yield load + ".add.f64 %go,[%d5];"
        yield load + ".add.v2.f32 {%fo,%fo2},[%d5];"
        yield load + ".add.v4.f32 {%fo,%fo2,%fo3,%fo4},[%d5+8];"
        for kind in ("f16x2", "bf16x2"):
            for name in ("add", "min", "max", "add.acc::f32"):
                yield f"{load}.{name}.{kind} %ro,[%d5+8];"
                yield f"{load}.{name}.v2.{kind} {{%ro,%ro2}},[%d5];"
                yield f"{load}.{name}.v4.{kind} {{%ro,%ro2,%ro3,%ro4}},[%d5];"
        yield store + ".b32 [%d5+8],%r1;"
        yield store + ".b64 [%d5],%d1;"
        yield store + ".v4.f32 [%d5],{%f1,%f2,%f3,%f4};"
    for order in ("", ".relaxed.gpu", ".release.sys"):
        yield from _each(f"multimem.red{order}.global.{{}}.u32 [%d5],%r1;", "add min max")
        yield f"multimem.red{order}.global.add.f32 [%d5],%f1;"
        yield f"multimem.red{order}.global.add.v4.f16x2 [%d5],{{%r1,%r2,%r3,%r4}};"
    bytes_done = "shared::cluster.mbarrier::complete_tx::bytes"
    for kind, value in (("b32", "%r1"), ("b64", "%d1"), ("v2.b32", "{%r1,%r2}"),
                        ("v4.b32", "{%r1,%r2,%r3,%r4}"), ("v2.b64", "{%d1,%d2}")):  # fmt: skip
        yield f"st.async.weak.{bytes_done}.{kind} [%r5],{value},[%r6];"
    for name in ("inc.u32", "dec.u32", "min.u32", "max.s32", "add.u32", "and.b32", "or.b32"):
        yield f"red.async.relaxed.cluster.{bytes_done}.{name} [%r5],%r1,[%r6];"
    yield f"red.async.relaxed.cluster.{bytes_done}.add.u64 [%r5],%d1,[%r6];"


def _atomics() -> Iterator[str]:
    for space, address in ((".global", "%d5"), (".shared", "%r5"), ("", "%d5")):
        for order in (
            "",
            ".relaxed.cta",
            ".acq_rel.gpu",
            ".release.sys",
            ".acquire.gpu",
            ".relaxed.cluster",
        ):
            if order and space == ".shared":
                continue
            for name in [
                "add.u32",
                "inc.u32",
                "dec.u32",
                "min.u32",
                "max.u32",
                "min.s32",
                "max.s32",
                "and.b32",
                "or.b32",
                "xor.b32",
                "exch.b32",
            ]:
                yield f"atom{order}{space}.{name} %ro,[{address}],%r1;"
                yield f"red{order}{space}.{name} [{address}],%r1;"
            for name in ["add.u64", "min.u64", "max.s64", "and.b64", "exch.b64"]:
                yield f"atom{order}{space}.{name} %do,[{address}],%d1;"
                yield f"red{order}{space}.{name} [{address}],%d1;"
            yield f"atom{order}{space}.cas.b32 %ro,[{address}],%r1,%r2;"
            yield f"atom{order}{space}.cas.b64 %do,[{address}],%d1,%d2;"
            yield f"atom{order}{space}.cas.b16 %ho,[{address}],%h1,%h2;"
            yield f"atom{order}{space}.add.f32 %fo,[{address}],%f1;"
            yield f"red{order}{space}.add.f32 [{address}],%f1;"
            yield f"atom{order}{space}.add.f64 %go,[{address}],%g1;"
            yield f"red{order}{space}.add.f64 [{address}],%g1;"
            for kind in ("f16x2", "bf16x2"):
                yield f"atom{order}{space}.add.noftz.{kind} %ro,[{address}],%r1;"
                yield f"red{order}{space}.add.noftz.{kind} [{address}],%r1;"
            for kind in ("f16", "bf16"):
                yield f"atom{order}{space}.add.noftz.{kind} %ho,[{address}],%h1;"
        yield f"red{space}.relaxed.gpu.add.v4.f32 [{address}],{{%f1,%f2,%f3,%f4}};".replace(
            f"red{space}.relaxed.gpu", f"red.relaxed.gpu{space}"
        )
        yield f"atom.relaxed.gpu{space}.add.v2.f32 {{%fo,%fo2}},[{address}],{{%f1,%f2}};"


def _warp() -> Iterator[str]:
    yield from _each(
        "shfl.sync.{}.b32 %ro|%qo,%r1,{},{},{};", "up down bfly idx", "%r2 3", "%r3 31", "-1 %r4"
    )
    yield from _each("vote.sync.{}.pred %qo,%q1,{};", "all any uni", "-1 %r1")
    yield "vote.sync.ballot.b32 %ro,%q1,-1;"
    yield from _each("match.any.sync.{} -1;", "b32\t%ro,%r1, b64\t%ro,%d1,")
    yield from _each("match.all.sync.{} -1;", "b32\t%ro|%qo,%r1, b64\t%ro|%qo,%d1,")
    yield from _each(
        "redux.sync.{} %ro,%r1,-1;",
        "add.u32 min.u32 max.u32 add.s32 min.s32 max.s32 and.b32 or.b32 xor.b32",
    )
    yield from _each("redux.sync.{}{}.f32 %fo,%f1,-1;", "min max min.abs", "- .NaN")
    yield "activemask.b32 %ro;"
    yield "elect.sync %ro|%qo,-1;"
    yield "bar.warp.sync -1;"
    yield "bar.warp.sync %r1;"


def _control() -> Iterator[str]:
    yield from (
        "bar.sync 0;",
        "bar.sync 1,64;",
        "bar.arrive 1,64;",
        "bar.sync %r1;",
        "bar.sync %r1,%r2;",
        "bar.arrive %r1,%r2;",
    )
    yield from _each("bar.red.{}.pred %qo,0,%q1;", "and or")
    yield "bar.red.popc.u32 %ro,0,%q1;"
    yield from ("trap;", "brkpt;", "nanosleep.u32 %r1;", "nanosleep.u32 64;", "pmevent 1;", "exit;")
    yield from (
        "@%q1 exit;",
        "@%q1 trap;",
        "setmaxnreg.inc.sync.aligned.u32 160;",
        "setmaxnreg.dec.sync.aligned.u32 40;",
    )
    yield from _each(
        "barrier.cluster.{}.aligned;", "arrive wait arrive.release arrive.relaxed wait.acquire"
    )
    yield from _each("barrier.cluster.{};", "arrive wait")
    yield from ("griddepcontrol.wait;", "griddepcontrol.launch_dependents;")
