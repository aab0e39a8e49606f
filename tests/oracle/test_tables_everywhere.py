"""The decoder against nvdisasm's own census: our kernels everywhere, and a sample of a wheel."""

from __future__ import annotations

import hashlib
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.oracle import nvidia_tools as nvidia
from tests.oracle import triton_kernels as kernels

from sassay.containers import find_fatbins
from sassay.isa.sass import Disassembler
from sassay.isa.sass.cubin_code import code_sections
from sassay.isa.sass.tables import shipped_archs
from sassay.isa.sass.tables.shipped import shipped_leader
from sassay.isa.sass.tools import find_tools
from sassay.isa.sass.verify import Checked, Verifier, total_of
from sassay.isa.sass.witness import Answers
from sassay.model.artifact import ArtifactKind
from sassay.sources import pypi

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.oracle

BASES = {"sm_90a": 90, "sm_100a": 100, "sm_120a": 120}
"""Of whose PTX an architecture is compiled; the PTX of sm_80 serves all others but sm_75."""
SIMPLE = ("softmax", "newton")
"""Kernels without tensor cores, which sm_75 gets."""
OLDER = {"sm_70", "sm_72"}
"""Neither Triton nor the nvdisasm at hand knows these."""
KNOWN = 0.99
"""Share of the instructions that the tables must know."""


def _module(cache: Path, sm: int) -> str:
    """The kernels of a Triton cache that were lowered for an architecture, as one module of PTX.

    Of several variants of a kernel the shortest is taken.
    """
    target = re.compile(rf"^\.target sm_{sm}a?\b", re.MULTILINE)
    found: dict[str, str] = {}
    for path in sorted(cache.rglob("*.ptx")):
        text = _bare(path.read_text())
        known = found.get(path.stem)
        if target.search(text) and (known is None or (len(text), text) < (len(known), known)):
            found[path.stem] = text
    first, *rest = (text.partition(".address_size 64") for _, text in sorted(found.items()))
    return "".join([*first, *(body for _, _, body in rest)])


def _bare(ptx: str) -> str:
    """PTX without line information, of which a module takes one copy."""
    ptx = re.sub(r"^\s*\.section\s+\.debug.*?^\s*\}$", "", ptx, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^\s*\.(?:loc|file)\b.*$", "", ptx, flags=re.MULTILINE)


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
        own = made_once("own-kernels", kernels.compile_all)
        texts = {sm: _module(own, sm) for sm in (80, *BASES.values())}
        kernels.compile_named(folder / "triton", 75, SIMPLE)
        texts[75] = _module(folder / "triton", 75)

        def assemble(arch: str) -> None:
            ptx = folder / f"{arch}.ptx"
            ptx.write_text(texts[75 if arch == "sm_75" else BASES.get(arch, 80)])
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
    """Where the same table meets the same bytes, nvdisasm is asked once: it starts in 0.4 s."""
    tools = find_tools(None)
    archs = sorted(path.stem for path in cubins.glob("*.cubin"))
    assert set(archs) == set(shipped_archs()) - OLDER
    assert len(archs) >= 26
    alike: dict[tuple[str, bytes], list[str]] = {}
    for arch in archs:
        _, sections = code_sections((cubins / f"{arch}.cubin").read_bytes(), arch)
        assert len(sections) >= len(SIMPLE)
        code = b"".join(section.code for section in sections)
        alike.setdefault((shipped_leader(arch), hashlib.sha256(code).digest()), []).append(arch)

    def verify(arch: str) -> Checked:
        verifier = Verifier(Disassembler(None, tools), Answers(None), full=True)
        verifier.check((cubins / f"{arch}.cubin").read_bytes(), arch)
        return _verified(verifier)[arch]

    chosen = sorted(group[0] for group in alike.values())
    with ThreadPoolExecutor(2) as pool:
        checked = dict(zip(chosen, pool.map(verify, chosen), strict=True))
    assert {shipped_leader(arch) for arch in checked} == {shipped_leader(arch) for arch in archs}
    for arch, each in checked.items():
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
