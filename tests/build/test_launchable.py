from __future__ import annotations

import msgspec
import pytest

from sassay.build import launch_warnings
from sassay.model.artifact import SourceLocation
from sassay.model.kernel import Kernel, Launch, Resources, Specialization
from sassay.model.layers import Layered


def kernel(arch: str, shared: int | None) -> Kernel:
    return Kernel(
        id="0" * 12,
        name="k",
        symbol="k",
        family="k",
        specialization=Specialization(),
        arch=arch,
        sources=(),
        launch=Launch(),
        resources=Resources(shared_bytes=shared),
        code_bytes=None,
        digest="",
        instructions=Layered(),
        categories=Layered(),
        location=SourceLocation("a.py", 3),
    )


@pytest.mark.parametrize(
    ("arch", "most"),
    [("sm_75", 65536), ("sm_80", 166912), ("sm_90a", 232448), ("sm_120a", 101376)],
)
def test_a_kernel_that_no_gpu_can_launch_is_warned_of(arch: str, most: int) -> None:
    assert launch_warnings([kernel(arch, most), kernel(arch, None)]) == ()
    (warning,) = launch_warnings([kernel(arch, most + 1)])
    assert (warning.level.value, warning.place) == ("warning", "a.py: line 3")
    assert warning.message == (
        f"k {arch}: asks for {most + 1} bytes of shared memory, "
        f"a block can have {most}: it would not launch"
    )


def test_an_architecture_without_a_known_bound_is_passed_over() -> None:
    assert launch_warnings([kernel("sm_999", 1 << 40)]) == ()
    bare = msgspec.structs.replace(kernel("sm_90", 1 << 20), location=None)
    assert launch_warnings([bare])[0].place == "k"
