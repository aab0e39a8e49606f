"""PTX that is broken, foreign or built to hurt."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from sassay.errors import FormatError
from sassay.isa.ptx import census, listing, normal_digest, read_module

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD = ".version 8.7\n.target sm_90\n.address_size 64\n"
MIB = 1_000_000


def entry(body: str) -> str:
    return f"{HEAD}.visible .entry k(.param .u64 k_param_0)\n{{\n{body}\n}}\n"


BROKEN = {
    "a missing semicolon": (entry("add.s32 %r1, %r2, %r3\nsub.s32 %r1, %r2, %r3;"), 6),
    "a missing semicolon before a brace": (entry("{ add.s32 %r1, %r2, %r3 }\nret;"), 6),
    "a missing semicolon at the end": (entry("ret;\nadd.s32 %r1, %r2, %r3"), 7),
    "no semicolon after the last word": (entry("bar.sync 0;\nret"), 7),
    "no semicolon before a scope": (entry("ret\n{ ret; }"), 6),
    "an open bracket": (entry("ret;\nld.global.b32 %r1, [%rd1;"), 7),
    "an upper-case word": (entry("ret;\nADD %r1;"), 7),
    "an open body": (f"{HEAD}.entry k()\n{{\nret;\n", 5),
    "a foreign file": ("\x7fELF and so on", 1),
    "no version": (".entry k() { ret; }", 1),
    "an empty file": ("", 1),
    "a wrong parameter": (f"{HEAD}.entry k(int x)\n{{ ret; }}", 4),
    "a wrong directive": (f"{HEAD}.entry k() .reqntid many\n{{ ret; }}", 4),
}


@pytest.mark.parametrize("name", BROKEN)
def test_errors_name_file_line_and_expectation(name: str) -> None:
    text, line = BROKEN[name]
    with pytest.raises(FormatError) as caught:
        read_module(text, artifact="bad.ptx")
    assert str(caught.value).startswith(f"bad.ptx: line {line}: syntax error at ")
    assert "expected" in str(caught.value)
    assert "\n" not in str(caught.value)


def noise(letters: str) -> str:
    """The same million letters each time, so that a failure repeats."""
    return "".join(random.Random(7).choices(letters, k=MIB))


# Made when a test asks: whoever only collects the tests does not build these texts.
HOSTILE: dict[str, Callable[[], str]] = {
    "bytes": lambda: noise("".join(map(chr, range(1, 255)))),
    "noise in a body": lambda: entry(noise("[](),+ abc%$:0\n")),
    "noise with braces": lambda: entry(noise('{}()@;.,"/*\n a%0')),
    "open braces": lambda: f"{HEAD}.entry k(){{" + "{" * 100_000,
    "scopes": lambda: entry("{" * 100_000 + "ret;" + "}" * 100_000),
    "vectors": lambda: entry("mov.b32 " + "{" * 100_000 + "}" * 100_000 + ";"),
    "closing braces": lambda: entry("}" * 100_000),
    "an open comment": lambda: entry("/*" + "*" * MIB),
    "slashes": lambda: entry("/" * MIB),
    "open comments": lambda: entry("/*" * (MIB // 2)),
    "quotes": lambda: entry('"' * MIB),
    "labels": lambda: entry("a:" * 300_000 + "ret;"),
    "predicates": lambda: entry("@%p " * 250_000),
    "dots": lambda: entry(".a" * 500_000),
    "parameters": lambda: f"{HEAD}.entry k(" + ".param .u32 a," * 80_000,
    "parentheses": lambda: f"{HEAD}.func .attribute(" + "()" * 500_000,
    "linkage": lambda: HEAD + ".visible " * 100_000,
    "an initializer": lambda: f"{HEAD}.global .b8 x[9] = {{" + "1, " * 400_000 + "1};\n",
    "an open initializer": lambda: f"{HEAD}.global .b8 x[9] = {{" + "1, " * 400_000,
    "words": lambda: entry("a " * 500_000),
    "instructions": lambda: entry(
        "\n".join(f"@%p1 add.s32 %r{i}, %r{i}, 1;" for i in range(50_000))
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_stays_linear(name: str) -> None:
    text = HOSTILE[name]()
    start = time.process_time()
    message = ""
    try:
        module = read_module(text, artifact="bad.ptx")
    except FormatError as error:
        message = str(error)
    else:
        for function in module.entries:
            assert sum(census(function).values()) == len(listing(function))
            normal_digest(function)
    assert len(message) < 400
    assert time.process_time() - start < 10
