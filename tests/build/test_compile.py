from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.build.material import COPY, KERNEL, TORCH, compile_text, write

from sassay.build import compile_manifest, load_manifest
from sassay.build.messages import essential
from sassay.build.pool import run_jobs
from sassay.build.wire import Answer, Extraction, Failed, FunctionKind, FunctionSource, Job, Unit
from sassay.errors import ManifestError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def test_no_statement_of_the_file_runs_and_the_cache_is_an_ordinary_one(tmp_path: Path) -> None:
    trap = 'open("ran", "w").write("x")\nraise SystemExit("the file was imported")\n'
    run = compile_text(tmp_path, KERNEL, kernels=COPY + trap)
    assert run.failures == ()
    assert (run.compiled, run.reused) == (1, 0)
    assert not (tmp_path / "ran").exists()
    (entry,) = run.caches.iterdir()
    assert re.fullmatch("[A-Z2-7]{52}", entry.name)
    for suffix in ("cubin", "ptx", "json", "ttir", "source"):
        assert (entry / f"copy_kernel.{suffix}").is_file()
    assert "torch" not in sys.modules


def test_ptx_and_sidecar_name_the_true_file_and_lines(tmp_path: Path) -> None:
    run = compile_text(tmp_path, KERNEL.replace("kernels.py", "pkg/kernels.py"), pkg__kernels=COPY)
    (entry,) = run.caches.iterdir()
    lines = COPY.splitlines()
    defined = next(n for n, line in enumerate(lines, 1) if line.startswith("def copy_kernel"))
    ptx = (entry / "copy_kernel.ptx").read_text()
    located = {int(found) for found in re.findall(r"\.loc\s+1 (\d+) ", ptx)}
    assert located == {defined, defined + 1, defined + 2}
    assert re.search(r'\.file\s+1 ".*pkg.*kernels\.py"', ptx)
    assert str(tmp_path) not in ptx
    assert json.loads((entry / "copy_kernel.sassay.json").read_text()) == {
        "schema": "sassay/compile-info/1",
        "name": "copy_kernel",
        "signature": {"x_ptr": "*fp32", "out_ptr": "*fp32", "n": "i32", "BLOCK": "constexpr"},
        "constants": {"BLOCK": 128},
        "divisibility": {},
        "options": {
            "enable_fp_fusion": True,
            "maxnreg": None,
            "num_ctas": 1,
            "num_stages": 3,
            "num_warps": 4,
        },
        "location": {"file": "pkg/kernels.py", "line": defined},
        "variant": "",
        "kernel": "copy_kernel",
        "arch": "sm_90",
        "digest": json.loads((entry / "copy_kernel.sassay.json").read_text())["digest"],
    }


def test_unchanged_variants_are_kept_and_stale_ones_removed(tmp_path: Path) -> None:
    grid = KERNEL + "grid.constants.BLOCK = [128, 256]\n"
    first = compile_text(tmp_path, grid, kernels=COPY)
    assert (first.compiled, first.reused) == (2, 0)
    times = {path: path.stat().st_mtime_ns for path in first.caches.glob("*/*.cubin")}
    again = compile_text(tmp_path, grid, kernels=COPY)
    assert (again.compiled, again.reused) == (0, 2)
    assert times == {path: path.stat().st_mtime_ns for path in again.caches.glob("*/*.cubin")}
    moved = compile_text(tmp_path, KERNEL, kernels="\n" + COPY)
    assert (moved.compiled, moved.reused) == (1, 0)
    assert len(list(moved.caches.iterdir())) == 1


def test_what_another_checkout_lacks_is_left_out_on_demand(tmp_path: Path) -> None:
    gone = KERNEL.replace("copy_kernel", "gone_kernel") + KERNEL.replace("kernels.py", "gone.py")
    more = KERNEL.replace(', n = "i32"', ', fresh_ptr = "*bf16", n = "i32"')
    more += 'constants = { LATER = 1 }\ndivisibility = { "*" = 16, fresh_ptr = 8 }\n'
    manifest = load_manifest(write(tmp_path, gone + more, kernels=COPY))
    run = compile_manifest(manifest, cache_dir=tmp_path / "a", jobs=1)
    assert (run.compiled, len(run.failures), run.absent_failures, run.absent) == (0, 3, 2, ())
    run = compile_manifest(manifest, cache_dir=tmp_path / "b", jobs=1, allow_missing=True)
    assert (run.compiled, run.failures) == (1, ())
    assert [(note.level.value, note.place, note.message) for note in run.absent] == [
        (
            "note",
            "kernels.py",
            "`gone_kernel` is not in these sources: no function `gone_kernel` at module level",
        ),
        ("note", "gone.py", "`copy_kernel` is not in these sources: no such file"),
        ("note", "kernels.py: line 11", "`copy_kernel` has no parameter `LATER` in these sources"),
        (
            "note",
            "kernels.py: line 11",
            "`copy_kernel` has no parameter `fresh_ptr` in these sources",
        ),
    ]
    plain = compile_text(tmp_path, KERNEL + 'divisibility = { "*" = 16 }\n', kernels=COPY)
    assert [entry.name for entry in run.caches.iterdir()] == [
        entry.name for entry in plain.caches.iterdir()
    ]


def test_a_parameter_without_a_type_is_no_missing_one(tmp_path: Path) -> None:
    manifest = load_manifest(write(tmp_path, KERNEL.replace(', n = "i32"', ""), kernels=COPY))
    run = compile_manifest(manifest, cache_dir=tmp_path / "a", jobs=1, allow_missing=True)
    assert (run.compiled, run.absent, len(run.failures)) == (0, (), 1)
    assert "parameter `n` has no type" in run.failures[0].message


def test_two_runs_give_the_same_code_wherever_they_lie(tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        run = compile_text(tmp_path / name, KERNEL, kernels=COPY)
        (entry,) = run.caches.iterdir()
        texts.append(
            (
                entry.name,
                (entry / "copy_kernel.ptx").read_bytes(),
                (entry / "copy_kernel.sassay.json").read_bytes(),
            )
        )
    assert texts[0] == texts[1]


def test_a_kernel_that_does_not_compile_leaves_the_others(tmp_path: Path) -> None:
    bad = "\n\n@triton.jit\ndef helper(x):\n    return x + tl.arange(0, 3)\n\n\n"
    bad += "@triton.jit\ndef bad_kernel(x_ptr):\n    tl.store(x_ptr, helper(tl.load(x_ptr)))\n"
    manifest = KERNEL + KERNEL.replace("copy_kernel", "bad_kernel").replace(
        ', out_ptr = "*fp32", n = "i32"', ""
    )
    source = COPY + bad
    run = compile_text(tmp_path, manifest, kernels=source)
    assert run.compiled == 1
    (failure,) = run.failures
    line = next(n for n, text in enumerate(source.splitlines(), 1) if "arange(0, 3)" in text)
    assert failure.place == f"kernels.py: line {line}"
    assert "power of 2" in failure.message
    assert "\n" not in failure.message
    assert failure.arch == "sm_90a"
    assert len(list(run.caches.iterdir())) == 1  # nothing half-done stays behind


def test_architectures_from_the_caller_take_the_place_of_the_manifests(tmp_path: Path) -> None:
    manifest = load_manifest(write(tmp_path, KERNEL, kernels=COPY))
    run = compile_manifest(manifest, archs=["sm_75", "121"], cache_dir=tmp_path / "c", jobs=1)
    assert run.failures == ()
    targets = [
        re.search(r"\.target (\w+)", path.read_text()) for path in run.caches.glob("*/*.ptx")
    ]
    assert sorted(found.group(1) for found in targets if found) == ["sm_121a", "sm_75"]
    with pytest.raises(UsageError, match="sm_7"):
        compile_manifest(manifest, archs=["sm_7"], cache_dir=tmp_path / "c")


def test_the_caller_names_architectures_where_the_manifest_names_none(tmp_path: Path) -> None:
    manifest_path = write(tmp_path, KERNEL, kernels=COPY)
    text = manifest_path.read_text()
    manifest_path.write_text("\n".join(x for x in text.splitlines() if not x.startswith("arch")))
    with pytest.raises(ManifestError, match="no architecture is named"):
        load_manifest(manifest_path)
    manifest = load_manifest(manifest_path, archs=["90a", "80"])
    assert {variant.archs for variant in manifest.variants} == {("sm_80", "sm_90")}


def test_tuples_descriptors_dtypes_none_and_functions_are_arguments(tmp_path: Path) -> None:
    source = (
        TORCH
        + """
from triton.language.extra import libdevice


@triton.jit
def double(x):
    return x + x


@triton.jit
def all_kernel(
    desc, pair, scale, mask_ptr, wide, flag,
    ACT: tl.constexpr, TYPE: tl.constexpr, SHAPE: tl.constexpr,
):
    tile = ACT(desc.load([0, 0]).to(tl.float32)) * scale
    if mask_ptr is not None:
        tile += tl.load(mask_ptr)
    if flag:
        tile = libdevice.tanh(tile)
    place = tl.arange(0, SHAPE[0])[:, None] * pair[1] + tl.arange(0, SHAPE[1])[None, :]
    tl.store(pair[0] + place + wide, tile.to(TYPE))
"""
    )
    manifest = """
[[kernel]]
file = "kernels.py"
function = "all_kernel"
arch = ["sm_90"]
signature.desc = "tensordesc<bf16[16,32]>"
signature.pair = ["*fp8e4nv", { constant = 32 }]
signature.scale = "fp32"
signature.mask_ptr = "none"
signature.wide = "u64"
signature.flag = "i1"
divisibility = { "pair.0" = 16 }
[kernel.constants]
ACT = { function = "double" }
TYPE = "tl.float8e4nv"
SHAPE = [16, 32]
"""
    run = compile_text(tmp_path, manifest, kernels=source)
    assert run.failures == ()
    (sidecar,) = run.caches.glob("*/*.sassay.json")
    info = json.loads(sidecar.read_text())
    assert info["signature"]["pair"] == "(*fp8e4nv, constexpr)"
    assert info["constants"] == {
        "ACT": "double",
        "TYPE": "fp8e4nv",
        "SHAPE": "(16, 32)",
        "mask_ptr": None,
        "pair.1": 32,
    }
    assert info["divisibility"] == {"pair.0": 16}


def test_an_unknown_option_fails_instead_of_being_dropped(tmp_path: Path) -> None:
    run = compile_text(tmp_path, KERNEL + "options = { frobnicate = 1 }\n", kernels=COPY)
    (failure,) = run.failures
    assert "has no option 'frobnicate'" in failure.message


def test_an_assertion_without_words_shows_its_statement(tmp_path: Path) -> None:
    source = COPY + "    tl.static_assert(BLOCK == 7)\n"
    (failure,) = compile_text(tmp_path, KERNEL, kernels=source).failures
    assert failure.place == f"kernels.py: line {len(source.splitlines())}"
    assert failure.message == (
        "copy_kernel sm_90: CompileTimeAssertionFailure: tl.static_assert(BLOCK == 7)"
    )


def _job(body: str) -> Job:
    function = FunctionSource(
        name="k", defined="k", kind=FunctionKind.JIT, line=1, text=f"def k(x):\n{body}"
    )
    unit = Unit(file="k.py", module="k", functions=(function,), bindings={})
    return Job(
        extraction=Extraction(file="k.py", function="k", units=(unit,)),
        signature=(("x", "*fp32"),),
        constants=(),
        divisibility=(),
        options={},
        arch=90,
    )


def test_a_worker_that_dies_takes_only_its_kernel_with_it(tmp_path: Path) -> None:
    answers: dict[int, Answer] = {}
    fine = _job("    pass\n")
    # A job that is no job makes the worker leave with a traceback, as a crash would.
    broken = msgspec.structs.replace(fine, arch="not a number")
    run_jobs([broken, fine], cache_dir=tmp_path, workers=1, done=answers.__setitem__)
    assert isinstance(answers[0], Failed)
    assert answers[0].message.startswith("the compiler crashed (exit status 1)")
    assert not isinstance(answers[1], Failed)


def test_a_worker_that_hangs_is_stopped(tmp_path: Path) -> None:
    answers: dict[int, Answer] = {}
    run_jobs(
        [_job("    pass\n")], cache_dir=tmp_path, workers=1, done=answers.__setitem__, timeout=0.01
    )
    assert answers[0] == Failed("the compiler took longer than 0.01 s and was stopped")


@pytest.mark.parametrize(
    "place", ["/tmp/tmpab12cd34.ptx", "/tmp/sassay-worker-x1/tmpab12cd34.ptx", "tmpab12cd34.ptx"]
)
def test_what_ptxas_says_names_no_temporary_file(place: str) -> None:
    assert essential(f"ptxas {place}, line 43; error : Not a name") == (
        "ptxas kernel.ptx, line 43; error : Not a name"
    )
