"""Measures the approximate instructions of a GPU over all inputs.

For each instruction it writes, for each of the 512 pairs of sign and exponent, the CRC-32 of the
results of all 2^23 fractions, and the results themselves where a model is fitted to them; for the
forms of f64, which only see upper words, for each 2^23 of these. Run
`python -m bench.hardware.measure_special FOLDER` on the machine with the GPU, with `--form` for
some of the instructions only; `fit_special` reads the folder.
"""

from __future__ import annotations

import argparse
import lzma
import time
import zipfile
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from bench.hardware import matrix_probes
from sassay.machine.hardware.driver import Device

Array = np.ndarray[Any, np.dtype[Any]]
FRACTIONS = 1 << 23
CHUNK = 1 << 26

HEADER = ".version 8.3\n.target sm_90\n.address_size 64\n"
SWEEP = """
.visible .entry sweep(.param .u64 out, .param .u32 start)
{
    .reg .b32 %r<8>;
    .reg .b64 %rd<4>;
    mov.u32 %r0, %ctaid.x;
    mov.u32 %r1, %tid.x;
    mad.lo.u32 %r2, %r0, 256, %r1;
    ld.param.u32 %r3, [start];
    add.u32 %r4, %r3, %r2;
    OPERATION
    ld.param.u64 %rd0, [out];
    mad.wide.u32 %rd1, %r2, 4, %rd0;
    st.global.b32 [%rd1], %r5;
    ret;
}
"""
MAP = """
.visible .entry map(.param .u64 x, .param .u64 y, .param .u64 out)
{
    .reg .b16 %h<4>;
    .reg .b32 %r<8>;
    .reg .b64 %rd<8>;
    mov.u32 %r0, %ctaid.x;
    mov.u32 %r1, %tid.x;
    mad.lo.u32 %r2, %r0, 256, %r1;
    ld.param.u64 %rd0, [x];
    mad.wide.u32 %rd0, %r2, SIZE, %rd0;
    ld.global.bBITS %REG0, [%rd0];
    ld.param.u64 %rd1, [y];
    mad.wide.u32 %rd1, %r2, SIZE, %rd1;
    ld.global.bBITS %REG1, [%rd1];
    OPERATION;
    ld.param.u64 %rd2, [out];
    mad.wide.u32 %rd2, %r2, SIZE, %rd2;
    st.global.bBITS [%rd2], %REG3;
    ret;
}
"""
UPPER = """mov.b64 %rd2, {%r7, %r4};
    FORM.approx.ftz.f64 %rd2, %rd2;
    mov.b64 {%r6, %r5}, %rd2;
    or.b32 %r5, %r5, %r6;"""
"""A form of f64: of an upper word, with zeros below it in the operand and in the result."""
SINGLE = ("rcp", "rsqrt", "sqrt", "ex2", "lg2", "sin", "cos", "tanh")
DOUBLE = {"rcp64": "rcp", "rsqrt64": "rsqrt"}
FORMS = (*SINGLE, *DOUBLE)
KEPT = {
    "rcp": [127],
    "rsqrt": [127, 128],
    "sqrt": [127, 128],
    "ex2": [127, 126, 256 + 127, 125, 124, 256 + 126, 128, 123, 122, 120, 117, 114, 110, 106, 103,
            256 + 125, 256 + 123, 256 + 117, 256 + 103, 130, 133, 256 + 133],
    "lg2": [127, 126, 128, 129, 131, 135, 125, 190],
    "sin": [129, 128, 127, 126, 125, 130, 124, 123, 122, 120, 117, 112, 106, 140, 150],
    "cos": [129, 128, 127, 130, 126, 125, 123, 120, 116, 140],
    "tanh": [127, 126, 125, 128, 124, 129, 123, 122, 119, 121, 120, 118, 116, 113, 110],
    "rcp64": [127],
    "rsqrt64": [127],
}  # fmt: skip
CAPS = {"rcp": 4, "rsqrt": 6, "sqrt": 6, "ex2": 12, "lg2": 7, "sin": 9, "cos": 7, "tanh": 8,
        "rcp64": 4, "rsqrt64": 4}  # fmt: skip
"""Megabytes that the kept results of a form may take."""
OTHER = {
    2: ["ex2.approx.f16", "ex2.approx.ftz.bf16", "tanh.approx.f16", "tanh.approx.bf16"],
    4: [*(f"{each}.approx.f32" for each in SINGLE), "div.full.f32", "div.full.ftz.f32",
        "div.approx.f32", "div.approx.ftz.f32"],
}  # fmt: skip


def spread(count: int, step: int, start: int) -> Array:
    """Words of 32 bits that look random."""
    index = np.arange(count, dtype=np.uint64)
    return ((index * np.uint64(step) + np.uint64(start)) & np.uint64(0xFFFFFFFF)).astype(np.uint32)


def inputs(width: int) -> tuple[Array, Array]:
    """First and second operands of the forms that are not swept."""
    if width == 2:
        words = np.arange(1 << 16, dtype=np.uint16)
        return words, words
    # A quarter of the pairs have close exponents, so that quotients are seldom out of range.
    first, second = spread(1 << 17, 2654435761, 12345), spread(1 << 17, 2246822519, 99)
    mild = np.arange(1 << 17) % 4 != 0
    second = np.where(mild, (second & 0x807FFFFF) | (first & 0x7F800000), second)
    return first, second.astype(np.uint32)


def packed(values: Array) -> bytes:
    """Results compressed: differences of neighbours."""
    steps = np.diff(values.view(np.uint32), prepend=np.uint32(0))
    planes = steps.view(np.uint8).reshape(-1, 4).T.tobytes()
    return lzma.compress(planes, preset=1)


def unpacked(content: bytes) -> Array:
    """The reverse of `packed`."""
    planes = np.frombuffer(lzma.decompress(content), np.uint8).reshape(4, -1)
    return np.cumsum(np.ascontiguousarray(planes.T).view(np.uint32).ravel(), dtype=np.uint32)


def _sweep(device: Device, form: str, pool: ThreadPoolExecutor) -> tuple[Array, dict[int, bytes]]:
    suffix = ".approx" if form == "tanh" else ".approx.ftz"
    operation = f"{form}{suffix}.f32 %r5, %r4;"
    if form in DOUBLE:
        operation = "mov.b32 %r7, 0;\n    " + UPPER.replace("FORM", DOUBLE[form])
    function = device.load((HEADER + SWEEP.replace("OPERATION", operation)).encode(), "sweep")
    space = device.allocate(CHUNK * 4)
    sums: list[Future[list[int]]] = []
    kept: dict[int, Future[bytes]] = {}
    for start in range(0, 1 << 32, CHUNK):
        device.launch(
            function,
            (CHUNK // 256, 1, 1),
            (256, 1, 1),
            [space.to_bytes(8, "little"), start.to_bytes(4, "little")],
        )
        content = np.empty(CHUNK * 4, np.uint8)
        device.download(space, content)
        sums.append(pool.submit(_sums, content))
        for block in KEPT[form]:
            if start <= block * FRACTIONS < start + CHUNK:
                at = (block * FRACTIONS - start) * 4
                part = content[at : at + FRACTIONS * 4].copy().view(np.uint32)
                kept[block] = pool.submit(packed, part)
        if len(sums) > 40:
            sums[-40].result()
    device.free(space)
    found = np.array([value for each in sums for value in each.result()], np.uint32)
    return found, {block: future.result() for block, future in kept.items()}


def _sums(content: Array) -> list[int]:
    return [zlib.crc32(part.data) for part in content.reshape(-1, FRACTIONS * 4)]


def _mapped(device: Device, form: str, width: int) -> Array:
    register = {2: "h", 4: "r"}[width]
    names = {each: f"{register}{each[-1]}" for each in ("REG0", "REG1", "REG3")}
    sources = f"%{names['REG0']}"
    if form.startswith("div"):
        sources += f", %{names['REG1']}"
    text = MAP.replace("OPERATION", f"{form} %{names['REG3']}, {sources}")
    for key, name in names.items():
        text = text.replace(key, name)
    text = text.replace("SIZE", str(width)).replace("BITS", str(width * 8))
    function = device.load((HEADER + text).encode(), "map")
    first, second = inputs(width)
    places = [device.allocate(first.nbytes) for _ in range(3)]
    device.upload(places[0], first.view(np.uint8))
    device.upload(places[1], second.view(np.uint8))
    device.launch(
        function,
        (len(first) // 256, 1, 1),
        (256, 1, 1),
        [place.to_bytes(8, "little") for place in places],
    )
    found = np.zeros_like(first)
    device.download(places[2], found.view(np.uint8))
    for place in places:
        device.free(place)
    return found


def matrix_results(device: Device, probe: matrix_probes.Probe, blocks: int) -> Array:
    """What a matrix instruction gives for its operands."""
    function = device.load(matrix_probes.ptx(probe).encode(), probe.name)
    arrays = matrix_probes.operands(probe, blocks)
    places = []
    for array in arrays:
        places.append(device.allocate(array.nbytes))
        device.upload(places[-1], np.ascontiguousarray(array).view(np.uint8).reshape(-1))
    device.launch(
        function,
        (blocks, 1, 1),
        (probe.threads, 1, 1),
        [place.to_bytes(8, "little") for place in places],
    )
    found = arrays[3]
    device.download(places[3], found.view(np.uint8).reshape(-1))
    for place in places:
        device.free(place)
    return found


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--form", action="append", choices=FORMS, help="only these, nothing else")
    options = parser.parse_args()
    folder = options.folder
    device = Device()
    print(device.name, device.arch, "CUDA", device.driver, flush=True)
    with (
        ThreadPoolExecutor(14) as pool,
        zipfile.ZipFile(folder / "sums.zip", "w", zipfile.ZIP_DEFLATED) as sums,
    ):
        sums.writestr("device.txt", f"{device.name}, {device.arch}, CUDA {device.driver}\n")
        if not options.form:
            _single_results(device, sums)
        for form in options.form or FORMS:
            started = time.perf_counter()
            crcs, kept = _sweep(device, form, pool)
            sums.writestr(f"{form}.crc", crcs.tobytes())
            size = 0
            target = "roots" if form in {"rsqrt", "sqrt"} else form
            with zipfile.ZipFile(folder / f"{target}.zip", "a", zipfile.ZIP_STORED) as out:
                for block in KEPT[form]:
                    size += len(kept[block])
                    if size < CAPS[form] << 20:
                        out.writestr(f"{form}.{block}.xz", kept[block])
            print(
                f"{form}: {time.perf_counter() - started:.1f} s, {size >> 10} KiB "
                f"{[(block, len(kept[block]) >> 10) for block in KEPT[form]]}",
                flush=True,
            )


def _single_results(device: Device, sums: zipfile.ZipFile) -> None:
    """The matrix instructions, and the forms that are not swept."""
    for probe in matrix_probes.PROBES:
        found = matrix_results(device, probe, 200 if probe.warpgroup else 1000)
        sums.writestr(f"{probe.name}.bin", found.tobytes())
    print("matrix", flush=True)
    for width, forms in OTHER.items():
        for form in forms:
            sums.writestr(f"{form}.bin", _mapped(device, form, width).tobytes())
    print("other", flush=True)


if __name__ == "__main__":
    main()
