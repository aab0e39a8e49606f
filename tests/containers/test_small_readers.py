"""What a file is, how it is opened, and which parts of a symbol are stable."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.containers.kernels import assemble
from tests.containers.packing import fatbin, host_object

from sassay.containers import Format, map_file, sniff
from sassay.containers.mangled import stable_symbol
from sassay.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_content_decides_what_a_file_is() -> None:
    assert sniff(assemble("sm_80")[:64], "x.txt") is Format.ELF_CUBIN
    assert sniff(host_object({})[:64], "x.cubin") is Format.ELF_HOST
    assert sniff(fatbin(), "x") is Format.FATBIN
    assert sniff(b"\n//\n// .version\n/* a\n*/ .version 8.7\n.target sm_90", "x") is Format.PTX
    assert sniff(b"// .version 8.7", "x.py") is Format.UNKNOWN
    assert sniff(b".version\tnine", "x") is Format.UNKNOWN
    assert sniff(b"PK\x03\x04", "x") is Format.ZIP
    assert sniff(b"!<thin>\n", "x") is Format.AR
    assert sniff(b"\x1f\x8b\x08", "x.tar.gz") is Format.TAR
    assert sniff(b"\x1f\x8b\x08", "x.json.gz") is Format.UNKNOWN
    assert sniff(b"", "x.cubin") is Format.ELF_CUBIN
    assert sniff(b"", "x.so") is Format.UNKNOWN


def test_only_regular_files_are_mapped(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "some").write_bytes(b"abc")
    assert bytes(map_file(tmp_path / "empty")) == b""
    assert bytes(map_file(tmp_path / "some")) == b"abc"
    os.mkfifo(tmp_path / "pipe")
    for name, said in {"pipe": "no regular file", "missing": "No such file", ".": "folder"}.items():
        with pytest.raises(InputError, match=said):
            map_file(tmp_path / name, artifact=name)
    with pytest.raises(InputError, match="no regular file"):
        map_file("/dev/zero")


@pytest.mark.parametrize(
    ("symbol", "stable"),
    [
        ("_Z3fooPf", "_Z3fooPf"),
        (
            "_ZN45_INTERNAL_b96781cf_10_kernels_cu_e3f91d0f_6456thrust6systemE",
            "_ZN_INTERNAL_kernels_cu6thrust6systemE",
        ),
        (
            "_ZN4foo756_GLOBAL__N__9bf0c8d8_17_flash_fwd_hdim_cu_4ab3c2d1_123454barE5x",
            "_ZN4foo7_GLOBAL__N__flash_fwd_hdim_cu4barE5x",
        ),
        ("_INTERNAL_0a1b2c3d_4_a_cu_deadbeef_12", "_INTERNAL_a_cu"),
        ("_INTERNAL_0a1b2c3d_99_a", "_INTERNAL_a"),
        (
            "__nv_static_36__b96781cf_10_kernels_cu_e3f91d0f_645_lookup_table",
            "__nv_static_kernels_cu_lookup_table",
        ),
        ("__nv_static_36__b96781cf_99_kernels_cu", "__nv_static_kernels_cu"),
    ],
)
def test_stable_symbols(symbol: str, stable: str) -> None:
    assert stable_symbol(symbol) == stable
