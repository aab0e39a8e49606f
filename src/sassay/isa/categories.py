"""The taxonomy of instructions, shared by PTX and SASS.

The rows below are data, most specific first; the first row that matches an opcode names its
category. An opcode that no row knows is `other`: counted and listed, never dropped.

Sources: the instruction tables of "Parallel Thread Execution ISA" (PTX) and of "CUDA Binary
Utilities", section "Instruction Set Reference" (SASS, Turing to Blackwell).

What a reader may ask about:

- The opcode alone decides, never the operands. `HFMA2` and `HFMA2.MMA` with constant operands
  are how ptxas loads some constants; they stay `float_arithmetic`. `IMAD.U32` by 65536 and
  `PRMT` are how it widens bf16; they stay `integer_arithmetic`.
- `HADD2.F32` is how ptxas spells the conversion of half to single precision.
- Texture and surface accesses read and write global memory through another unit and count as
  `global_memory`, `sured` and its like as `atomic`. So does the control of caches.
- What only graphics shaders use (`ALD`, `AST`, `IPA`, `ISBERD`, `OUT`, `PIXLD`) stays `other`.
- `wmma.load` and `wmma.store` belong to `wmma`, hence to `tensor_core`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from sassay.model.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Mapping

CATEGORIES: tuple[str, ...] = (
    "tensor_core",
    "warpgroup",
    "tensor_memory",
    "tma",
    "async_copy",
    "global_memory",
    "shared_memory",
    "local_memory",
    "constant_memory",
    "atomic",
    "synchronization",
    "warp_exchange",
    "conversion",
    "float_arithmetic",
    "special_function",
    "integer_arithmetic",
    "address_and_move",
    "control",
    "other",
)
"""Every category, in the order in which reports list them."""


class Row(msgspec.Struct, frozen=True):
    """Opcodes of one category.

    Attributes:
        category: Where they belong.
        heads: Blank-separated dotted prefixes. `cp.async` matches `cp.async` and what continues
            it with a dot or `::`. `*` stands for any letters and digits, `?` for one.
        having: Blank-separated modifiers, one of which the opcode must have anywhere after its
            first word (`shared` matches `shared::cta` too). Empty: any.
    """

    category: str
    heads: str
    having: str = ""


FLOAT_TYPES = "f16* bf16* f32* f64 tf32* e?m?* ue?m?*"
"""PTX modifiers that name a floating-point type, as `Row.having` spells them."""

_ARITHMETIC = "add sub mul fma mad min max abs neg setp set selp slct testp copysign div sqrt rcp"

PTX_ROWS: tuple[Row, ...] = (
    Row("tensor_core", "mma wmma wgmma.mma_async tcgen05.mma"),
    Row("warpgroup", "wgmma setmaxnreg setmaxreg"),
    Row("tensor_memory", "tcgen05"),
    Row("tma", "cp.async.bulk cp.reduce.async.bulk multimem.cp tensormap"),
    # The prefetch of a descriptor is UTMACCTL.PF in SASS, a part of the same path.
    Row("tma", "prefetch", having="tensormap"),
    Row("async_copy", "cp.async"),
    Row("atomic", "atom red multimem.red sured"),
    Row("shared_memory", "ldmatrix stmatrix mapa getctarank setsmemsize"),
    Row("shared_memory", "ld st", having="shared"),
    Row("local_memory", "ld st", having="local"),
    Row("constant_memory", "ld st", having="const param"),
    Row("global_memory", "ld st ldu prefetch prefetchu multimem"),
    Row("global_memory", "applypriority createpolicy discard cctl cctlu"),
    Row("global_memory", "tex tld4 txq suld sust suq istypep"),
    Row("synchronization", "bar barrier fence membar mbarrier griddepcontrol clusterlaunchcontrol"),
    Row("warp_exchange", "shfl vote match redux activemask elect movmatrix"),
    Row("conversion", "cvt"),
    Row("special_function", "ex2 lg2 sin cos tanh rsqrt"),
    Row("special_function", "div sqrt rcp", having="approx full"),
    Row("float_arithmetic", _ARITHMETIC, having=FLOAT_TYPES),
    Row("address_and_move", "mov cvta selp isspacep alloca stacksave stackrestore"),
    Row("integer_arithmetic", "add addc sub subc mul mul24 mad mad24 madc div rem sad abs neg"),
    Row("integer_arithmetic", "min max setp set slct dp2a dp4a popc clz bfind fns brev bfe bfi"),
    Row("integer_arithmetic", "bmsk szext and or xor not cnot lop3 shl shr shf prmt"),
    Row("integer_arithmetic", "vadd vsub vabsdiff vmin vmax vshl vshr vmad vset"),
    Row("integer_arithmetic", "vadd2 vsub2 vavrg2 vabsdiff2 vmin2 vmax2 vset2"),
    Row("integer_arithmetic", "vadd4 vsub4 vavrg4 vabsdiff4 vmin4 vmax4 vset4"),
    Row("control", "bra brx call ret exit trap brkpt nanosleep pmevent"),
)

SASS_ROWS: tuple[Row, ...] = (
    Row("tensor_core", "HMMA IMMA DMMA BMMA QMMA OMMA HGMMA IGMMA QGMMA BGMMA OGMMA DGMMA"),
    Row("tensor_core", "UTC*MMA"),
    Row("warpgroup", "WARPGROUP WARPGROUPSET WGDEPBAR USETMAXREG SETMAXREG"),
    Row("tensor_memory", "LDTM STTM LDT STT UTC* UVIRTCOUNT"),
    Row("tma", "UTMA* UBLKCP UBLKRED UBLKPF"),
    Row("async_copy", "LDGSTS LDGDEPBAR"),
    Row("atomic", "ATOM ATOMG ATOMS ATOMC RED REDG REDS REDAS REDGMC UREDGR SUATOM SURED"),
    Row("shared_memory", "LDS STS LDSM STSM STAS UMEMSETS USETSHMSZ"),
    Row("local_memory", "LDL STL"),
    Row("constant_memory", "LDC ULDC LDCU"),
    Row("global_memory", "LDG STG LD ST LDGMC STGMC USTGR CCTL CCTLL CCTLT CCTLS CCTLP UCCTL"),
    Row("global_memory", "TEX TLD TLD4 TMML TXD TXQ TXA FOOTPRINT SULD SUST SUQUERY"),
    Row("synchronization", "BAR MEMBAR FENCE SYNCS SYNCSU ARRIVES DEPBAR ERRBAR CGAERRBAR"),
    Row("synchronization", "ACQBULK ACQSHMINIT PREEXIT CGABAR* UCGABAR* UGETNEXTWORKID B2R R2B"),
    Row("warp_exchange", "SHFL VOTE VOTEU MATCH REDUX CREDUX ELECT MOVM"),
    Row("conversion", "F2F F2I I2F F2FP I2FP F2IP FRND I2I I2IP"),
    Row("conversion", "HADD2", having="F32"),
    Row("special_function", "MUFU TTU*"),
    Row("float_arithmetic", "FADD FADD2 FADD32I FMUL FMUL2 FMUL32I FFMA FFMA2 FFMA32I FCHK"),
    Row("float_arithmetic", "FMNMX FMNMX3 FSEL FSET FSETP FCMP FSWZADD FHADD FHFMA"),
    Row("float_arithmetic", "HADD2 HADD2_32I HMUL2 HMUL2_32I HFMA2 HFMA2_32I HMNMX2 HSET2 HSETP2"),
    Row("float_arithmetic", "DADD DMUL DFMA DSETP DMNMX DSET VHMNMX QADD4 QMUL4 QFMA4"),
    Row("address_and_move", "IMAD", having="MOV"),
    Row("address_and_move", "MOV MOV32I MOV64IUR SEL S2R S2UR CS2R CS2UR R2UR P2R R2P UP2UR UR2UP"),
    Row("address_and_move", "UCLEA QSPC LEPC GETLMEMBASE SETLMEMBASE"),
    Row("integer_arithmetic", "IADD IADD2 IADD3 IADD32I IMAD IMUL IMUL32I IABS IMNMX ISETP ISET"),
    Row("integer_arithmetic", "ISCADD ISCADD32I IDP IDP4A LEA LOP LOP3 LOP32I SHF SHL SHR"),
    Row("integer_arithmetic", "BMSK BREV FLO POPC PRMT SGXT BFE BFI PLOP3 PSETP PSET CLMAD XMAD"),
    Row("integer_arithmetic", "VABSDIFF VABSDIFF4 VIADD VIADDMNMX VIMNMX VIMNMX3"),
    Row("control", "BRA BRX BRXU BREAK BSSY BSYNC BMOV BPT CALL EXIT JMP JMX JMXU KILL RET RTT"),
    Row("control", "NOP NANOSLEEP YIELD WARPSYNC ENDCOLLECTIVE RPCMOV PMTRIG SETCTAID CSMTEST IDE"),
)


_SEPARATOR = re.compile("[.:]")
_WILD = re.compile("[*?]")


class _Matcher:
    """The rows of a layer by the first words of their heads, so that few have to be tried.

    A regular expression a row would take every process longer to compile than to use.
    """

    def __init__(self, rows: tuple[Row, ...]) -> None:
        self._rows = rows
        self._plain: dict[str, list[tuple[int, str]]] = {}
        self._patterns: list[tuple[int, str, str]] = []
        for number, row in enumerate(rows):
            for head in row.heads.split():
                start = _WILD.split(head, maxsplit=1)[0]
                if start == head:
                    self._plain.setdefault(_SEPARATOR.split(head)[0], []).append((number, head))
                else:
                    self._patterns.append((number, head, start))

    def category(self, opcode: str) -> str | None:
        """The category of the first row that holds; None: no row does."""
        words = _SEPARATOR.split(opcode)
        found = [
            number
            for number, head in self._plain.get(words[0], ())
            if opcode == head or (opcode.startswith(head) and opcode[len(head)] in ".:")
        ]
        found += [
            number
            for number, head, start in self._patterns
            if words[0].startswith(start) and _is_like(words[0], head)
        ]
        for number in sorted(found):
            row = self._rows[number]
            wanted = row.having.split()
            if not wanted or any(_is_like(word, each) for word in words[1:] for each in wanted):
                return row.category
        return None


def _is_like(word: str, pattern: str) -> bool:
    if _WILD.search(pattern) is None:
        return word == pattern
    return _compiled(pattern).fullmatch(word) is not None


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", r"\w*").replace(r"\?", r"\w"))


@lru_cache(maxsize=2)
def _matcher(layer: Layer) -> _Matcher:
    return _Matcher(PTX_ROWS if layer is Layer.PTX else SASS_ROWS)


@lru_cache(maxsize=65_536)
def category(layer: Layer, opcode: str) -> str:
    """The category of an opcode.

    Args:
        layer: PTX or SASS.
        opcode: The whole dotted spelling, predicate left out.

    Returns:
        One of `CATEGORIES`; `other` for an opcode that no row knows.
    """
    matcher = _matcher(layer)
    found = matcher.category(opcode)
    # A uniform-datapath form (UIADD3, UFFMA, UF2F ...) is its vector form on another unit, and
    # ptxas knows forms of its own with an underscore (_ldldu, _tcgen05.guardrails).
    if found is None and opcode.startswith("U" if layer == Layer.SASS else "_"):
        found = matcher.category(opcode[1:])
    return found or "other"


def summarize(layer: Layer, census: Mapping[str, int]) -> dict[str, int]:
    """Counts by category, in the order of `CATEGORIES`, zeros left out; they add up to the total.

    Args:
        layer: Layer of the census.
        census: Counts by opcode.
    """
    counts = dict.fromkeys(CATEGORIES, 0)
    for opcode, count in census.items():
        counts[category(layer, opcode)] += count
    return {name: count for name, count in counts.items() if count}
