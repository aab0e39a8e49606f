"""Probes: rates and intervals, what rows do, and a planted difference made small."""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sassay.errors import ContractError
from sassay.machine.parity import Chooser, Sides
from sassay.machine.parity.formats import FORMATS, values_of
from sassay.machine.probe import load_probe, run_probe
from sassay.machine.probe.compare import Chosen, Counts
from sassay.machine.probe.rows import rows_of
from sassay.machine.probe.spec import KINDS
from sassay.machine.probe.stats import rate
from sassay.model.finding import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from sassay.model.parity import ProbeReport

PROBE = """\
name = "choice"
rows = 600
chunk = 250
input = "logits"
ids = "ids"
weights = "weights"
{more}
[dims]
E = 16
K = 3
[buffers]
logits = {{ type = "fp32", shape = ["rows", "E"] }}
ids = {{ type = "i32", shape = ["rows", "K"], fill = "poison" }}
weights = {{ type = "fp32", shape = ["rows", "K"], fill = "poison" }}
[left]
python = "r.py:best"
[right]
python = "r.py:{right}"
"""


def best(logits: np.ndarray, **_: object) -> dict[str, np.ndarray]:
    """The three largest, ties by the lower id."""
    ids = np.argsort(-logits, axis=1, kind="stable")[:, :3]
    return {"ids": ids, "weights": np.take_along_axis(logits, ids, axis=1)}


def rounded(logits: np.ndarray, **_: object) -> dict[str, np.ndarray]:
    """The same after rounding, so that values which were close tie."""
    found = best(np.round(logits * 4) / 4)
    return {"ids": found["ids"], "weights": np.take_along_axis(logits, found["ids"], axis=1)}


def backwards(logits: np.ndarray, **_: object) -> dict[str, np.ndarray]:
    """The same choice in another order, one weight a little larger."""
    found = best(logits)
    weights = found["weights"][:, ::-1].copy()
    weights[0, 0] += 0.5
    return {"ids": found["ids"][:, ::-1], "weights": weights}


def probe(folder: Path, right: str, more: str = "", **change: int) -> ProbeReport:
    """What a probe of two functions finds."""
    (folder / "p.toml").write_text(PROBE.format(right=right, more=more))
    functions = {f"r.py:{each.__name__}": each for each in (best, rounded, backwards)}
    del change
    return run_probe(load_probe(folder / "p.toml"), Sides(Chooser(lambda *_: ()), functions))


def test_a_planted_rounding_flips_and_is_made_small(tmp_path: Path) -> None:
    report = probe(tmp_path, "rounded", "[bounds]\nexpert_flips = 0.001")
    whole = report.kinds[-1]
    assert [each.kind for each in report.kinds] == [*KINDS, "all"]
    assert sum(each.rows for each in report.kinds[:-1]) == whole.rows == 600
    assert whole.set_disagreement.count > 0
    assert whole.expert_flips.count >= whole.set_disagreement.count
    assert whole.expert_flips.trials == 3 * 600
    assert report.verdict is Verdict.FAIL
    assert report.broken[0].startswith("expert flips is")
    assert report.flip is not None
    assert 1 <= len(report.flip.values) <= 4
    assert set(report.flip.left) != set(report.flip.right)


def test_order_and_weights_are_told_from_sets(tmp_path: Path) -> None:
    report = probe(tmp_path, "backwards")
    whole = report.kinds[-1]
    assert whole.set_disagreement.count == 0
    assert whole.order_disagreement.count == whole.order_disagreement.trials == 600
    assert 1 <= whole.weight_bits.count <= 6  # one row a chunk
    assert whole.largest_weight_difference == pytest.approx(0.5)
    assert report.flip is None
    assert report.verdict is Verdict.PASS


def test_equal_reports_for_equal_seeds(tmp_path: Path) -> None:
    assert probe(tmp_path, "rounded") == probe(tmp_path, "rounded")
    assert probe(tmp_path, "rounded") != probe(tmp_path, "rounded", "seed = 1")


def test_counts() -> None:
    left = Chosen(np.array([[1, 2], [3, 4], [5, 6]]), None, None)
    right = Chosen(np.array([[2, 1], [3, 9], [7, 8]]), None, None)
    counts = Counts()
    assert counts.add(left, right, 0).tolist() == [False, True, True]
    assert (counts.sets, counts.orders, counts.flips, counts.choices) == (2, 1, 3, 6)


@pytest.mark.parametrize(("count", "trials"), [(0, 10), (3, 10), (10, 10), (1, 400), (399, 400)])
def test_intervals_are_those_of_clopper_and_pearson(count: int, trials: int) -> None:
    """By their definition: each end leaves a tail of 2.5% on its side."""

    def below(p: float, most: int) -> float:
        return sum(comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(most + 1))

    found = rate(count, trials)
    assert found.low <= count / trials <= found.high
    if count:
        assert 1 - below(found.low, count - 1) == pytest.approx(0.025, rel=1e-6)
    else:
        assert found.low == 0
    if count < trials:
        assert below(found.high, count) == pytest.approx(0.025, rel=1e-6)
    else:
        assert found.high == 1


def test_an_interval_of_many_rows() -> None:
    found = rate(0, 819_200)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 819_200), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["bf16", "fp32"])
def test_rows(kind: str, name: str) -> None:
    form = FORMATS[name]
    values = values_of(rows_of(np.random.default_rng(0), kind, (50, 64), form), form)
    assert np.isfinite(values).all()
    distinct = [len(set(row)) for row in values.tolist()]
    expected = {"constant": (1, 1), "ties": (2, 6), "near-ties": (2, 10)}
    low, high = expected.get(kind, (30, 64))
    assert min(distinct) >= low
    assert max(distinct) <= high


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('input = "logits"', 'input = "logit"', "line 4, input: unknown input 'logit'"),
        (
            '"rows", "K"], fill = "poison" }\nw',
            '"K", "rows"] , fill = "poison" }\nw',
            "line 5, ids",
        ),
        ("E = 16", "E = [16, 32]", "line 9, dims.E"),
        ("rows = 600", "rows = 0", "line 2, rows"),
        ('name = "choice"', 'kinds = ["normal", "tie"]', "line 1, kinds: unknown kind 'tie'"),
    ],
)
def test_a_wrong_file_is_refused_by_line_and_key(
    old: str, new: str, words: str, tmp_path: Path
) -> None:
    text = PROBE.format(right="best", more="")
    assert old in text
    (tmp_path / "p.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(ContractError) as raised:
        load_probe(tmp_path / "p.toml")
    assert words in str(raised.value)
