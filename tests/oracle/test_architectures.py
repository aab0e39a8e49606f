"""Architecture- and family-specific code, as cubins and inside a fatbin."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from tests.oracle import nvidia_tools as nvidia
from tests.oracle.compare import Oracle, Tally, check
from tests.oracle.full import shown

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.oracle

ARCHS = ("sm_90a", "sm_100a", "sm_100f", "sm_103a", "sm_120", "sm_120a", "sm_120f")
_SPECIFIC, _FAMILY, _PLAIN = 0x100000, 0x200000, 0
_BODY = """
.version 8.8
.target {arch}
.address_size 64
.visible .entry step(.param .u64 p, .param .u32 n) .maxntid 96, 1, 1
{{
    .reg .b32 %r<9>; .reg .b64 %d<9>; .reg .f32 %f<9>; .reg .pred %q;
    ld.param.u64 %d1, [p]; ld.param.u32 %r2, [n]; mov.u32 %r1, %tid.x;
    mul.wide.u32 %d2, %r1, 4; add.u64 %d1, %d1, %d2; setp.lt.u32 %q, %r1, %r2;
    @%q ld.global.f32 %f1, [%d1]; fma.rn.f32 %f2, %f1, %f1, %f1; bar.sync 0;
    {more}
    @%q st.global.f32 [%d1], %f2; ret;
}}
"""
# Instructions that ptxas refuses for the plain architecture of the same number.
_MORE = {
    "sm_90a": "wgmma.fence.sync.aligned;",
    "sm_100f": "redux.sync.max.f32 %f2, %f1, -1;",
}


@pytest.fixture(scope="module")
def cubins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("architectures")
    for arch in ARCHS:
        ptx = folder / f"{arch}.text"
        ptx.write_text(_BODY.format(arch=arch, more=_MORE.get(arch, "")))
        nvidia.ask("ptxas-blackwell", f"-arch={arch}", ptx, "-o", folder / f"{arch}.cubin")
        ptx.unlink()
    return folder


def test_cubins_of_specific_architectures(cubins: Path, tmp_path: Path) -> None:
    document = shown(cubins)
    assert document["diagnostics"] == []
    assert {k["sources"][0]["path"]: k["arch"] for k in document["kernels"]} == {
        f"{arch}.cubin": arch for arch in ARCHS
    }
    tally = Tally()
    contents = {path.name: path.read_bytes() for path in cubins.glob("*.cubin")}
    check(document, contents, Oracle(tmp_path), tally)
    assert not tally.mismatches, "\n".join(tally.mismatches)
    assert tally.kernels == tally.resources == len(ARCHS)
    by_arch = {kernel["arch"]: kernel["instructions"]["sass"] for kernel in document["kernels"]}
    assert any(name.startswith("WARPGROUP") for name in by_arch["sm_90a"]), by_arch["sm_90a"]
    assert any(name.startswith("CREDUX.MAX.F32") for name in by_arch["sm_100f"]), by_arch["sm_100f"]


def test_the_same_inside_a_fatbin(cubins: Path, tmp_path: Path) -> None:
    """Headers as CUDA 13's fatbinary writes them; its flags tell `a` and `f` apart."""
    body = b"".join(_entry(arch, (cubins / f"{arch}.cubin").read_bytes()) for arch in ARCHS)
    path = tmp_path / "all.fatbin"
    path.write_bytes(struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body)
    kernels = shown(path)["kernels"]
    places = {kernel["sources"][0]["path"]: kernel["arch"] for kernel in kernels}
    assert places == {f"all.fatbin!fatbin.{i}": arch for i, arch in enumerate(ARCHS)}
    alone = {(k["arch"], k["id"], k["digest"]) for k in shown(cubins)["kernels"]}
    assert {(k["arch"], k["id"], k["digest"]) for k in kernels} == alone
    for arch in ("sm_100f", "sm_120a"):
        chosen = shown(path, "--arch", arch)["kernels"]
        assert [kernel["arch"] for kernel in chosen] == [arch]
    listed = [line.split()[-1] for line in nvidia.ask("cuobjdump", "-lelf", path).splitlines()]
    assert [name.split(".")[-2].rstrip("f") for name in listed] == [a.rstrip("f") for a in ARCHS]


def _entry(arch: str, cubin: bytes) -> bytes:
    suffix = arch[-1]
    flags = 0x1000011 | {"a": _SPECIFIC, "f": _FAMILY}.get(suffix, _PLAIN)
    payload = cubin + b"\0" * (-len(cubin) % 8)
    header = bytearray(64)
    struct.pack_into("<HHIQ", header, 0, 2, 0x101, 64, len(payload))
    struct.pack_into("<I", header, 28, int(arch.removeprefix("sm_").rstrip("af")))
    struct.pack_into("<Q", header, 40, flags)
    return bytes(header) + payload
