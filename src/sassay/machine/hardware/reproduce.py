"""Writes a kernel with a launch as one Python file that runs it in the machine or on a GPU."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pprint import pformat
from typing import Any

from sassay.errors import UsageError
from sassay.isa.ptx import read_module

_ARRAY = re.compile(r"(\w+):(\d+(?:x\d+)*)", re.ASCII)
_DYNAMIC = re.compile(r"\.extern\s+\.shared\s[^;]*?([\w$]+)\s*\[\s*\]", re.ASCII)
_SHORT = {
    "f16": "float16",
    "f32": "float32",
    "f64": "float64",
    "i8": "int8",
    "i16": "int16",
    "i32": "int32",
    "i64": "int64",
    "u8": "uint8",
    "u16": "uint16",
    "u32": "uint32",
    "u64": "uint64",
}
_RANDOM = {"bf16", "e4m3", *_SHORT}


@dataclass(frozen=True)
class Reproduction:
    """What the file runs.

    Attributes:
        origin: Where the kernel was found.
        text: The module.
        entry: Name of the entry.
        grid: Blocks by dimension.
        block: Threads by dimension.
        shared: Bytes of dynamic shared memory.
        arguments: Descriptions, as `cases.make` reads them.
    """

    origin: str
    text: str
    entry: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    shared: int
    arguments: tuple[dict[str, Any], ...]


def read_argument(text: str, seed: int) -> dict[str, Any]:
    """An argument as the command line says it.

    `bf16:512x512` is an array of random numbers, `zeros-f32:512` one of zeros, a number is itself,
    `null` a null pointer.

    Args:
        text: The argument.
        seed: Of its random numbers.

    Raises:
        UsageError: It is none of these.
    """
    if text == "null":
        return {"make": "null"}
    try:
        return {"value": float(text) if re.search(r"[.eE]", text) else int(text, 0)}
    except ValueError:
        pass
    zeros = text.startswith("zeros-")
    match = _ARRAY.fullmatch(text.removeprefix("zeros-"))
    if match is None or match[1] not in _RANDOM:
        raise UsageError(
            f"argument {text!r}",
            hint="a number, null, TYPE:SHAPE such as bf16:512x512, or zeros-f32:512; types: "
            + ", ".join(sorted(_RANDOM)),
        )
    kind, shape = match[1], [int(each) for each in match[2].split("x")]
    if zeros:
        words = {"bf16": "uint16", "e4m3": "uint8"}
        return {"make": "zeros", "shape": shape, "dtype": words.get(kind) or _SHORT[kind]}
    return {"make": _SHORT.get(kind, kind), "shape": shape, "seed": seed}


def wants_shared(text: str, entry: str, origin: str) -> bool:
    """Whether an entry uses dynamic shared memory, of which a module does not say how much.

    Args:
        text: The module.
        entry: Name of the entry.
        origin: In errors.
    """
    names = _DYNAMIC.findall(text)
    found = read_module(text, artifact=origin).entry(entry)
    if found is None or not names:
        return False
    mentions = re.compile("|".join(rf"(?<![\\w$%]){re.escape(name)}(?![\\w$])" for name in names))
    return any(mentions.search(each.operands) for each in found.instructions)


def check_arguments(made: Reproduction) -> None:
    """Whether there is an argument for each parameter.

    Raises:
        UsageError: There is not; it lists the parameters.
    """
    entry = read_module(made.text, artifact=made.origin).entry(made.entry)
    if entry is None:
        raise UsageError(f"no entry {made.entry}", artifact=made.origin)
    if len(entry.params) != len(made.arguments):
        listed = ", ".join(
            f"{each.type}[{each.size}]" if each.size else each.type for each in entry.params
        )
        raise UsageError(
            f"{made.entry} takes {len(entry.params)} arguments ({listed}), "
            f"not {len(made.arguments)}",
            hint="give --arg for each, in order",
        )
    for at, (param, given) in enumerate(zip(entry.params, made.arguments, strict=True)):
        if given.get("make") not in {None, "null"} and not param.type.endswith("64"):
            raise UsageError(f"argument {at} is an array, and its parameter a {param.type}")


def script(made: Reproduction) -> str:
    """The file: the module and its launch as they are, and what runs them.

    Raises:
        UsageError: The arguments do not fit the entry.
    """
    check_arguments(made)
    arguments = pformat(list(made.arguments), width=96, sort_dicts=False)
    quoted = _quoted(made.text)
    return _TEMPLATE.format(
        title=f"{made.entry} of {made.origin}".replace("\\", "/").replace('"', "'"),
        entry=made.entry,
        grid=tuple(made.grid),
        block=tuple(made.block),
        shared=made.shared,
        arguments=arguments,
        quoted=quoted,
    )


def _quoted(text: str) -> str:
    plain = "'''" not in text and "\\" not in text and not text.endswith("'")
    return f"r'''{text}'''" if plain else repr(text)


_TEMPLATE = '''\
"""Runs {title}.

    python FILE            in sassay's PTX machine, without a GPU
    python FILE --on gpu   on the GPU of this computer (needs ptxas on PATH)
    python FILE --on both  on both, and compares every bit

It needs `pip install sassay`, and nothing else.
"""

import argparse
import hashlib
import sys

import numpy as np
from sassay.errors import SassayError
from sassay.machine import Launch, load_program, run
from sassay.machine.hardware.cases import make

ENTRY = {entry!r}
GRID = {grid!r}
BLOCK = {block!r}
SHARED = {shared!r}

# One for each parameter: change shapes, seeds and values as you like.
ARGUMENTS = {arguments}

PTX = {quoted}


def in_machine(program, launch):
    result = run(program, launch)
    if result.trap is not None:
        sys.exit(f"trap: {{result.trap}}")
    print(f"machine: {{result.label}}, {{result.instructions}} thread-instructions")
    return result.arrays


def on_gpu(program, launch):
    from sassay.machine.hardware.driver import Device
    from sassay.machine.hardware.run import assemble, run_on_gpu

    device = Device()
    print(f"GPU: {{device.name}} ({{device.arch}})")
    return run_on_gpu(program, assemble(PTX, device.arch), launch, device)


def show(arrays):
    for index, array in enumerate(arrays):
        if array is not None:
            digest = hashlib.sha256(array.tobytes()).hexdigest()[:16]
            print(f"argument {{index}}: {{array.dtype}} {{array.shape}}, sha256 {{digest}}")
            print(f"  {{array.reshape(-1)[:8]}}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--on", choices=("cpu", "gpu", "both"), default="cpu")
    chosen = parser.parse_args().on
    program = load_program(PTX, ENTRY)
    launch = Launch(GRID, BLOCK, [make(each) for each in ARGUMENTS], shared=SHARED)
    runs = {{"cpu": [in_machine], "gpu": [on_gpu], "both": [in_machine, on_gpu]}}[chosen]
    try:
        found = [each(program, launch) for each in runs]
    except SassayError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    show(found[0])
    if len(found) == 2:
        differ = 0
        for mine, theirs in zip(*found):
            if mine is not None:
                word = f"u{{mine.dtype.itemsize}}"
                differ += int(np.count_nonzero(mine.view(word) != theirs.view(word)))
        print(f"{{differ}} elements differ")
        sys.exit(int(differ > 0))


if __name__ == "__main__":
    main()
'''
