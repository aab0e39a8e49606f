"""Kernels of our own from the source to the JSON document, against NVIDIA's tools."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.oracle import nvidia_tools as nvidia
from tests.oracle import tiers
from tests.oracle.compare import Oracle, Tally, check
from tests.oracle.full import shown
from tests.oracle.triton_kernels import ARCHS, VARIANTS, compile_all

from sassay.capture import CodeArchive, build_state
from sassay.diff import coverage
from sassay.isa.sass import Disassembler
from sassay.report import Report, ReportOptions, render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Document = dict[str, Any]

pytestmark = [pytest.mark.oracle, pytest.mark.xdist_group("own-kernels")]


@pytest.fixture(scope="module")
def cache(made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    return made_once("own-kernels", compile_all)


@pytest.fixture(scope="module")
def document(cache: Path) -> Document:
    return shown(cache)


@pytest.fixture(scope="module")
def entries(cache: Path, document: Document) -> dict[str, tuple[Path, Document]]:
    """The cubin and the kernel of each place."""
    found = {}
    for kernel in document["kernels"]:
        for source in kernel["sources"]:
            found[source["path"]] = (cache / source["path"], kernel)
    assert len(found) == len(list(cache.glob("*/*.cubin"))) == len(ARCHS) * len(VARIANTS) + 2
    return found


def test_sass_and_resources_equal_nvidias_tools(
    entries: dict[str, tuple[Path, Document]], document: Document, tmp_path: Path
) -> None:
    tally = Tally()
    cubins = {place: cubin.read_bytes() for place, (cubin, _) in entries.items()}
    check(document, cubins, Oracle(tmp_path), tally)
    assert not tally.mismatches, "\n".join(tally.mismatches)
    assert tally.kernels == tally.resources == tally.cubins == len(entries)
    assert tally.unreadable == 0
    assert tally.instructions > 5000


def test_tiers_by_words_equal_tiers_by_text(entries: dict[str, tuple[Path, Document]]) -> None:
    paths = [cubin for cubin, kernel in entries.values() if kernel["arch"] == "sm_90a"]
    with Disassembler(None) as tool:
        found = tiers.compare(paths, tool, most=8)["sm_90a"]
    assert found.told.total() >= 3
    assert found.wrong == []


def test_ptx_equals_another_count(entries: dict[str, tuple[Path, Document]]) -> None:
    for cubin, kernel in entries.values():
        text = cubin.with_suffix(".ptx").read_text()
        counted = kernel["instructions"]["ptx"]
        assert counted == _ptx_opcodes(text)
        assert sum(kernel["categories"]["ptx"].values()) == sum(counted.values()) > 10


def test_launch_and_barriers_equal_what_the_code_says(
    entries: dict[str, tuple[Path, Document]],
) -> None:
    seen = Counter[str]()
    for cubin, kernel in entries.values():
        launch, resources = kernel["launch"], kernel["resources"]
        printed = nvidia.attributes(cubin)[kernel["symbol"]]
        barriers = printed.barriers
        if barriers is None:
            barriers = nvidia.barrier_flags(cubin)[kernel["symbol"]]
        assert resources["barriers"] == barriers
        assert _triple(launch["block"]) == printed.block
        assert _triple(launch["max_block"]) == printed.max_block
        assert _triple(launch["cluster"]) == _given(printed.cluster)
        text = cubin.with_suffix(".ptx").read_text()
        assert launch["block"][0] == _directive(text, "reqntid") == 32 * launch["warps"]
        assert (launch["cluster"] or [None])[0] == _directive(text, "reqnctapercluster")
        metadata = msgspec.json.decode(cubin.with_suffix(".json").read_bytes())
        static = resources["static_shared_bytes"]
        assert resources["shared_bytes"] == static + metadata["shared"]
        seen.update(
            spills=resources["spill_load_bytes"] > 0, cluster=launch["cluster"] is not None,
            barriers=resources["barriers"] > 0,
        )  # fmt: skip
    assert all(seen[name] for name in ("spills", "cluster", "barriers")), seen


def test_the_library_and_the_command_line_say_the_same(
    cache: Path, document: Document, disassembler: Disassembler
) -> None:
    state = build_state(str(cache), store=CodeArchive(), disassembler=disassembler)
    options = ReportOptions(all=True)
    report = Report(
        command="show", states=(state,), options=options, coverage=coverage(state.kernels)
    )
    said = msgspec.json.decode(render("json", report))
    # Facts are what the command line's own analyses add.
    for kernel, told in zip(said["kernels"], document["kernels"], strict=True):
        kernel["facts"] = told["facts"]
    assert said == document
    archs = {f"sm_{arch}{'a' if arch >= 90 else ''}" for arch in ARCHS}
    assert {kernel.arch for kernel in state.kernels} == archs
    assert {kernel.family for kernel in state.kernels} == {"product", "softmax", "newton"}
    for kernel in state.kernels:
        # Each generation multiplies matrices by instructions of its own.
        assert kernel.categories.sass is not None
        assert (kernel.family == "product") == (kernel.categories.sass.get("tensor_core", 0) > 0)


@pytest.fixture
def disassembler(tmp_path: Path) -> Iterator[Disassembler]:
    with Disassembler(tmp_path) as found:
        yield found


def _ptx_opcodes(text: str) -> Counter[str]:
    """Opcodes by one look at each statement: cut at `;` and braces, then the first word."""
    body = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)
    body = body[body.index("{") :]
    counts: Counter[str] = Counter()
    for statement in re.split(r"[;{}]|(?m:^\s*\.loc[^\n]*$)", body):
        found = re.match(
            r"\s*(?:\$?\w+:\s*)*(?:@!?%?\w+\s+)?([a-z]\w*(?:\.[\w:]+)*)(?=\s+[\[%\w$({-]|\s*$)",
            statement,
        )
        if found:
            counts[found[1]] += 1
    return counts


def _directive(text: str, name: str) -> int | None:
    found = re.search(rf"\.{name}\s+(\d+)", text)
    return int(found[1]) if found else None


def _triple(value: list[int] | None) -> nvidia.Triple | None:
    return (value[0], value[1], value[2]) if value is not None else None


def _given(value: nvidia.Triple | None) -> nvidia.Triple | None:
    return value if value and any(value) else None
