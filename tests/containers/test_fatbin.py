"""Fatbins in every place and form that nvcc leaves them in."""

from __future__ import annotations

import pytest
from tests.containers.kernels import assemble
from tests.containers.packing import LZ4, ZSTD, entry, fatbin, host_object

from sassay.containers import find_fatbins, read_cubin
from sassay.model.artifact import ArtifactKind

PTX = b".version 8.8\n.target sm_90\n.address_size 64\n\0"


@pytest.mark.parametrize("flags", [0x11, 0x11 | LZ4, 0x11 | ZSTD])
def test_every_compression_gives_the_same_bytes(flags: int) -> None:
    cubin = assemble("sm_90")
    data = fatbin(entry(cubin, flags=flags), entry(PTX, kind=1, flags=flags))
    first, second = find_fatbins(data, artifact="m.fatbin")
    assert (first.kind, first.arch, first.index) == (ArtifactKind.CUBIN, "sm_90", 0)
    assert first.compressed == {LZ4: "lz4", ZSTD: "zstd"}.get(flags & ~0x11)
    # A plain payload keeps its padding to 8 bytes, which no ELF reader minds.
    assert first.data().startswith(cubin)
    assert read_cubin(first.data(), artifact="m").arch == "sm_90"
    assert (second.kind, second.arch, second.data()) == ("ptx", "compute_90", PTX[:-1])
    assert data[first.offset : first.offset + 4] == cubin[:4] or first.compressed


def test_architecture_variants() -> None:
    cubin = assemble("sm_90")
    data = fatbin(
        entry(cubin, arch=90, flags=0x100011),
        entry(cubin, arch=100, flags=0x1200011),
        entry(cubin, arch=120, flags=0x1000011),
        entry(PTX, kind=1, arch=120, flags=0x208011),
    )
    found = [e.arch for e in find_fatbins(data, artifact="m")]
    assert found == ["sm_90a", "sm_100f", "sm_120", "compute_120f"]


def test_several_fatbins_in_one_section_with_padding_between() -> None:
    one, two = (fatbin(entry(assemble(a), arch=int(a[3:]))) for a in ("sm_80", "sm_90"))
    section = one + bytes(24) + two + bytes(40)
    data = host_object({".text": b"\xc3", ".nv_fatbin": section})
    found = list(find_fatbins(data, artifact="lib.so"))
    assert [(e.arch, e.index, e.section) for e in found] == [
        ("sm_80", 0, ".nv_fatbin"),
        ("sm_90", 1, ".nv_fatbin"),
    ]


def test_a_linked_library_gives_its_linked_kernels_only() -> None:
    before = fatbin(entry(assemble("sm_90", relocatable=True)))
    linked = fatbin(entry(assemble("sm_90")))
    sections = {"__nv_relfatbin": before, ".nv_fatbin": linked}
    library, single = host_object(sections), host_object(sections, kind=1)
    notes: list[str] = []
    found = list(find_fatbins(library, artifact="lib.so", on_note=notes.append))
    assert [e.section for e in found] == [".nv_fatbin"]
    assert notes == ["__nv_relfatbin left out: its kernels before device linking"]
    both = ["__nv_relfatbin", ".nv_fatbin"]
    everything = find_fatbins(library, artifact="lib.so", relocatable=True)
    assert [e.section for e in everything] == both
    assert [e.section for e in find_fatbins(single, artifact="m.o")] == both
    alone = host_object({"__nv_relfatbin": before})
    assert [e.index for e in find_fatbins(alone, artifact="m.so")] == [0]


def test_entries_of_other_kinds_are_counted_and_left_out() -> None:
    notes: list[str] = []
    data = fatbin(entry(b"\xedCN\x7f" * 4, kind=8), entry(b"?" * 8, kind=77), entry(PTX, kind=1))
    found = list(find_fatbins(data, artifact="m", on_note=notes.append))
    assert [e.index for e in found] == [2]
    assert notes == ["fatbin entry 0 left out: LTO IR", "fatbin entry 1 left out: kind 77"]


def test_a_host_object_without_device_code_yields_nothing() -> None:
    assert not list(find_fatbins(host_object({".text": b"\xc3"}), artifact="m.so"))
    assert not list(find_fatbins(host_object({".nv_fatbin": b""}), artifact="m.so"))
