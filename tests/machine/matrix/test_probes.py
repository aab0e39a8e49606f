"""Every matrix instruction as PTX against what an H100 gave for the same operands.

The sums are of the first sixty warps or warpgroups of `bench.hardware.matrix_probes`, measured by
`bench.hardware.measure_special`.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from bench.hardware.matrix_probes import PROBES, Probe, operands, ptx

from sassay.machine import Launch, load_program, run

BLOCKS = 60
MEASURED = {
    "mma_m16n8k16_f32_f16_f16": "60754525f7a4f9f3",
    "mma_m16n8k16_f32_bf16_bf16": "5a886fe295e3582b",
    "mma_m16n8k16_f16_f16_f16": "002a0a9d07c0cb51",
    "mma_m16n8k8_f32_f16_f16": "3139a87bc5a7e440",
    "mma_m16n8k8_f32_bf16_bf16": "a01c5e8b1546ca1e",
    "mma_m16n8k8_f16_f16_f16": "a6f8e205024d6a35",
    "mma_m16n8k8_f32_tf32_tf32": "34a1a517915f897c",
    "mma_m16n8k4_f32_tf32_tf32": "66e942033757f884",
    "mma_m16n8k32_f32_e4m3_e4m3": "77cab36376fae870",
    "mma_m16n8k32_f32_e4m3_e5m2": "a9c6a8d1e4258e8b",
    "mma_m16n8k32_f32_e5m2_e4m3": "4d35bc24d7a9bb1f",
    "mma_m16n8k32_f32_e5m2_e5m2": "7666187280d3a69d",
    "mma_m8n8k4_f64_f64_f64": "045d8962ce5a150d",
    "mma_m16n8k4_f64_f64_f64": "8e8ac2be4b196179",
    "mma_m16n8k8_f64_f64_f64": "002d994f4d3b58b1",
    "mma_m16n8k16_f64_f64_f64": "dbe5de5da1357be6",
    "mma_m16n8k16_s32_s8_s8": "bdd9e5e2561eb8e6",
    "mma_m16n8k16_s32_u8_s8": "d581f7cba3243220",
    "mma_m16n8k32_s32_s8_s8": "07c0921b9b07d900",
    "mma_m16n8k32_s32_u8_s8": "56638bcdb28e7e8c",
    "wgmma_m64n16k16_f32_f16_f16": "45546e0d596986ed",
    "wgmma_m64n16k16_f32_bf16_bf16": "c60e02dd6e613c95",
    "wgmma_m64n16k16_f16_f16_f16": "29ca43c3da6ab09e",
    "wgmma_m64n16k8_f32_tf32_tf32": "a99c634023a5d5e6",
    "wgmma_m64n16k32_f32_e4m3_e4m3": "553cc69fc609086a",
    "wgmma_m64n16k32_f32_e4m3_e5m2": "2ef58b70ab951eba",
    "wgmma_m64n16k32_f32_e5m2_e4m3": "26e22b61115f0f01",
    "wgmma_m64n16k32_f32_e5m2_e5m2": "fccb7bc24e973f2c",
    "wgmma_m64n16k32_f16_e4m3_e4m3": "3d9ba67b355f4d3a",
    "wgmma_m64n16k32_s32_s8_s8": "b277a6d2685b6039",
}


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_words_of_an_h100(probe: Probe) -> None:
    measured = 200 if probe.warpgroup else 1000
    arrays = [each[:BLOCKS].copy() for each in operands(probe, measured)]
    program = load_program(ptx(probe), gpu="h100")
    result = run(program, Launch(BLOCKS, probe.threads, arrays))
    assert result.trap is None, str(result.trap)
    assert result.label == ("exact" if probe.d == "s32" else "modelled")
    found = result.arrays[3]
    assert found is not None
    if probe.d == "f64":
        # Which NaN a double is, is left open.
        found[np.isnan(found.view(np.float64))] = 0x7FF8000000000000
    assert hashlib.sha256(found.tobytes()).hexdigest()[:16] == MEASURED[probe.name]
