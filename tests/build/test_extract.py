from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.build.material import TORCH, write

from sassay.build.extract import Extracted, Extractor, jit_functions
from sassay.build.modules import ModuleFinder
from sassay.build.values import (
    Constexpr,
    Dtype,
    Float,
    FunctionRef,
    Literal,
    ModuleRef,
    TritonRef,
    Value,
)
from sassay.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def extract(folder: Path, supplied: Mapping[str, Value] | None = None, **sources: str) -> Extracted:
    write(folder, "", **sources)
    extractor = Extractor(ModuleFinder(folder, []))
    name = next(iter(sources)).replace("__", "/") + ".py"
    return extractor.extract(extractor.finder.by_file(name), "k", supplied=supplied or {})


def bindings(extracted: Extracted) -> dict[str, Value]:
    return {
        name: value for unit in extracted.extraction.units for name, value in unit.bindings.items()
    }


def test_constants_are_evaluated_and_never_run(tmp_path: Path) -> None:
    source = TORCH + (
        "import math\nfrom triton.language.extra import libdevice as ld\n"
        "A = 3\nB = tl.constexpr((A + 1) * 2 ** 5)\n"
        "C = tl.constexpr(-math.log2(8.0) if A > 2 else 0)\n"
        "D = tl.bfloat16\nE, F = tl.constexpr('silu'), tl.constexpr(float('inf'))\n"
        "G: tl.constexpr = B\n"
        "try:\n    from triton import nothing as H\nexcept ImportError:\n    H = None\n"
        "@triton.jit\ndef k(x):\n    tl.store(x, ld.exp(B + C + F + G).to(D), E, H)\n"
    )
    found = bindings(extract(tmp_path, kernels=source))
    assert found == {
        "A": Literal(3),
        "B": Constexpr(Literal(128)),
        "C": Constexpr(Float((-3.0).hex())),
        "D": Dtype("bfloat16"),
        "E": Constexpr(Literal("silu")),
        "F": Constexpr(Float("inf")),
        "G": Constexpr(Literal(128)),
        "H": TritonRef("triton.nothing"),
        "ld": TritonRef("triton.language.extra.libdevice"),
        "tl": TritonRef("triton.language"),
    }


def test_questions_about_the_platform_are_answered_for_the_target(tmp_path: Path) -> None:
    source = TORCH + (
        "import os\nfrom pkg import is_hip, current\n_is_hip = is_hip()\n"
        "A = tl.float8e4b8 if _is_hip or is_gfx942_supported() else tl.float8e4nv\n"
        "B = tl.constexpr(current.is_cuda() and not torch.version.hip)\n"
        "C = os.environ.get('SGLANG_X', '1').lower() in ('1', 'true')\n"
        "D = tl.constexpr(128)\nE = tl.constexpr(D.value.bit_length() - 1)\n"
        "F = os.getenv('SGLANG_Y') is None\n"
        "@triton.jit\ndef k(x):\n    tl.store(x, A, B, C, E, F)\n"
    )
    found = bindings(extract(tmp_path, kernels=source))
    assert {name: found[name] for name in "ABCEF"} == {
        "A": Dtype("float8e4nv"),
        "B": Constexpr(Literal(True)),
        "C": Literal(True),
        "E": Constexpr(Literal(7)),
        "F": Literal(True),
    }
    found = bindings(extract(tmp_path, {"_is_hip": Literal(True)}, kernels=source))
    assert found["A"] == Dtype("float8e4b8")


def test_functions_of_other_files_come_along(tmp_path: Path) -> None:
    extracted = extract(
        tmp_path,
        pkg__sub__kernels=TORCH
        + "from ..ops import add\nfrom pkg import ops as more\nfrom pkg.re import *\n"
        + "@triton.jit\ndef k(x):\n    tl.store(x, add(more.mul(tl.load(x)), star(1)))\n",
        pkg__ops=TORCH
        + "from .low import base as add\ntl_jit = triton.jit\n"
        + "@tl_jit\ndef mul(x):\n    return x * TWO\n"
        + "TWO = tl.constexpr(2)\n",
        pkg__low=TORCH + "@triton.jit\ndef base(x, y):\n    return x + y\n",
        pkg__re=TORCH + "def plain(x):\n    return x\nstar = triton.jit(plain)\n",
    )
    units = {
        unit.file: [item.name for item in unit.functions] for unit in extracted.extraction.units
    }
    assert units == {
        "pkg/low.py": ["base"],
        "pkg/ops.py": ["mul"],
        "pkg/re.py": ["star"],
        "pkg/sub/kernels.py": ["k"],
    }
    found = {unit.file: unit.bindings for unit in extracted.extraction.units}
    assert found["pkg/sub/kernels.py"]["add"] == FunctionRef("pkg/low.py", "base")
    assert found["pkg/sub/kernels.py"]["more"] == ModuleRef("pkg/ops.py")
    assert found["pkg/ops.py"]["TWO"] == Constexpr(Literal(2))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "A = torch.finfo(torch.half).max\n",
            "line 4: `A` is computed: `torch.finfo(torch.half).max`",
        ),
        ("A = B\nB = A\n", "is defined by itself"),
        ("A = A\n", "is defined by itself"),
        ("A = tl.constexpr(2 ** 10 ** 10)\n", "integer of more than 64 bits"),
        ("A = 'x' * 10 ** 9\n", "something that is not a number"),
        ("def A(x):\n    return x\n", "`A` is a plain Python function"),
        ("class A:\n    pass\n", "`A` is a class"),
        ("from torch import A\n", "`A` comes from `torch`, which is not read"),
        ("", "`A` is not defined at module level"),
        ("A = __import__('os').getpid()\n", "would have to be run"),
        ("A = torch.cuda.get_device_capability() == (9, 0)\n", "would have to be run"),
        ("A = is_hip(torch.empty(1))\n", "would have to be run"),
        ("A = (1).lower()\n", "`A` is computed"),
        ("@triton.constexpr_function\ndef A(x):\n    import os\n    return x\n", "holds `import`"),
        ("@triton.constexpr_function\ndef A(x):\n    return x.__class__\n", "reads `.__class__`"),
        ("@triton.constexpr_function\ndef A(x):\n    return open(x)\n", "`open` is not defined"),
    ],
)
def test_what_would_have_to_run_is_refused_by_name_and_line(
    tmp_path: Path, text: str, message: str
) -> None:
    source = TORCH + text + "@triton.jit\ndef k(x):\n    tl.store(x, A)\n"
    with pytest.raises(CompileError) as caught:
        extract(tmp_path, kernels=source)
    assert message in str(caught.value)
    assert caught.value.artifact == "kernels.py"
    assert caught.value.place


def test_the_manifest_supplies_what_cannot_be_evaluated(tmp_path: Path) -> None:
    source = TORCH + "A = torch.x()\n@triton.jit\ndef k(x):\n    tl.store(x, A)\n"
    found = bindings(extract(tmp_path, {"A": Literal(7)}, kernels=source))
    assert found["A"] == Constexpr(Literal(7))


def test_kernels_are_told_from_helpers_of_other_compilers(tmp_path: Path) -> None:
    source = TORCH + (
        "from triton import jit\nimport numba\nimport tilelang\n"
        "@jit\ndef a(x): pass\n@numba.jit\ndef b(x): pass\n@torch.jit\ndef c(x): pass\n"
        "@triton.heuristics({})\n@triton.jit(noinline=True)\ndef d(x): pass\n"
        "@other\ndef e(x): pass\n@tilelang.jit(out_idx=[1])\ndef f(x): pass\n"
    )
    write(tmp_path, "", kernels=source)
    extractor = Extractor(ModuleFinder(tmp_path, []))
    scanned = extractor.scan(extractor.finder.by_file("kernels.py"))
    assert [name for name, _ in jit_functions(scanned)] == ["a", "d"]


def test_a_module_is_found_without_importing_it(tmp_path: Path) -> None:
    write(tmp_path, "", pkg____init__="raise SystemExit\n", pkg__kernels=TORCH)
    finder = ModuleFinder(tmp_path, [])
    assert finder.by_module("pkg.kernels").display == "pkg/kernels.py"
    with pytest.raises(CompileError, match="no source file"):
        finder.by_module("pkg.missing")
