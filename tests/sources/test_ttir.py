from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sassay.model.artifact import SourceLocation
from sassay.sources.ttir import module_options, read_header

PARAMETERS = (
    (
        "%arg0: !tt.ptr<f8E4M3FN> {tt.divisibility = 16 : i32, tt.pointer_range = 32 : i32} "
        'loc("x"(#loc))'
    ),
    "%d: !tt.tensordesc<tensor<128x64xf16, #shared>> loc(#loc1)",
    "%s: f64",
    "%p: !tt.ptr<!tt.ptr<i8>, 1>",
)
HEADER = f"""#loc = loc("/src/k.py":7:1)
#loc1 = loc("x"(#loc))
#loc2 = loc(callsite(#loc at #loc1))
module {{
  tt.func public @"odd name"({", ".join(PARAMETERS)}) attributes {{noinline = false}} {{
    tt.return loc(#loc)
  }} loc(#loc2)
  tt.func private @helper(%q: i32) {{
  }} loc(unknown)
}} loc(#loc)
"""


def test_header() -> None:
    header = read_header(HEADER)
    assert header is not None
    assert header.name == "odd name"
    assert header.signature == {
        "x": "*fp8e4nv",
        "d": "tensordesc<tensor<128x64xf16, #shared>>",
        "s": "fp64",
        "p": "*!tt.ptr<i8>",
    }
    assert header.divisibility == {"x": 16}
    assert header.location == SourceLocation("/src/k.py", 7)


def test_no_parameters_and_unknown_location() -> None:
    header = read_header("module {\n  tt.func public @k() {\n  } loc(unknown)\n}")
    assert header is not None
    assert (header.signature, header.location) == ({}, None)


def test_circular_locations_end() -> None:
    text = HEADER.replace('#loc = loc("/src/k.py":7:1)', "#loc = loc(#loc1)")
    header = read_header(text)
    assert header is not None
    assert header.location is None


def test_module_options() -> None:
    numbers = '"ttg.num-ctas" = 2 : i32, "ttg.num-warps" = 8 : i32, ttg.shared = 64 : i32'
    text = f'module attributes {{{numbers}}} {{\n  "ttg.num-warps" = 1'
    assert module_options(text) == {"num_ctas": 2, "num_warps": 8, "shared": 64}


@given(st.integers(0, len(HEADER)), st.text(max_size=5), st.integers(0, 40))
def test_any_damage_is_survived(position: int, inserted: str, removed: int) -> None:
    read_header(HEADER[:position] + inserted + HEADER[position + removed :])
