"""Measures matrix kernels on the PTX machine, by numbers and by expressions: products, attention.

Run `python -m bench.matrix` in a checkout with Triton. Seconds of processor time, since other
programs of the computer do not count.
"""

from __future__ import annotations

import resource
import statistics
import time
from dataclasses import replace

import numpy as np

from bench.hardware import build_corpus
from bench.hardware.build_corpus import bf16, value, zeros
from sassay.machine import Launch, load_program, run
from sassay.machine.hardware.cases import make
from sassay.machine.symbolic import run_symbolic

ROUNDS = 3


def workloads() -> list[tuple[str, build_corpus.Kernel, int]]:
    """Name, kernel and architecture."""
    named = {each.name or each.function: each for each in build_corpus.kernels()}
    size = 512
    product = replace(
        named["matmul_bf16"],
        arguments=[
            bf16(size, size),
            bf16(size, size, seed=2),
            zeros("uint16", size, size),
            *[value(size)] * 6,
        ],
    )
    size = 64
    small = replace(
        product,
        constants={"TILE_M": size, "TILE_N": size, "TILE_K": 32},
        grid=(1, 1),
        arguments=[
            bf16(size, size),
            bf16(size, size, seed=2),
            zeros("uint16", size, size),
            *[value(size)] * 6,
        ],
    )
    attention = replace(
        named["_prefill_attention_kernel"],
        constants={"GROUP": 1, "DIM": 64, "TILE_M": 64, "TILE_N": 64},
        grid=(16, 1),
        arguments=[
            *(bf16(1024, 64, seed=seed) for seed in (1, 2, 3)),
            zeros("uint16", 1024, 64),
            value(1024),
            value(64),
            value(64),
            value(0.125),
        ],
    )
    return [
        ("64-cubed bf16, one tile, mma (sm_80)", small, 80),
        ("64-cubed bf16, one tile, wgmma (sm_90)", small, 90),
        ("512-cubed bf16, mma (sm_80)", product, 80),
        ("512-cubed bf16, wgmma (sm_90)", product, 90),
        ("512-cubed bf16, wgmma and tensor copies", named["matmul_descriptors"], 90),
        ("the same, warps with roles", named["matmul_descriptors_specialized"], 90),
        ("attention 1024 x 64, causal, mma (sm_80)", attention, 80),
        ("attention 1024 x 64, causal, wgmma (sm_90)", attention, 90),
    ]


def main() -> None:
    """Prints a line for each workload."""
    for name, kernel, arch in workloads():
        built = build_corpus.compiled(kernel, arch)
        program = load_program(built.asm["ptx"])
        arguments = [make(each) for each in kernel.arguments]
        blocks = int(np.prod(kernel.grid))
        scratch = np.zeros(max(built.metadata.global_scratch_size * blocks, 16), np.uint8)
        more = [scratch, None][: len(program.params) - len(arguments)]
        launch = Launch(
            kernel.grid,
            built.metadata.num_warps * 32,
            [*arguments, *more],
            shared=built.metadata.shared,
        )
        taken = []
        for _ in range(ROUNDS):
            started = time.process_time()
            result = run(program, launch)
            taken.append(time.process_time() - started)
            if result.trap is not None:
                raise SystemExit(str(result.trap))
        started = time.process_time()
        proof = run_symbolic(program, launch)
        symbolic = time.process_time() - started
        if proof.trap is not None:
            raise SystemExit(str(proof.trap))
        print(f"{name}: {statistics.median(taken):.2f} s, on symbols {symbolic:.2f} s", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak {peak:.0f} MB")


if __name__ == "__main__":
    main()
