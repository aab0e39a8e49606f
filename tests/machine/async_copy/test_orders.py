"""Arrivals of copies at an mbarrier, barriers of clusters of one block, and bulk reductions."""

from __future__ import annotations

import numpy as np
import pytest
from bench.hardware import copy_probes, order_probes

from sassay.machine import Launch, Result, UnsupportedInstruction, load_program, run
from sassay.machine.hardware.cases import make

_TRY = "mbarrier.try_wait.parity.shared.b64 %p1, [%r10], 0;"


def _run(name: str, before: str = "", after: str = "") -> Result:
    text = order_probes.ptx(name)
    assert before in text
    described = order_probes.launch(name)
    arguments = [make(each) for each in described["arguments"]]
    program = load_program(text.replace(before, after) if before else text)
    return run(program, Launch(described["grid"], described["block"], arguments))


@pytest.mark.parametrize("name", order_probes.PROBES)
def test_blocks_turn_their_chunks_round(name: str) -> None:
    result = _run(name)
    assert result.trap is None, str(result.trap)
    x, out = result.arrays
    assert x is not None
    assert out is not None
    shape = (order_probes.BLOCKS, order_probes.THREADS, 4)
    np.testing.assert_array_equal(out.reshape(shape), x.reshape(shape)[:, ::-1])


@pytest.mark.parametrize(
    ("name", "before", "after", "kind"),
    [
        # Nothing counts the arrivals of copies twice, or for other threads' copies.
        ("cp_async_arrive_noinc", ", 128;\n    bar", ", 129;\n    bar", "deadlock"),
        ("cp_async_arrive_noinc", ".arrive.noinc", ".arrive", "deadlock"),
        ("cp_async_arrive", "async.mbarrier.arrive", "async.mbarrier.arrive.noinc", "in-flight"),
        ("cp_async_arrive_noinc", _TRY, "setp.eq.u32 %p1, 0, 0;", "in-flight"),
        ("cluster_barrier", "barrier.cluster.arrive;", "", "barrier"),
        ("cluster_barrier", "barrier.cluster.wait;", "barrier.cluster.arrive;", "barrier"),
    ],
)
def test_planted_bugs(name: str, before: str, after: str, kind: str) -> None:
    result = _run(name, before, after)
    assert result.trap is not None
    assert result.trap.kind == kind, str(result.trap)


_REFERENCES = {
    "add": np.add, "min": np.minimum, "max": np.maximum, "and": np.bitwise_and,
    "or": np.bitwise_or, "xor": np.bitwise_xor,
}  # fmt: skip


@pytest.mark.parametrize("probe", copy_probes.BULK, ids=lambda probe: probe.name)
def test_bulk_reductions(probe: copy_probes.BulkProbe) -> None:
    described = copy_probes.bulk_launch(probe)
    x, out = (make(each) for each in described["arguments"])
    program = load_program(copy_probes.bulk_ptx(probe))
    result = run(program, Launch(described["grid"], described["block"], [x, out]))
    assert result.trap is None, str(result.trap)
    assert result.label == ("modelled" if "f" in probe.kind else "exact")
    found = result.arrays[1]
    assert found is not None
    if probe.how in {"inc", "dec"}:
        more = np.where(out >= x, 0, out + np.uint32(1))
        less = np.where((out == 0) | (out > x), x, out - np.uint32(1))
        np.testing.assert_array_equal(found, more if probe.how == "inc" else less)
    elif probe.kind != "bf16":
        dtype = f"f{int(probe.kind[1:]) // 8}" if "f" in probe.kind else x.dtype
        a, b = x.view(dtype), out.view(dtype)
        with np.errstate(all="ignore"):
            wanted = _REFERENCES[probe.how](b, a)
            fair = np.isfinite(wanted) if "f" in probe.kind else np.ones(wanted.shape, np.bool_)
        np.testing.assert_array_equal(found.view(dtype)[fair], wanted[fair])


def test_reductions_that_ptx_has_not() -> None:
    text = copy_probes.bulk_ptx(copy_probes.BulkProbe("add", "f32"))
    for form in ("min.f32", "xor.f16", "inc.u64"):
        with pytest.raises(UnsupportedInstruction, match=r"cp\.reduce"):
            load_program(text.replace("add.f32", form))
