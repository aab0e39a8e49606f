from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest
from tests.capture.helpers import opened
from tests.sources.material import (
    KIND_CUBIN,
    KIND_PTX,
    Piece,
    code,
    copy_cache,
    fatbin,
    host_library,
    triton_cache,
)

from sassay.capture import CodeArchive
from sassay.errors import InputError
from sassay.isa.sass import Disassembler
from sassay.model.artifact import SourceKind
from sassay.model.state import Level

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sassay.isa.sass import Decoded


def test_triton_cache() -> None:
    store = CodeArchive()
    state = opened(triton_cache(), store)
    assert [(kernel.family, kernel.arch) for kernel in state.kernels] == [
        ("scale_rows", "sm_80"),
        ("scale_rows", "sm_90a"),
        ("triton_poi_fused_mul", "sm_90a"),
    ]
    kernel = state.kernels[1]
    assert re.fullmatch(r"[0-9a-f]{12}", kernel.id)
    assert kernel.instructions.ptx is not None
    assert kernel.instructions.sass is not None
    assert kernel.categories.ptx is not None
    assert kernel.categories.sass is not None
    for counts, categories in (
        (kernel.instructions.ptx, kernel.categories.ptx),
        (kernel.instructions.sass, kernel.categories.sass),
    ):
        assert sum(counts.values()) == sum(categories.values())
    assert kernel.code_bytes == 16 * sum(kernel.instructions.sass.values())
    assert kernel.launch.block == (128, 1, 1)
    assert kernel.launch.warps == 4
    dynamic = kernel.metadata["shared"]
    static = kernel.resources.static_shared_bytes
    assert isinstance(dynamic, int)
    assert dynamic > 0
    assert static is not None
    assert kernel.resources.shared_bytes == static + dynamic
    assert kernel.resources.spill_load_bytes == 0
    (toolchain,) = kernel.toolchains
    assert toolchain.frontend is not None
    assert toolchain.ptxas is not None
    assert toolchain.ptx_version is not None
    assert kernel.location is not None
    assert state.environment["frontend"] == toolchain.frontend
    assert state.counts["kernels"] == 3
    assert "nvdisasm" in state.tools
    assert kernel.code.sass is not None
    assert kernel.code.ptx is not None
    assert len(store.sass(kernel.code.sass).code) == kernel.code_bytes
    assert ".entry scale_rows" in store.ptx(kernel.code.ptx)


def test_sass_census_is_what_nvdisasm_prints() -> None:
    state = opened(triton_cache())
    sass = state.kernels[0].instructions.sass
    assert sass is not None
    assert sass["EXIT"] >= 1
    assert any(opcode.startswith("LDG.E") for opcode in sass)


def test_ptx_alone_is_a_fallback_kernel(tmp_path: Path) -> None:
    (tmp_path / "a.ptx").write_bytes(code("ptx"))
    (tmp_path / "b.fatbin").write_bytes(fatbin([Piece(KIND_PTX, 90, code("ptx", 80), "zstd")]))
    state = opened(tmp_path)
    assert sorted((kernel.arch, kernel.code_bytes) for kernel in state.kernels) == [
        ("compute_90", None), ("compute_90a", None),
    ]  # fmt: skip
    for kernel in state.kernels:
        assert kernel.instructions.sass is None
        assert kernel.instructions.ptx is not None
        assert kernel.digest == kernel.ptx_digest
        assert kernel.code.sass is None


def test_equal_kernels_merge_with_both_places(tmp_path: Path) -> None:
    copy_cache(tmp_path / "one")
    copy_cache(tmp_path / "two")
    state = opened(tmp_path)
    assert len(state.kernels) == 3
    for kernel in state.kernels:
        assert [source.path.split("/")[0] for source in kernel.sources] == ["one", "two"]
    alone = opened(triton_cache())
    assert [kernel.id for kernel in alone.kernels] == [kernel.id for kernel in state.kernels]


def test_the_same_code_with_another_specialization_stays_apart(tmp_path: Path) -> None:
    copy_cache(tmp_path / "one")
    shutil.copy(next((tmp_path / "one").glob("*/scale_rows.cubin")), tmp_path / "alone.cubin")
    state = opened(tmp_path)
    assert len(state.kernels) == 4
    digests = [kernel.digest for kernel in state.kernels if kernel.symbol == "scale_rows"]
    assert len(set(digests)) == 2
    assert len(digests) == 3


def test_order_and_place_of_inputs_do_not_matter(tmp_path: Path) -> None:
    names = [item.name for item in sorted(triton_cache().iterdir())]
    first, second = tmp_path / "a" / "cache", tmp_path / "b" / "cache"
    for target, order in ((first, names), (second, names[::-1])):
        target.mkdir(parents=True)
        for name in order:
            shutil.copytree(triton_cache() / name, target / name)
    assert opened(first) == opened(second)


def test_library_kernels(tmp_path: Path) -> None:
    pieces = [
        Piece(KIND_CUBIN, 80, code("cubin", 80), "lz4"),
        Piece(KIND_CUBIN, 90, code("cubin"), "zstd"),
        Piece(KIND_PTX, 90, code("ptx"), "plain"),
    ]
    (tmp_path / "libours.so").write_bytes(host_library(fatbin(pieces)))
    (tmp_path / "libcpu.so").write_bytes(host_library(None))
    state = opened(tmp_path)
    assert sorted(kernel.arch for kernel in state.kernels) == ["compute_90", "sm_80", "sm_90a"]
    assert {source.kind for kernel in state.kernels for source in kernel.sources} == {
        SourceKind.LIBRARY
    }
    assert all(kernel.specialization.options == {} for kernel in state.kernels)
    assert state.counts["skipped_files"] == 1
    assert [item.level for item in state.diagnostics] == [Level.NOTE]
    only = opened(tmp_path, arch_globs=("sm_8*",))
    assert [kernel.arch for kernel in only.kernels] == ["sm_80"]


def test_what_no_disassembler_knows_is_said_once(tmp_path: Path) -> None:
    class Blind(Disassembler):
        def opcodes(self, sections: Sequence[tuple[str, bytes]]) -> list[Decoded | None]:
            decoded = super().opcodes(sections)
            return [
                None if arch == "sm_90a" else item
                for (arch, _), item in zip(sections, decoded, strict=True)
            ]

    from sassay.capture import build_state

    with Blind(None, tables=False) as blind:
        state = build_state(str(triton_cache()), store=CodeArchive(), disassembler=blind)
    assert [(item.arch, item.layer) for item in state.diagnostics] == [("sm_90a", "sass")]
    lacking = [kernel for kernel in state.kernels if kernel.arch == "sm_90a"]
    assert len(lacking) == 2
    for kernel in lacking:
        assert kernel.instructions.sass is None
        assert kernel.categories.sass is None
        assert kernel.resources.spill_load_bytes is None
        assert kernel.instructions.ptx is not None
    seeing = {kernel.symbol + kernel.arch: kernel.id for kernel in opened(triton_cache()).kernels}
    assert all(seeing[kernel.symbol + kernel.arch] == kernel.id for kernel in state.kernels)


def test_an_input_without_code(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("nothing")
    with pytest.raises(InputError, match=r"no compiled code in 1 file .*looked for cubins"):
        opened(tmp_path)
    (tmp_path / "data.ptx").write_text(
        ".version 8.8\n.target sm_90\n.address_size 64\n.global .u32 table[4] = {1, 2, 3, 4};\n"
    )
    with pytest.raises(InputError, match=r"holds 1 cubin or PTX module, and no kernel"):
        opened(tmp_path)
    with pytest.raises(InputError, match=r"no code for sm_75"):
        opened(triton_cache(), arch_globs=("sm_75",))
