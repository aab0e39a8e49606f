from __future__ import annotations

import io
import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
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

from sassay.model.artifact import Artifact, ArtifactKind, SourceKind
from sassay.model.state import Diagnostic, Level
from sassay.sources import discover
from sassay.sources.content import content


def walk(
    path: Path | str, arch_globs: tuple[str, ...] = ()
) -> tuple[list[Artifact], list[Diagnostic]]:
    found = list(discover(str(path), arch_globs=arch_globs).artifacts())
    artifacts = [item for item in found if isinstance(item, Artifact)]
    return artifacts, [item for item in found if isinstance(item, Diagnostic)]


def rows(artifacts: list[Artifact]) -> list[tuple[str, str, str]]:
    return sorted((item.source.kind, item.kind, item.source.path) for item in artifacts)


def entries(root: Path) -> list[Path]:
    return sorted(item for item in root.iterdir() if item.is_dir())


def test_triton_cache_gives_both_layers_of_each_compilation() -> None:
    artifacts, diagnostics = walk(triton_cache())
    assert diagnostics == []
    assert len(artifacts) == 6
    for ptx, cubin in zip(artifacts[::2], artifacts[1::2], strict=True):
        assert (ptx.kind, cubin.kind) == (ArtifactKind.PTX, ArtifactKind.CUBIN)
        assert ptx.compilation == cubin.compilation is not None
    kinds = {item.source.kind for item in artifacts}
    assert kinds == {SourceKind.TRITON, SourceKind.INDUCTOR}


def test_triton_metadata_names_the_specialization() -> None:
    artifacts, _ = walk(triton_cache())
    info = next(item.compile for item in artifacts if item.source.kind is SourceKind.TRITON)
    assert info is not None
    assert info.name == "scale_rows"
    assert dict(info.signature) == {
        "source": "*bf16", "target": "*bf16", "n": "i32", "factor": "fp32",
    }  # fmt: skip
    assert list(info.signature) == ["source", "target", "n", "factor"]
    assert info.divisibility == {"source": 16, "n": 16}
    assert info.options["num_warps"] == 4
    assert info.metadata["num_warps"] == 4
    assert info.frontend is not None
    assert info.frontend.startswith("triton 3.")
    assert info.location is not None
    assert info.location.file.endswith("tests/sources/kernels.py")
    text = Path(info.location.file).read_text().splitlines()
    assert "def scale_rows" in text[info.location.line - 1] + text[info.location.line]
    written = json.dumps([dict(info.options), dict(info.metadata)])
    assert "/" not in written
    assert "hash" not in written


def test_a_copied_cache_is_the_same_cache(tmp_path: Path) -> None:
    copy = copy_cache(tmp_path / "restored")
    for group in copy.glob("*/__grp__*.json"):
        group.write_text('{"child_paths": {"scale_rows.cubin": "/gone/scale_rows.cubin"}}')
    assert walk(copy) == walk(triton_cache())


def test_binary_only_store_has_no_signature(tmp_path: Path) -> None:
    copy = copy_cache(tmp_path / "c")
    for file in copy.glob("*/*"):
        if file.suffix not in {".cubin", ".json"}:
            file.unlink()
    artifacts, diagnostics = walk(copy)
    assert diagnostics == []
    assert {item.kind for item in artifacts} == {ArtifactKind.CUBIN}
    assert all(item.compile is not None and item.compile.signature == {} for item in artifacts)
    assert all(item.compile is not None and item.compile.options for item in artifacts)


def test_kernel_dump_has_no_json(tmp_path: Path) -> None:
    copy = copy_cache(tmp_path / "dump")
    for file in copy.glob("*/*.json"):
        file.unlink()
    artifacts, diagnostics = walk(copy)
    assert diagnostics == []
    assert len(artifacts) == 6
    info = artifacts[0].compile
    assert info is not None
    assert info.name in {"scale_rows", "triton_poi_fused_mul_0"}
    assert info.options["num_warps"] in {2, 4}
    assert info.signature["source"] == "*bf16"
    assert {item.source.kind for item in artifacts} == {SourceKind.TRITON, SourceKind.INDUCTOR}


def test_unfinished_folders_are_left_out(tmp_path: Path) -> None:
    copy = copy_cache(tmp_path / "c")
    shutil.copytree(entries(copy)[0], entries(copy)[0] / "tmp.pid_77_ab")
    assert len(walk(copy)[0]) == 6


def test_vllm_layout_with_two_ranks(tmp_path: Path) -> None:
    for rank in ("rank_0_0", "rank_1_0"):
        copy_cache(tmp_path / "torch_compile_cache" / "0a1b2c" / rank / "triton_cache")
    artifacts, diagnostics = walk(tmp_path)
    assert diagnostics == []
    assert len(artifacts) == 12
    assert artifacts[0].source.path.startswith("torch_compile_cache/0a1b2c/rank_0_0/triton_cache/")


def test_deepgemm_pairs_its_layers(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "kernel.sm90_fp8_gemm.0123456789abcdef"
    folder.mkdir(parents=True)
    (folder / "kernel.cu").write_text("// ours")
    (folder / "kernel.cubin").write_bytes(code("cubin"))
    (folder / "kernel.ptx").write_bytes(code("ptx"))
    artifacts, diagnostics = walk(tmp_path)
    assert diagnostics == []
    assert [item.kind for item in artifacts] == [ArtifactKind.PTX, ArtifactKind.CUBIN]
    assert {item.source.kind for item in artifacts} == {SourceKind.DEEPGEMM}
    assert artifacts[0].compilation == artifacts[1].compilation is not None
    assert walk(folder)[0][0].kind is ArtifactKind.PTX, "the entry itself as input"


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        (
            ".cache/flashinfer/0.5/90a/cached_ops/batch_decode/batch_decode.so",
            SourceKind.FLASHINFER,
        ),
        ("flashinfer_jit_cache/jit_cache/norm/norm.so", SourceKind.FLASHINFER),
        ("tvm-ffi/x_0123456789abcdef/x.so", SourceKind.TVM_FFI),
        ("sgl_kernel_jit_y_0123456789abcdef/sgl_kernel_jit_y.so", SourceKind.TVM_FFI),
        ("lib/libours.so", SourceKind.LIBRARY),
    ],
)
def test_libraries_by_layout(tmp_path: Path, place: str, kind: SourceKind) -> None:
    file = tmp_path / place
    file.parent.mkdir(parents=True)
    file.write_bytes(host_library(fatbin([Piece(KIND_CUBIN, 90, code("cubin"))])))
    artifacts, diagnostics = walk(tmp_path)
    assert diagnostics == []
    assert rows(artifacts) == [(kind, "cubin", f"{place}!fatbin.0")]


def test_flashinfer_cubins_of_one_name_stay_apart(tmp_path: Path) -> None:
    for pin in ("aa", "bb"):
        folder = tmp_path / "flashinfer_cubin" / "cubins" / pin
        folder.mkdir(parents=True)
        (folder / "fmha.cubin").write_bytes(code("cubin"))
        (folder / "checksums.txt").write_text("0 fmha.cubin")
    artifacts, _ = walk(tmp_path)
    assert [item.source.path for item in artifacts] == [
        "flashinfer_cubin/cubins/aa/fmha.cubin",
        "flashinfer_cubin/cubins/bb/fmha.cubin",
    ]
    assert {item.source.kind for item in artifacts} == {SourceKind.FLASHINFER}


@pytest.mark.parametrize("packing", ["plain", "lz4", "zstd"])
def test_fatbin_entries(tmp_path: Path, packing: str) -> None:
    pieces = [
        Piece(KIND_CUBIN, 80, code("cubin", 80), packing),
        Piece(KIND_PTX, 90, code("ptx") + b"\0\0", packing),
    ]
    (tmp_path / "bare.fatbin").write_bytes(fatbin(pieces))
    (tmp_path / "lib.so").write_bytes(host_library(fatbin(pieces)))
    artifacts, diagnostics = walk(tmp_path)
    assert diagnostics == []
    assert len(artifacts) == 4
    assert [item.arch for item in artifacts] == ["sm_80", "compute_90"] * 2
    assert content(artifacts[0]) == code("cubin", 80)
    assert content(artifacts[1]) == code("ptx").rstrip(b"\0")
    assert {item.compilation for item in artifacts} == {None}


def test_arch_filter_skips_before_unpacking(tmp_path: Path) -> None:
    good = Piece(KIND_CUBIN, 80, code("cubin", 80))
    bad = Piece(KIND_CUBIN, 90, b"\x7fELF" + bytes(200), "zstd")
    content = bytearray(fatbin([good, bad]))
    content[-16:] = bytes(16)  # unpacking the second entry would fail
    (tmp_path / "x.fatbin").write_bytes(content)
    discovery = discover(str(tmp_path), arch_globs=("sm_8*",))
    found = list(discovery.artifacts())
    assert [type(item) for item in found] == [Artifact]
    assert discovery.counts["filtered_artifacts"] == 1


def test_arch_filter_on_a_triton_cache() -> None:
    assert len(walk(triton_cache(), arch_globs=("sm_80",))[0]) == 2
    assert len(walk(triton_cache(), arch_globs=("sm_90a",))[0]) == 4


def wheel(path: Path) -> Path:
    library = host_library(fatbin([Piece(KIND_CUBIN, 90, code("cubin"), "lz4")]))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ours/libours.so", library)
        archive.writestr("ours/libcpu.so", host_library(None))
        archive.writestr("ours/__init__.py", "x = 1\n")
        archive.writestr("ours-1.5.dist-info/METADATA", "Name: ours\nVersion: 1.5\n")
        for file in sorted(triton_cache().rglob("*")):
            if file.is_file():
                archive.write(file, f"ours/cache/{file.relative_to(triton_cache()).as_posix()}")
    return path


def test_wheel_with_a_cache_inside(tmp_path: Path) -> None:
    discovery = discover(str(wheel(tmp_path / "ours-1.5-py3-none-any.whl")))
    found = list(discovery.artifacts())
    artifacts = [item for item in found if isinstance(item, Artifact)]
    assert len(artifacts) == 7
    assert artifacts[0].source.path == "ours/libours.so!fatbin.0"
    assert discovery.label == "ours-1.5"
    assert discovery.packages == {"ours": "1.5"}
    assert discovery.counts["skipped_files"] == 1
    notes = [item for item in found if isinstance(item, Diagnostic)]
    assert [(item.level, item.message) for item in notes] == [
        (Level.NOTE, "1 file holds no NVIDIA code: skipped")
    ]


@pytest.mark.parametrize("packing", ["tar", "gztar", "xztar"])
def test_tar_archives(tmp_path: Path, packing: str) -> None:
    file = shutil.make_archive(str(tmp_path / "c"), packing, root_dir=triton_cache())
    artifacts, diagnostics = walk(file)
    assert diagnostics == []
    assert [item.data for item in artifacts] == [item.data for item in walk(triton_cache())[0]]


def test_archives_inside_a_tree_keep_their_name(tmp_path: Path) -> None:
    wheel(tmp_path / "ours-1.5-py3-none-any.whl")
    artifacts, _ = walk(tmp_path)
    assert all(item.source.path.startswith("ours-1.5-py3-none-any.whl!ours/") for item in artifacts)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(code("ptx"))

    monkeypatch.setattr(sys, "stdin", Stdin())
    artifacts, diagnostics = walk("-")
    assert diagnostics == []
    assert rows(artifacts) == [("file", "ptx", "stdin")]


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(code("cubin"))
    (tmp_path / "b").write_bytes(code("ptx"))
    (tmp_path / "c.so.1").write_bytes(host_library(fatbin([Piece(KIND_CUBIN, 90, code("cubin"))])))
    assert [row[1:] for row in rows(walk(tmp_path)[0])] == [
        ("cubin", "a.txt"), ("ptx", "b"), ("cubin", "c.so.1!fatbin.0"),
    ]  # fmt: skip


def test_loose_pair_is_one_compilation(tmp_path: Path) -> None:
    (tmp_path / "k.cubin").write_bytes(code("cubin"))
    (tmp_path / "k.fatbin").write_bytes(fatbin([Piece(KIND_PTX, 90, code("ptx"))]))
    (tmp_path / "k.ptx").write_bytes(code("ptx"))
    artifacts, _ = walk(tmp_path)
    assert [item.compilation for item in artifacts] == ["k", "k", None]


def test_links_and_specials_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.cubin").write_bytes(code("cubin"))
    tree = copy_cache(tmp_path / "tree")
    (tree / "loop").symlink_to(tree, target_is_directory=True)
    (tree / "out").symlink_to(outside, target_is_directory=True)
    (tree / "file.cubin").symlink_to(outside / "secret.cubin")
    os.mkfifo(tree / "pipe.cubin")
    discovery = discover(str(tree))
    assert len(list(discovery.artifacts())) == 6
    assert discovery.counts["skipped_links"] == 3
    assert discovery.counts["skipped_special_files"] == 1
