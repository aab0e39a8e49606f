"""Two states that differ in every way a build can change, written by hand file by file.

`write_inputs` fills a folder with the Triton caches `before` and `after`, a wheel, a shared
object, a fatbin and a lone PTX of the same code, policies and measurements. Nothing in them comes
from a compiler, so that golden runs hold under every release of Triton and of nvdisasm.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.cli.cubins import cubin
from tests.containers import packing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LOAD = ("S2R", "IMAD.WIDE", "LDG")
STORE = ("STG", "EXIT", "NOP")
REDUCE = ("SHFL", "FADD", "SHFL", "FADD")

_PTX_LOAD = (
    "mov.u32 %r1, %tid.x;",
    "mul.wide.u32 %rd2, %r1, 4;",
    "add.s64 %rd3, %rd1, %rd2;",
    "ld.global.b32 %r2, [%rd3];",
)
_PTX_STORE = ("st.global.b32 [%rd3], %r2;", "ret;")
_PTX_REDUCE = (
    "shfl.sync.bfly.b32 %r3, %r2, 16, 31, -1;",
    "add.f32 %f1, %f1, %f2;",
)


@dataclass(frozen=True)
class Written:
    """One compilation of a cache.

    Attributes:
        name: The kernel's function.
        sass: Opcodes, keys of `cubins.WORDS`.
        ptx: Instructions.
    """

    name: str
    sass: tuple[str, ...]
    ptx: tuple[str, ...]
    arch: str = "sm_90a"
    warps: int = 4
    registers: int = 32
    shared: int = 0

    @property
    def key(self) -> str:
        """The cache folder's name, as Triton forms it: 52 characters of base32."""
        digest = hashlib.sha256(repr(self).encode()).digest()
        return base64.b32encode(digest).decode().rstrip("=")

    def module(self) -> str:
        """The PTX module."""
        body = "".join(f"\t{line}\n" for line in self.ptx)
        return (
            f".version 8.7\n.target {self.arch}\n.address_size 64\n"
            f".visible .entry {self.name}(\n\t.param .u64 .ptr .global .align 16 rows\n)\n"
            f".reqntid {self.warps * 32}\n{{\n"
            "\t.reg .b32 %r<8>;\n\t.reg .b64 %rd<8>;\n\t.reg .f32 %f<8>;\n\t.reg .b16 %h<8>;\n"
            f"\tld.param.u64 %rd1, [rows];\n{body}}}\n"
        )

    def cubin(self) -> bytes:
        """The cubin."""
        return cubin(
            self.name,
            self.sass,
            arch=self.arch,
            registers=self.registers,
            warps=self.warps,
        )

    def write(self, cache: Path) -> None:
        """Add the compilation to a cache, as Triton would."""
        folder = cache / self.key
        folder.mkdir(parents=True, exist_ok=True)
        metadata = {
            "hash": hashlib.sha256(repr(self).encode()).hexdigest(),
            "name": self.name,
            "target": {
                "backend": "cuda",
                "arch": int(self.arch[3:].rstrip("a")),
                "warp_size": 32,
            },
            "num_warps": self.warps,
            "num_ctas": 1,
            "num_stages": 3,
            "shared": self.shared,
            "triton_version": "3.5.0",
        }
        ttir = (
            f'#loc = loc("kernels.py":7:0)\nmodule {{\n  tt.func public @{self.name}('
            '%rows: !tt.ptr<f32> {tt.divisibility = 16 : i32} loc("rows"(#loc))) {\n'
            "    tt.return loc(#loc)\n  } loc(#loc)\n} loc(#loc)\n"
        )
        (folder / f"{self.name}.json").write_text(json.dumps(metadata))
        (folder / f"{self.name}.ttir").write_text(ttir)
        (folder / f"{self.name}.ptx").write_text(self.module())
        (folder / f"{self.name}.cubin").write_bytes(self.cubin())


_GEMM_PTX_90 = (
    *_PTX_LOAD,
    (
        "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes "
        "[%r3], [%rd2, {%r1, %r2}], [%r4];"
    ),
    "wgmma.fence.sync.aligned;",
    (
        "wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 "
        "{%f1,%f2,%f3,%f4,%f5,%f6,%f7,%f1}, %rd2, %rd3, 1, 1, 1, 0, 1;"
    ),
    "wgmma.commit_group.sync.aligned;",
    "wgmma.wait_group.sync.aligned 0;",
    *_PTX_STORE,
)
_GEMM_PTX_80 = (
    *_PTX_LOAD,
    "cp.async.cg.shared.global [%r3], [%rd3], 16;",
    "cp.async.commit_group;",
    "cp.async.wait_group 0;",
    (
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%f1,%f2,%f3,%f4}, {%r1,%r2,%r3,%r4}, {%r5,%r6}, {%f1,%f2,%f3,%f4};"
    ),
    *_PTX_STORE,
)
SAME = (
    Written("copy_rows", (*LOAD, *STORE), (*_PTX_LOAD, *_PTX_STORE), registers=16),
    Written("copy_rows", (*LOAD, *STORE), (*_PTX_LOAD, *_PTX_STORE), "sm_80", registers=16),
    Written(
        "gemm_tile",
        ("S2R", "SYNCS", "UTMALDG", "WARPGROUP.ARRIVE", "HGMMA", "WARPGROUP.DEPBAR", *STORE),
        _GEMM_PTX_90,
        registers=168,
        shared=49152,
    ),
    Written(
        "gemm_tile",
        (*LOAD, "LDGSTS", "LDGDEPBAR", "BAR", "LDSM", "HMMA", "HMMA", *STORE),
        _GEMM_PTX_80,
        "sm_80",
        registers=168,
        shared=49152,
    ),
)
_ROUND = Written(
    "round_rows",
    (*LOAD, "FMUL", "FADD", "F2FP", *STORE),
    (
        *_PTX_LOAD,
        "mul.f32 %f1, %f2, %f3;",
        "add.f32 %f1, %f1, %f3;",
        "cvt.rn.bf16.f32 %h1, %f1;",
        *_PTX_STORE,
    ),
)
_SUM = Written(
    "sum_rows",
    (*LOAD, *REDUCE, *STORE),
    (*_PTX_LOAD, *_PTX_REDUCE, *_PTX_REDUCE, *_PTX_STORE),
)
_GROW = Written(
    "grow_rows", (*LOAD, "FFMA", "FFMA", *STORE), (*_PTX_LOAD, "fma.rn.f32 %f1, %f2, %f3, %f1;",
    *_PTX_STORE), registers=40,
)  # fmt: skip
BEFORE = (
    *SAME,
    _ROUND,
    _SUM,
    _GROW,
    Written(
        "rmsnorm_rows",
        (*LOAD, "FMUL", *REDUCE, "MUFU.RSQ", "F2FP", *STORE),
        (*_PTX_LOAD, *_PTX_REDUCE, "rsqrt.approx.f32 %f1, %f1;", "cvt.rn.bf16.f32 %h1, %f1;",
         *_PTX_STORE),
    ),
    Written(
        "scale_rows",
        (*LOAD, "FMUL", "F2FP", *STORE),
        (*_PTX_LOAD, "mul.f32 %f1, %f1, %f2;", "cvt.rn.bf16.f32 %h1, %f1;", *_PTX_STORE),
    ),
)  # fmt: skip
AFTER = (
    *SAME,
    replace(
        _ROUND,
        sass=(*LOAD, "FFMA", "F2FP", *STORE),
        ptx=(
            *_PTX_LOAD,
            "fma.rn.f32 %f1, %f2, %f3, %f1;",
            "cvt.rz.bf16.f32 %h1, %f1;",
            *_PTX_STORE,
        ),
    ),
    replace(_SUM, warps=8, shared=32, sass=(*LOAD, *REDUCE, "STS", "BAR", "LDS", "FADD", *STORE)),
    replace(_GROW, registers=255, sass=(*LOAD, "STL", "FFMA", "LDL", "FFMA", *STORE)),
    Written(
        "rmsnorm_scale_rows",
        (*LOAD, "FMUL", *REDUCE, "MUFU.RSQ", "FMUL", "F2FP", *STORE),
        (*_PTX_LOAD, *_PTX_REDUCE, "rsqrt.approx.f32 %f1, %f1;", "mul.f32 %f1, %f1, %f2;",
         "cvt.rn.bf16.f32 %h1, %f1;", *_PTX_STORE),
    ),
)  # fmt: skip

GATE = """\
version: v1
rules:
  - id: gemm-uses-tma
    effect: fail
    match:
      all:
        - kernel: gemm*
        - operation: LDGSTS*
          layer: sass
    reason: The GEMM copies tiles by hand.
"""
TIED = """\
version: v1
rules:
  - id: rounding-needs-accuracy
    effect: review
    match:
      family: round_rows
    requires: [gsm8k]
    reason: Rounding moved.
"""
WAIVED = """\
version: v1
rules:
  - id: no-spills
    effect: fail
    match:
      family: "*"
    when:
      resource:
        spill_store_bytes: {gt: 0}
    reason: The kernel spills.
waivers:
  - rule: no-spills
    family: grow_*
    reason: Known until the retune lands.
    owner: kernels@example.org
    expires: 2026-06-30
"""
QUIET = """\
version: v1
rules:
  - id: no-atomics
    effect: fail
    match:
      category: atomic
    reason: Atomics are not deterministic.
"""
BROKEN = """\
version: v1
rules:
  - id: a
    efect: fail
    match:
      family: "*"
    reason: r
"""


def write_cache(folder: Path, compilations: Iterable[Written]) -> Path:
    """A Triton cache of these compilations."""
    for each in compilations:
        each.write(folder)
    return folder


def write_inputs(folder: Path) -> None:
    """Fill a folder with everything that the golden runs name."""
    write_cache(folder / "before", BEFORE)
    write_cache(folder / "after", AFTER)
    copy, gemm = SAME[0], SAME[2]
    fat = packing.fatbin(
        packing.entry(SAME[1].cubin(), arch=80, flags=0x11 | packing.LZ4),
        packing.entry(gemm.cubin(), arch=90, flags=0x100011 | packing.ZSTD),
        packing.entry(copy.module().encode() + b"\0", kind=1, arch=90),
    )
    library = packing.host_object({".nv_fatbin": fat})
    (folder / "rows.fatbin").write_bytes(fat)
    (folder / "librows.so").write_bytes(library)
    with zipfile.ZipFile(folder / "rows-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(zipfile.ZipInfo("rows/librows.so"), library)
        wheel.writestr(zipfile.ZipInfo("rows/__init__.py"), "")
    (folder / "lone.ptx").write_text(copy.module())
    (folder / "lone.cubin").write_bytes(copy.cubin())
    mixed = shutil.copytree(folder / "before", folder / "mixed")
    broken = mixed / SAME[2].key / "gemm_tile.cubin"
    broken.write_bytes(broken.read_bytes()[:300])
    for name, text in (
        ("gate", GATE), ("tied", TIED), ("waived", WAIVED), ("quiet", QUIET), ("broken", BROKEN),
    ):  # fmt: skip
        (folder / f"{name}.yaml").write_text(text)
    (folder / "gsm8k.json").write_text('{"gsm8k": {"value": 0.912, "unit": "accuracy"}}\n')
    (folder / "none").mkdir()
    (folder / "none" / "notes.txt").write_text("no code here\n")
