"""The bug classes of the field, planted in Triton kernels, compiled, found; sound kernels pass."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.lint.cases import kernel_of

from sassay.isa import ptx
from sassay.lint import RULE_IDS, find_rule
from sassay.lint.subject import Subject
from sassay.model.kernel import Specialization

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@pytest.fixture(scope="module")
def compiled() -> Callable[..., Subject]:
    from tests.lint import planted
    from triton import compile as build
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    def make(name: str, types: Mapping[str, str], arch: int = 90) -> Subject:
        signature = {**types, "size": "constexpr"}
        size = 64 if name == "matmul" else 256
        source = ASTSource(getattr(planted, name), signature, {(len(types),): size})
        made: Any = build(source, target=GPUTarget("cuda", arch, 32), options={"num_warps": 4})
        function = ptx.read_module(str(made.asm["ptx"]), artifact=name).entries[0]
        kernel = kernel_of(function, f"sm_{arch}", specialization=Specialization(dict(types)))
        return Subject(kernel, function)

    return make


def said(subject: Subject, rule: str, **settings: str) -> list[str]:
    found = find_rule(rule)
    return [h.message for h in found.check(subject, found.options(settings)) if not h.records]


NORM = {"x": "*fp32", "out": "*fp32", "width": "i32"}
INDIRECT = {"cache": "*fp32", "value": "*fp32", "position_buf": "*i32", "width": "i32"}
DIRECT = {"cache": "*fp32", "value": "*fp32", "position": "i32", "width": "i32"}
QUANT = {"packed": "*i32", "out": "*fp32"}


def test_rows_that_meet(compiled: Callable[..., Subject]) -> None:
    sound = compiled("batched_rms_norm", NORM)
    wrong = compiled("batched_rms_norm_one_row", NORM)
    assert said(sound, "batch-row-select") == []
    assert said(sound, "block-race") == []
    (row,) = set(said(wrong, "batch-row-select"))
    assert row.endswith("through `out`: the address does not depend on %ctaid.y")
    (race,) = set(said(wrong, "block-race"))
    assert "what is stored depends on %ctaid.y" in race


def test_stale_position(compiled: Callable[..., Subject]) -> None:
    sound = compiled("batched_scatter", DIRECT)
    wrong = compiled("batched_scatter_stale", INDIRECT)
    assert said(sound, "position-source", expect="direct") == []
    (position,) = set(said(wrong, "position-source", expect="direct"))
    assert "read through `position_buf`, expected direct" in position
    assert said(sound, "position-source", expect="indirect") == [
        "no position is read through a pointer, expected indirect"
    ]
    # All tokens go to one position: the row index does not reach the address either.
    assert said(sound, "batch-row-select") == []
    assert said(wrong, "batch-row-select")


def test_dequantization_in_double_precision(compiled: Callable[..., Subject]) -> None:
    assert said(compiled("dequantize", QUANT), "f64-by-accident") == []
    assert (
        said(compiled("dequantize_f64", QUANT), "f64-by-accident")
        == ["`mul.f64` on values that were single precision"] * 2
    )


@pytest.mark.parametrize("arch", [80, 90])
def test_sound_kernels_are_quiet(compiled: Callable[..., Subject], arch: int) -> None:
    kernels = [
        compiled("batched_rms_norm", NORM, arch),
        compiled("batched_scatter", DIRECT, arch),
        compiled("dequantize", QUANT, arch),
        compiled("matmul", {"a": "*bf16", "b": "*bf16", "c": "*fp32", "n": "i32"}, arch),
    ]
    for subject in kernels:
        for name in RULE_IDS:
            rule = find_rule(name)
            if rule.default == "always":
                assert said(subject, name) == [], (subject.kernel.name, name)


def test_positions_of_instructions_are_source_lines(compiled: Callable[..., Subject]) -> None:
    subject = compiled("batched_scatter_stale", INDIRECT)
    rule = find_rule("position-source")
    hit = next(iter(rule.check(subject, rule.options({"expect": "direct"}))))
    assert hit.op is not None
    place = subject.location(hit.op)
    assert place is not None
    assert place.file.endswith("planted.py")
    text = Path(place.file).read_text(encoding="utf-8").splitlines()[place.line - 1]
    assert "tl.store(cache" in text
