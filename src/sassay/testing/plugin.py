"""The pytest plugin: the fixtures `lowering` and `parity`, and the option `--sassay-update`.

Only pytest and the standard library are imported here: a test run that compiles no kernel does not
notice that the plugin is installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.testing.lowering import Lowering
    from sassay.testing.parity import Parity
    from sassay.testing.workshop import Workshop

_FOLDER = "__lowering__"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--sassay-update`."""
    group = parser.getgroup("sassay", "what kernels became after lowering")
    group.addoption(
        "--sassay-update",
        action="store_true",
        default=False,
        help="write the snapshots of lowered kernels instead of comparing with them",
    )


@pytest.fixture(scope="session")
def _sassay_workshop(request: pytest.FixtureRequest) -> Iterator[Workshop]:
    """Compiler cache, code store and disassembler of one test run."""
    from sassay.testing.workshop import Workshop  # noqa: PLC0415 - heavy, and rarely needed

    cache = getattr(request.config, "cache", None)
    folder = Path(cache.mkdir("sassay")) if cache is not None else None
    with Workshop(folder) as workshop:
        yield workshop


@pytest.fixture
def lowering(request: pytest.FixtureRequest, _sassay_workshop: Workshop) -> Lowering:
    """Compiles Triton kernels, without a GPU, into something to assert on."""
    from sassay.testing.lowering import Lowering  # noqa: PLC0415 - heavy, and rarely needed

    test = Path(str(request.node.path))
    return Lowering(
        _sassay_workshop,
        snapshots=test.parent / _FOLDER / test.stem,
        test=request.node.name,
        update=request.config.getoption("--sassay-update"),
    )


@pytest.fixture
def parity(request: pytest.FixtureRequest) -> Parity:
    """Judges parity contracts; fails the test with their report unless they hold."""
    from sassay.testing.parity import parity_of  # noqa: PLC0415 - only where a test asks

    return parity_of(Path(str(request.node.path)).parent)
