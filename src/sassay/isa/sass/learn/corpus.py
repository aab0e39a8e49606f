"""PTX that makes ptxas write many kinds of instructions: the seeds of the tables.

Each line becomes a kernel of its own that loads what it reads and stores what it writes. A line
that an architecture lacks is left out: ptxas names it, and the rest is compiled again. Register
names tell types: `%r1` to `%r4` hold 32 bits, `%d` 64, `%f` floats, `%g` doubles, `%h` 16 bits and
`%q` predicates; `o` is what a line writes (`%ro`, and `%ro2` to `%ro4`).
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from sassay.containers.cubin import read_cubin
from sassay.isa.sass.learn.lines import lines
from sassay.isa.sass.learn.oracle import unpack
from sassay.isa.sass.words import section_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_VERSIONS = ("9.1", "9.0", "8.8", "8.7", "8.6", "8.0", "7.8", "9.4")
"""PTX versions to try, newest first: which one a ptxas takes depends on its release. The last is
for architectures that came after the first."""
_NOT_THIS_VERSION = re.compile(r"Unsupported \.version|does not support \.target")
_ATTEMPTS = 80
_BAD_LINE = re.compile(r"line (\d+); (?:error|fatal)")
_TYPES = {"r": "b32", "d": "b64", "f": "f32", "g": "f64", "h": "b16", "q": "pred"}
_SHARED_LINES = (
    ".address_size 64",
    ".const .align 16 .b8 table[256];",
    ".func (.param .b32 o) helper(.param .b32 i)",
    "{ .reg .b32 %a; ld.param.b32 %a,[i]; clz.b32 %a,%a; st.param.b32 [o],%a; ret; }",
)
_DIRECTIVES = {"setmaxnreg": ".maxnreg 128"}
"""What an entry must say so that ptxas does not leave the instruction out."""
_OUTPUT = re.compile(r"%([rdfghq])o(\d?)\b")
_INPUT = re.compile(r"%([rdfghq])([1-8])\b")


def entry(name: str, line: str) -> str:
    """One line as a kernel, on a single line of PTX."""
    read = sorted(set(_INPUT.findall(line)))
    directive = _DIRECTIVES.get(line.partition(".")[0], "")
    parts = [f".visible .entry {name}(.param .u64 p, .param .u32 n) {directive} {{"]
    parts += [f".reg .{kind} %{name}<9>,%{name}o<9>;" for name, kind in _TYPES.items()]
    parts.append(".reg .b64 %p; .reg .b32 %z; ld.param.u64 %p,[p]; cvta.to.global.u64 %p,%p;")
    line = _OUTPUT.sub(lambda m: f"%{m[1]}o{m[2] or 1}", line)
    for kind, number in read:
        place = int(number) * 32
        if kind == "q":
            parts.append(f"ld.volatile.global.b32 %z,[%p+{place}]; setp.ne.b32 %q{number},%z,0;")
        else:
            parts.append(f"ld.volatile.global.{_TYPES[kind]} %{kind}{number},[%p+{place}];")
    parts.append(line.replace("\t", " "))
    for kind, number in sorted(set(re.findall(r"%([rdfghq])o(\d)", line))):
        place = 512 + int(number) * 32
        if kind == "q":
            parts.append(f"selp.b32 %z,1,0,%qo{number}; st.volatile.global.b32 [%p+{place}],%z;")
        else:
            parts.append(f"st.volatile.global.{_TYPES[kind]} [%p+{place}],%{kind}o{number};")
    parts.append("ret; }")
    return " ".join(parts)


def seeds(programs: Sequence[Path], arch: str, folder: Path) -> list[int]:
    """Every different word that the corpus becomes on an architecture, sorted.

    Args:
        programs: ptxas programs; the first that compiles for the architecture does so.
        arch: `sm_90a`.
        folder: An empty folder to work in.

    Returns:
        Nothing where no ptxas knows the architecture, or it fails: such a table is learned from
        other architectures' words and by flips alone.
    """
    for program in programs:
        cubin = _compile(program, arch, folder)
        if cubin is not None:
            read = read_cubin(cubin, artifact="corpus")
            codes = [kernel.code for kernel in read.kernels]
            codes += [function.code for function in read.functions]
            return sorted({word for code in codes for word in unpack(section_words(code))})
    return []


def _compile(program: Path, arch: str, folder: Path) -> bytes | None:
    chosen = list(lines())
    source, target = folder / "corpus.ptx", folder / "corpus.cubin"
    versions = list(_VERSIONS)
    for _ in range(_ATTEMPTS):
        body = [entry(f"k{index}", line) for index, line in enumerate(chosen)]
        head = [f".version {versions[0]}", f".target {arch}", *_SHARED_LINES]
        source.write_text("\n".join([*head, *body]) + "\n")
        done = subprocess.run(
            [str(program), f"-arch={arch}", str(source), "-o", str(target)],
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        if done.returncode == 0:
            return target.read_bytes()
        said = done.stderr + done.stdout
        if _NOT_THIS_VERSION.search(said) and len(versions) > 1:
            versions.pop(0)
            continue
        bad = {int(number) - len(head) - 1 for number in _BAD_LINE.findall(said)}
        if not bad & set(range(len(chosen))):
            return None
        chosen = [line for index, line in enumerate(chosen) if index not in bad]
    return None
