"""The decoder against nvdisasm's own census: our kernels everywhere, and a sample of a wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from tests.oracle import nvidia_tools as nvidia

from sassay.containers import find_fatbins
from sassay.isa.sass import Disassembler
from sassay.isa.sass.tables import shipped_archs
from sassay.isa.sass.tools import find_tools
from sassay.isa.sass.verify import Checked, Verifier, total_of
from sassay.isa.sass.witness import Answers
from sassay.model.artifact import ArtifactKind
from sassay.sources import pypi

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.oracle

EXAMPLES = Path(__file__).parents[2] / "examples"
KERNELS: tuple[tuple[str, str, dict[str, Any], tuple[int, ...]], ...] = (
    (
        "minimal/saxpy.py",
        "saxpy_kernel",
        {
            **dict.fromkeys(("x_ptr", "y_ptr", "out_ptr"), "*fp32"),
            "count": "i32",
            "alpha": "fp32",
            "BLOCK": 1024,
        },
        (0, 1, 2, 3),
    ),
    (
        "machine/matmul.py",
        "matmul",
        {
            **dict.fromkeys(("a_ptr", "b_ptr", "c_ptr"), "*fp16"),
            **dict.fromkeys(("m", "n", "k", "stride_a", "stride_b", "stride_c"), "i32"),
            **dict.fromkeys(("TILE_M", "TILE_N", "TILE_K"), 64),
        },
        (0, 1, 2, 6, 7, 8),
    ),
    (
        "ampere_hopper/kernels.py",
        "attention_kernel",
        {
            **dict.fromkeys(("q_ptr", "k_ptr", "v_ptr", "out_ptr"), "*fp16"),
            "stride": "i32",
            "scale": "fp32",
            "DIM": 64,
            "TILE_M": 64,
            "TILE_N": 64,
        },
        (0, 1, 2, 3, 4),
    ),
)
"""File, function, types or constants of its parameters, which of them are multiples of 16."""
BASES = {"sm_75": 75, "sm_90a": 90, "sm_100a": 100, "sm_120a": 120}
"""Of whose PTX an architecture is compiled; the PTX of sm_80 serves all others."""
OLDER = {"sm_70", "sm_72"}
"""Neither Triton nor the nvdisasm at hand knows these."""
KNOWN = 0.99
"""Share of the instructions that the tables must know."""


def _ptx(sm: int, folder: Path) -> str:
    """One module of all kernels, as Triton lowers them for an architecture."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    modules = []
    for file, name, given, aligned in KERNELS:
        spec = importlib.util.spec_from_file_location("example", EXAMPLES / file)
        assert spec is not None
        assert spec.loader is not None
        example = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(example)
        tile = 16 if sm == 75 else 64  # sm_75 gets no tensor cores: an instruction a product
        parameters = {key: tile if v == 64 else v for key, v in given.items()}
        types = {key: v if isinstance(v, str) else "constexpr" for key, v in parameters.items()}
        source = ASTSource(
            getattr(example, name),
            types,
            {(i,): v for i, v in enumerate(parameters.values()) if not isinstance(v, str)},
            {(index,): [["tt.divisibility", 16]] for index in aligned},
        )
        knobs = {"TRITON_CACHE_DIR": str(folder), "TRITON_DISABLE_LINE_INFO": "1"}
        with mock.patch.dict(os.environ, knobs):
            compiled = triton.compile(source, target=GPUTarget("cuda", sm, 32))
        modules.append(str(compiled.asm["ptx"]))
    header, mark, first = modules[0].partition(".address_size 64")
    rest = [module.partition(".address_size 64")[2] for module in modules[1:]]
    return header + mark + first + "".join(rest)


def _assemblers() -> dict[str, str]:
    """By architecture, the newest ptxas that knows it."""
    found: dict[str, str] = {}
    for program in ("ptxas", "ptxas-blackwell"):
        found |= dict.fromkeys(re.findall(r"'(sm_\w+)'", nvidia.ask(program, "--help")), program)
    return found


@pytest.fixture(scope="module")
def cubins(made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    def make(folder: Path) -> None:
        programs = _assemblers()
        texts = {sm: _ptx(sm, folder / "triton") for sm in (80, *BASES.values())}

        def assemble(arch: str) -> None:
            ptx = folder / f"{arch}.ptx"
            ptx.write_text(texts[BASES.get(arch, 80)])
            nvidia.ask(programs[arch], f"-arch={arch}", ptx, "-o", folder / f"{arch}.cubin")

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(assemble, sorted(set(shipped_archs()) - OLDER)))

    return made_once("tables-everywhere", make)


def _verified(verifier: Verifier) -> dict[str, Checked]:
    assert [(m.place, m.symbol, m.counts) for m in verifier.mismatches] == []
    assert total_of(verifier.by_arch).mismatches == 0
    for arch, each in verifier.by_arch.items():
        assert (each.unreadable, each.trailing) == (0, 0), arch
    return verifier.by_arch


def test_our_kernels_on_every_architecture_with_a_table(cubins: Path) -> None:
    tools = find_tools(None)

    def verify(arch: str) -> Checked:
        verifier = Verifier(Disassembler(None, tools), Answers(None), full=True)
        verifier.check((cubins / f"{arch}.cubin").read_bytes(), arch)
        return _verified(verifier)[arch]

    archs = sorted(path.stem for path in cubins.glob("*.cubin"))
    with ThreadPoolExecutor(2) as pool:  # nvdisasm takes 0.3 s to start
        checked = dict(zip(archs, pool.map(verify, archs), strict=True))
    assert set(checked) == set(shipped_archs()) - OLDER
    assert len(checked) >= 26
    for arch, each in checked.items():
        assert each.functions == len(KERNELS)
        assert each.checked == each.instructions > 400, arch
        assert each.by_tables >= KNOWN * each.checked, (arch, each)


@pytest.mark.network
def test_a_sample_of_a_wheel(tmp_path: Path) -> None:
    name = "bitsandbytes/libbitsandbytes_cuda130.so"
    with zipfile.ZipFile(pypi.fetch("pypi:bitsandbytes==0.50.1")) as archive:
        library = Path(archive.extract(name, tmp_path))
    verifier = Verifier(Disassembler(None), Answers(None))
    for entry in find_fatbins(library.read_bytes(), artifact=name):
        if entry.kind is ArtifactKind.CUBIN:
            verifier.check(entry.data(), f"{name}!{entry.index}")
    checked = _verified(verifier)
    assert set(checked) == {f"sm_{sm}" for sm in (75, 80, 86, 89, 90, 100, 120)}
    for arch, each in checked.items():
        assert 6_000 <= each.checked < each.instructions, arch
        assert each.by_tables >= KNOWN * each.checked, (arch, each)
