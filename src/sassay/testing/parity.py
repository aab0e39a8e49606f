"""Parity contracts and probes from Python and in pytest.

In Python:

    from sassay.testing.parity import check_parity, run_probe

    report = check_parity("contracts.toml", run_python=True)
    assert report.verdict == "PASS"

In a test:

    def test_batched_kernels(parity):
        parity("contracts.toml")                      # fails with the report if one is broken
        parity("contracts.toml", contract="rmsnorm")
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sassay.model.parity import ParityReport, ProbeReport

_WIDTH = 100


class Parity(Protocol):
    """The `parity` fixture."""

    def __call__(
        self,
        path: Path | str,
        *,
        contract: str | None = None,
        run_python: bool = False,
        allow_unknown: bool = False,
    ) -> ParityReport:
        """Judges contracts; fails the test unless they hold.

        Args:
            path: The contract file, relative to the test's file.
            contract: Only the contract of that name.
            run_python: Run the Python references that contracts name.
            allow_unknown: What could not be judged does not fail.
        """
        ...


def check_parity(
    path: Path | str, *, contract: str | None = None, run_python: bool = False
) -> ParityReport:
    """Judges the contracts of a file.

    Args:
        path: The contract file.
        contract: Only the contract of that name.
        run_python: Run the Python references that contracts name: code of their own.

    Raises:
        SassayError: The file is wrong, or what it names cannot be read.
    """
    from sassay.cli.parity import check_file  # noqa: PLC0415 - loaded when used

    names = (contract,) if contract is not None else ()
    return check_file(Path(path), names=names, run_python=run_python, quiet=True)


def run_probe(
    path: Path | str, *, rows: int | None = None, seed: int | None = None, run_python: bool = False
) -> ProbeReport:
    """Runs a probe file.

    Args:
        path: The file.
        rows: Rows of all kinds together; None: the file's own.
        seed: Of the rows; None: the file's own.
        run_python: Run the Python references that it names.

    Raises:
        SassayError: The file is wrong, or what it names cannot be read or run.
    """
    from sassay.cli.probe import probe_file  # noqa: PLC0415 - loaded when used

    return probe_file(Path(path), rows=rows, seed=seed, run_python=run_python, quiet=True)


def parity_words(report: ParityReport) -> str:
    """A report as the command line prints it.

    Args:
        report: What was found.
    """
    from sassay.report.terminal.parity import parity_text  # noqa: PLC0415 - loaded when used

    return parity_text(report, width=_WIDTH, color=False)


def parity_of(folder: Path) -> Parity:
    """What the fixture `parity` gives.

    Args:
        folder: Paths of contracts are relative to it.
    """

    def judge(
        path: Path | str,
        *,
        contract: str | None = None,
        run_python: bool = False,
        allow_unknown: bool = False,
    ) -> ParityReport:
        import pytest  # noqa: PLC0415 - only where pytest runs

        report = check_parity(folder / path, contract=contract, run_python=run_python)
        held = {"PASS", "UNKNOWN"} if allow_unknown else {"PASS"}
        if report.verdict.value not in held:
            pytest.fail(parity_words(report), pytrace=False)
        return report

    return judge
