"""Compiles a corpus of kernels for `python -m sassay.machine.hardware`, without a GPU.

Run `python -m bench.hardware.build_corpus FOLDER` in a checkout with Triton. The kernels are those
of `examples/router` and `examples/machine`, for two architectures, and one for each form of matrix
instructions, of copies, and of the special function unit.
"""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.hardware import (
    copy_probes,
    matrix_probes,
    order_probes,
    unit_probes,
    wmma_probes,
)
from sassay.machine.hardware.words import WIDTHS

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2] / "examples"
FILES = {
    "norms": ROOT / "router/common/norms.py",
    "moe": ROOT / "router/common/moe.py",
    "tokens": ROOT / "router/common/tokens.py",
    "attention": ROOT / "router/common/attention.py",
    "matmul": ROOT / "machine/matmul.py",
}
Described = dict[str, Any]


@dataclass(frozen=True)
class Kernel:
    """A Triton kernel with a launch.

    Attributes:
        file: Key of `FILES`.
        function: Name.
        types: Type by argument, as Triton spells them.
        constants: Compile-time constants.
        grid: Blocks.
        arguments: Descriptions as `cases.make` reads them.
        results: Positions of what is compared.
        archs: Compute capabilities.
        warps: Of a block.
        stages: Of the pipeline.
        name: In the corpus; the function's if empty.
    """

    file: str
    function: str
    types: dict[str, str]
    constants: dict[str, Any]
    grid: tuple[int, ...]
    arguments: list[Described]
    results: list[int]
    archs: tuple[int, ...] = (80, 90)
    warps: int = 4
    stages: int = 3
    name: str = ""
    aligned: tuple[str, ...] = field(default=())


def bf16(*shape: int, seed: int = 1, scale: float = 1.0) -> Described:
    """Normal numbers as words of bf16."""
    return {"make": "bf16", "shape": list(shape), "seed": seed, "scale": scale}


def floats(kind: str, *shape: int, seed: int = 1, scale: float = 1.0) -> Described:
    """Normal numbers."""
    return {"make": kind, "shape": list(shape), "seed": seed, "scale": scale}


def integers(kind: str, high: int, *shape: int, seed: int = 1) -> Described:
    """Integers from 0 to `high`."""
    return {"make": kind, "shape": list(shape), "seed": seed, "low": 0, "high": high}


def zeros(dtype: str, *shape: int) -> Described:
    """A result."""
    return {"make": "zeros", "shape": list(shape), "dtype": dtype}


def value(number: float) -> Described:
    """A scalar."""
    return {"value": number}


def pointers(kind: str, *names: str) -> dict[str, str]:
    """Pointers of one type."""
    return dict.fromkeys(names, f"*{kind}")


def kernels() -> list[Kernel]:
    """The corpus."""
    rows, hidden = 300, 1000
    i32 = "i32"
    norm = pointers("bf16", "x_ptr", "weight_ptr", "out_ptr")
    norm |= {"stride_x": i32, "stride_out": i32, "hidden": i32, "eps": "fp32"}
    found = [
        Kernel(
            "norms", "_rmsnorm_kernel", norm, {"BLOCK": 1024}, (rows,),
            [bf16(rows, hidden), bf16(hidden, seed=2), zeros("uint16", rows, hidden),
             *map(value, (hidden, hidden, hidden)), value(1e-6)], [2], warps=warps,
            name=f"rmsnorm_{warps}_warps",
        )
        for warps in (1, 4, 8)
    ]  # fmt: skip
    add = pointers("bf16", "x_ptr", "residual_ptr", "weight_ptr", "out_ptr")
    add |= {"stride": i32, "hidden": i32, "eps": "fp32"}
    found += [
        Kernel(
            "norms", "_add_rmsnorm_kernel", add, {"BLOCK": 1024}, (rows,),
            [bf16(rows, hidden), bf16(rows, hidden, seed=3), bf16(hidden, seed=2),
             zeros("uint16", rows, hidden), value(hidden), value(hidden), value(1e-6)], [1, 3],
        ),
        Kernel(
            "norms", "_gelu_mul_kernel", pointers("bf16", "gate_up_ptr", "out_ptr")
            | {"width": i32}, {"BLOCK": 512}, (rows, 2),
            [bf16(rows, 2 * hidden, scale=2.0), zeros("uint16", rows, hidden), value(hidden)], [1],
        ),
        Kernel(
            "norms", "_residual_add_kernel",
            pointers("bf16", "x_ptr", "residual_ptr", "out_ptr") | {"count": i32}, {"BLOCK": 1024},
            (300,), [bf16(300000), bf16(300000, seed=2, scale=50.0), zeros("uint16", 300000),
                     value(300000)], [2],
        ),
        Kernel(
            "norms", "_scale_rows_kernel",
            pointers("bf16", "x_ptr", "scale_ptr", "out_ptr") | {"hidden": i32, "factor": "fp32"},
            {"BLOCK": 1024}, (rows,),
            [bf16(rows, hidden), bf16(hidden, seed=2), zeros("uint16", rows, hidden),
             value(hidden), value(0.37)], [2],
        ),
        Kernel(
            "norms", "_softcap_kernel", pointers("bf16", "x_ptr") | {"count": i32, "cap": "fp32"},
            {"BLOCK": 1024}, (300,), [bf16(300000, scale=20.0), value(300000), value(30.0)], [0],
        ),
        Kernel(
            "norms", "_quantize_rows_kernel",
            {"x_ptr": "*bf16", "out_ptr": "*i8", "scale_ptr": "*fp32", "width": i32,
             "limit": "fp32"}, {"BLOCK": 1024}, (rows,),
            [bf16(rows, hidden), zeros("uint8", rows, hidden), zeros("float32", rows),
             value(hidden), value(127.0)], [1, 2], name="quantize_rows_int8",
        ),
        Kernel(
            "norms", "_quantize_rows_kernel",
            {"x_ptr": "*bf16", "out_ptr": "*fp8e4nv", "scale_ptr": "*fp32", "width": i32,
             "limit": "fp32"}, {"BLOCK": 1024}, (rows,),
            [bf16(rows, hidden), zeros("uint8", rows, hidden), zeros("float32", rows),
             value(hidden), value(448.0)], [1, 2], archs=(90,), name="quantize_rows_fp8",
        ),
        Kernel(
            "moe", "_softmax_kernel", pointers("fp32", "x_ptr", "out_ptr") | {"width": i32},
            {"BLOCK": 256}, (2000,),
            [floats("float32", 2000, 200, scale=3.0), zeros("float32", 2000, 200), value(200)],
            [1],
        ),
        Kernel(
            "moe", "_topk_kernel",
            {"logits_ptr": "*bf16", "values_ptr": "*bf16", "ids_ptr": "*i32"},
            {"EXPERTS": 120, "BLOCK": 128, "K": 8}, (5000,),
            [bf16(5000, 120), zeros("uint16", 5000, 8), zeros("int32", 5000, 8)], [1, 2],
        ),
        Kernel(
            "moe", "_expert_count_kernel",
            pointers("i32", "ids_ptr", "counts_ptr") | {"count": i32}, {"BLOCK": 256}, (100,),
            [integers("int32", 511, 25000), zeros("int32", 512), value(25000)], [1],
        ),
        Kernel(
            "moe", "_expert_offsets_kernel", pointers("i32", "counts_ptr", "offsets_ptr"),
            {"EXPERTS": 512, "TILE": 16}, (1,),
            [integers("int32", 99, 512), zeros("int32", 512)], [1],
        ),
        Kernel(
            "tokens", "_embedding_kernel",
            {"ids_ptr": "*i64", "table_ptr": "*bf16", "out_ptr": "*bf16", "hidden": i32},
            {"BLOCK": 512}, (rows, 2),
            [integers("int64", 49, rows), bf16(50, hidden), zeros("uint16", rows, hidden),
             value(hidden)], [2],
        ),
        Kernel(
            "tokens", "_rope_kernel",
            {"x_ptr": "*bf16", "positions_ptr": "*i64", "cos_sin_ptr": "*fp32",
             "stride_token": i32}, {"HALF": 64, "NEOX": True}, (rows, 8),
            [bf16(rows, 1024), integers("int64", 63, rows), floats("float32", 64, 128),
             value(1024)], [0],
        ),
        Kernel(
            "tokens", "_argmax_kernel",
            {"logits_ptr": "*bf16", "out_ptr": "*i64", "vocabulary": i32}, {"BLOCK": 1024}, (200,),
            [bf16(200, 5000), zeros("int64", 200), value(5000)], [1],
        ),
        Kernel(
            "attention", "_prefill_attention_kernel",
            pointers("bf16", "q_ptr", "k_ptr", "v_ptr", "out_ptr")
            | {"length": i32, "stride_q": i32, "stride_kv": i32, "scale": "fp32"},
            {"GROUP": 2, "DIM": 64, "TILE_M": 64, "TILE_N": 64}, (8, 4),
            [bf16(500, 256), bf16(500, 128, seed=2), bf16(500, 128, seed=3),
             zeros("uint16", 500, 256), value(500), value(256), value(128), value(0.125)], [3],
            aligned=("stride_q", "stride_kv"),
        ),
        Kernel(
            "attention", "_decode_reduce_kernel", pointers("fp32", "part_ptr", "lse_ptr")
            | pointers("bf16", "out_ptr"), {"SPLITS": 8, "DIM": 128}, (2000,),
            [floats("float32", 2000, 8, 128), floats("float32", 2000, 8),
             zeros("uint16", 2000, 128)], [2],
        ),
        Kernel(
            "moe", "_grouped_matmul_kernel",
            pointers("bf16", "a_ptr", "b_ptr", "c_ptr")
            | pointers("i32", "sorted_ptr", "expert_of_tile_ptr")
            | dict.fromkeys(("rows", "n", "k", "stride_expert", "top_k"), i32),
            {"TILE_M": 64, "TILE_N": 64, "TILE_K": 32}, (8 * 4,),
            [bf16(256, 128), bf16(4, 256, 128, seed=2), zeros("uint16", 512, 256),
             {"make": "count", "shape": [512], "dtype": "int32"}, integers("int32", 3, 8),
             value(512), value(256), value(128), value(256 * 128), value(2)], [2],
            aligned=("n", "k", "stride_expert"),
        ),
    ]  # fmt: skip
    return found + matrices()


def matrices() -> list[Kernel]:
    """Matrix products of our own."""
    found = []
    sizes = {"m": "i32", "n": "i32", "k": "i32"}
    strides = {"stride_a": "i32", "stride_b": "i32", "stride_c": "i32"}
    tiles = {"TILE_M": 128, "TILE_N": 128, "TILE_K": 32}
    m, n, k = 512, 512, 480
    kinds: dict[str, Callable[..., Described]] = {
        "bf16": bf16,
        "fp16": partial(floats, "float16"),
        "fp32": partial(floats, "float32"),
    }
    for name, make in kinds.items():
        out = {"bf16": "uint16", "fp16": "float16", "fp32": "float32"}[name]
        arguments = [make(m, k), make(k, n, seed=2), zeros(out, m, n)]
        found.append(
            Kernel(
                "matmul", "matmul", pointers(name, "a_ptr", "b_ptr", "c_ptr") | sizes | strides,
                tiles, (4, 4), [*arguments, *map(value, (m, n, k, k, n, n))], [2], warps=8,
                name=f"matmul_{name}", aligned=(*sizes, *strides),
            )
        )  # fmt: skip
    wide = pointers("bf16", "a_ptr", "b_ptr") | pointers("fp32", "c_ptr")
    found.append(
        Kernel(
            "matmul", "matmul", wide | sizes | strides, tiles, (4, 4),
            [bf16(m, k), bf16(k, n, seed=2), zeros("float32", m, n),
             *map(value, (m, n, k, k, n, n))], [2], warps=8, name="matmul_bf16_to_f32",
            aligned=(*sizes, *strides),
        )
    )  # fmt: skip
    device = pointers("bf16", "a_ptr", "b_ptr", "c_ptr") | sizes
    found += [
        Kernel(
            "matmul", "matmul_by_descriptors", device,
            {"TILE_M": 128, "TILE_N": 128, "TILE_K": 64, "SPECIALIZED": special}, (4, 4),
            [bf16(m, 512), bf16(512, n, seed=2), zeros("uint16", m, n),
             value(m), value(n), value(512)], [2], archs=(90,), warps=4 if special else 8,
            name="matmul_descriptors" + ("_specialized" if special else ""), aligned=(*sizes,),
        )
        for special in (False, True)
    ]  # fmt: skip
    found.append(
        Kernel(
            "matmul", "matmul_by_host_descriptors",
            {"a": "tensordesc<bf16[128, 64]>", "b": "tensordesc<bf16[64, 128]>",
             "c": "tensordesc<bf16[128, 128]>", "k": "i32"},
            {"TILE_M": 128, "TILE_N": 128, "TILE_K": 64}, (4, 4),
            [bf16(m, 512), bf16(512, n, seed=2), zeros("uint16", m, n), value(512)], [10],
            archs=(90,), warps=8, aligned=("k",),
        )
    )  # fmt: skip
    for kind in ("fp8e4nv", "fp8e5"):
        for out in ("fp32", "bf16"):
            types = pointers(kind, "a_ptr", "b_ptr") | pointers(out, "c_ptr")
            types |= pointers("fp32", "row_scale_ptr", "col_scale_ptr") | sizes
            source = "e4m3" if kind == "fp8e4nv" else "bf8"
            made = (
                [{"make": "e4m3", "shape": [m, 512], "seed": 1},
                 {"make": "e4m3", "shape": [n, 512], "seed": 2}]
                if source == "e4m3" else
                [integers("uint8", 0x7B, m, 512), integers("uint8", 0x7B, n, 512, seed=2)]
            )  # fmt: skip
            found.append(
                Kernel(
                    "matmul", "scaled_matmul", types,
                    {"TILE_M": 128, "TILE_N": 64, "TILE_K": 128}, (4, 8),
                    [*made, zeros("float32" if out == "fp32" else "uint16", m, n),
                     floats("float32", m, scale=0.01), floats("float32", n, seed=2, scale=0.01),
                     value(m), value(n), value(512)], [2], archs=(90,),
                    name=f"scaled_matmul_{kind}_{out}", aligned=(*sizes,),
                )
            )  # fmt: skip
    return found


def compiled(kernel: Kernel, arch: int) -> Any:
    """What Triton makes of a kernel for an architecture."""
    import triton  # noqa: PLC0415 - an extra
    from triton.backends.compiler import GPUTarget  # noqa: PLC0415 - only where a corpus is built
    from triton.compiler import ASTSource  # noqa: PLC0415 - only where a corpus is built

    path = FILES[kernel.file]
    spec = importlib.util.spec_from_file_location(f"corpus_{kernel.file}", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    signature = {**kernel.types, **dict.fromkeys(kernel.constants, "constexpr")}
    place = {name: index for index, name in enumerate(signature)}
    aligned = [name for name, kind in kernel.types.items() if kind.startswith("*")]
    source = ASTSource(
        vars(module)[kernel.function],
        signature,
        {(place[name],): each for name, each in kernel.constants.items()},
        {(place[name],): [["tt.divisibility", 16]] for name in (*aligned, *kernel.aligned)},
    )
    return triton.compile(
        source,
        target=GPUTarget("cuda", arch, 32),
        options={
            "num_warps": kernel.warps,
            "num_stages": kernel.stages,
            # What a ptxas of CUDA 12.8 still reads.
            "ptx_version": 87,
        },
    )


def _toml(launch: Described) -> str:
    lines = ["[[launch]]"]
    for key, each in launch.items():
        lines.append(f"{key} = {_inline(each)}")
    return "\n".join(lines) + "\n"


def _inline(each: Any) -> str:
    if isinstance(each, dict):
        return "{ " + ", ".join(f"{key} = {_inline(item)}" for key, item in each.items()) + " }"
    if isinstance(each, list):
        return "[" + ", ".join(map(_inline, each)) + "]"
    return json.dumps(each)


def _with_maps(kernel: Kernel, metadata: Any) -> list[Described]:
    """The arguments, where a tensor descriptor is a map, its sizes and its strides."""
    metas = iter(metadata.tensordesc_meta or ())
    found: list[Described] = []
    for kind, argument in zip(kernel.types.values(), kernel.arguments, strict=True):
        if not kind.startswith("tensordesc"):
            found.append(argument)
            continue
        meta, shape = next(metas), argument["shape"]
        found.append(argument | {"box": meta["block_size"], "swizzle": 16 << meta["swizzle"]})
        strides = [math.prod(shape[at + 1 :]) for at in range(len(shape))]
        found += [value(each) for each in (*shape, *strides)]
    return found


def write_kernel(folder: Path, kernel: Kernel, arch: int) -> None:
    """Writes a kernel with its launch."""
    built = compiled(kernel, arch)
    name = f"{kernel.name or kernel.function.strip('_')}_sm{arch}"
    blocks = 1
    for each in kernel.grid:
        blocks *= each
    scratch = built.metadata.global_scratch_size * blocks
    params = built.asm["ptx"].split(".visible .entry", 1)[1].split(")", 1)[0].count(".param")
    arguments = _with_maps(kernel, built.metadata)
    if params > len(arguments):
        arguments.append(zeros("uint8", scratch) if scratch else {"make": "null"})
    arguments += [{"make": "null"}] * (params - len(arguments))
    launch = {
        "entry": kernel.function,
        "grid": list(kernel.grid),
        "block": [built.metadata.num_warps * 32],
        "shared": built.metadata.shared,
        "arguments": arguments,
        "results": kernel.results,
    }
    (folder / f"{name}.ptx").write_text(built.asm["ptx"], encoding="utf-8")
    (folder / f"{name}.toml").write_text(_toml(launch), encoding="utf-8")


def write_probe(folder: Path, probe: matrix_probes.Probe) -> None:
    """Writes a kernel of one matrix instruction, with its operands."""
    blocks = 200 if probe.warpgroup else 1000
    if probe.d == "f64":
        blocks = 100
    seed = sum(map(ord, probe.name)) * 10
    sizes = (probe.m * probe.k, probe.k * probe.n, probe.m * probe.n)
    made: list[Described] = [
        {"make": "mixed", "type": kind, "shape": [blocks, size], "seed": seed + at}
        for at, (kind, size) in enumerate(zip((probe.a, probe.b, probe.d), sizes, strict=True))
    ]
    bits = WIDTHS[probe.d]
    made.append(zeros(f"uint{bits}", blocks, sizes[2]))
    launch = {
        "entry": probe.name,
        "grid": [blocks],
        "block": [probe.threads],
        "arguments": made,
        "results": [3],
    }
    (folder / f"{probe.name}.ptx").write_text(matrix_probes.ptx(probe), encoding="utf-8")
    (folder / f"{probe.name}.toml").write_text(_toml(launch), encoding="utf-8")


def write_single(folder: Path, name: str, text: str, launch: Described) -> None:
    """Writes a kernel that was not compiled, with its launch."""
    (folder / f"{name}.ptx").write_text(text, encoding="utf-8")
    (folder / f"{name}.toml").write_text(_toml(launch), encoding="utf-8")


def write_singles(folder: Path) -> None:
    """Writes all kernels of one instruction."""
    for probe in matrix_probes.PROBES:
        write_probe(folder, probe)
    for copied in copy_probes.PROBES:
        write_single(folder, copied.name, copy_probes.ptx(copied), copy_probes.launch(copied))
    for bulk in copy_probes.BULK:
        write_single(folder, bulk.name, copy_probes.bulk_ptx(bulk), copy_probes.bulk_launch(bulk))
    for multiplied in wmma_probes.PROBES:
        text, launch = wmma_probes.ptx(multiplied), wmma_probes.launch(multiplied, 500)
        write_single(folder, multiplied.name, text, launch)
    for unit in unit_probes.PROBES:
        write_single(folder, unit.name, unit_probes.ptx(unit), unit_probes.launch(unit))
    for name in order_probes.PROBES:
        write_single(folder, name, order_probes.ptx(name), order_probes.launch(name))


def main() -> None:
    """Writes all."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for kernel in kernels():
        for arch in kernel.archs:
            write_kernel(folder, kernel, arch)
            print(kernel.name or kernel.function, arch, flush=True)
    write_singles(folder)


if __name__ == "__main__":
    main()
