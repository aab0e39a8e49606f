"""The special function unit against what an H100 gave: sums of results of whole exponents."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from sassay.machine.approximate.forms import divide, double, unary
from sassay.machine.approximate.models import MODELS
from sassay.machine.approximate.upper import UPPER
from sassay.machine.errors import MissingForm
from sassay.machine.numeric import resolve

CRC = {
    ("rcp", 1): 0x6A47FC37,
    ("rcp", 130): 0x6C501C2F,
    ("rsqrt", 64): 0x908C6908,
    ("rsqrt", 129): 0xAC805544,
    ("sqrt", 63): 0x67C119D5,
    ("sqrt", 200): 0xF14F8A8B,
    ("ex2", 126): 0x2746C468,
    ("ex2", 385): 0xDBE4061C,
    ("lg2", 130): 0xAC6061FA,
    ("lg2", 120): 0x2DC9495F,
    ("sin", 128): 0x1B4C5A9A,
    ("sin", 391): 0x27F2FA21,
    ("cos", 121): 0x0A486A03,
    ("cos", 147): 0x5582CCCD,
    ("tanh", 119): 0xC742A556,
    ("tanh", 384): 0x934AB08B,
    ("rcp64", 255): 0x90B5D856,
    ("rcp64", 383): 0x8EE9BB73,
    ("rsqrt64", 0): 0x0A073946,
    ("rsqrt64", 200): 0xD7D038F2,
}
"""By function, and the upper nine bits: of the words of all 2^23 others."""

SPECIAL = np.array([0.0, -0.0, 1e-40, -1e-40, np.inf, -np.inf, np.nan, -1.0, 1.0], np.float32)


@pytest.mark.parametrize(("form", "block"), list(CRC))
def test_all_fractions_of_an_exponent(form: str, block: int) -> None:
    words = np.arange(1 << 23, dtype=np.uint32) + np.uint32(block << 23)
    with np.errstate(all="ignore"):
        found = UPPER[form](words) if form in UPPER else MODELS[form](words.view(np.float32))
    assert zlib.crc32(found.tobytes()) == CRC[form, block]


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        ("rcp", ["inf", "-inf", "inf", "-inf", "0", "-0", "nan", "-1", "1"]),
        ("rsqrt", ["inf", "-inf", "inf", "-inf", "0", "nan", "nan", "nan", "1"]),
        ("sqrt", ["0", "-0", "0", "-0", "inf", "nan", "nan", "nan", "1"]),
        ("ex2", ["1", "1", "1", "1", "inf", "0", "nan", "0.5", "2"]),
        ("lg2", ["-inf", "-inf", "-inf", "-inf", "inf", "nan", "nan", "nan", "0"]),
        ("sin", ["0", "-0", "0", "-0", "nan", "nan", "nan", "-0.84147098", "0.84147098"]),
        ("cos", ["1", "1", "1", "1", "nan", "nan", "nan", "0.54030231", "0.54030231"]),
        ("tanh", ["0", "-0", "1e-40", "-1e-40", "1", "-1", "nan", "-0.7615942", "0.7615942"]),
    ],
)
def test_special_values(form: str, wanted: list[str]) -> None:
    with np.errstate(all="ignore"):
        found = MODELS[form](SPECIAL)
    exact = np.array([float(each) for each in wanted], np.float32)
    np.testing.assert_allclose(found, exact, rtol=1e-5 if form in {"sin", "cos", "tanh"} else 0)
    assert (np.signbit(found) == [each.startswith("-") for each in wanted])[~np.isnan(found)].all()


def test_forms_with_subnormals_scale_them() -> None:
    tiny = np.array([2.0**-140, 3 * 2.0**-130], np.float32)
    for form in ("rcp", "rsqrt", "sqrt", "lg2"):
        run = unary(form, ftz=False)
        wide = tiny.astype(np.float64)
        exact = {"rcp": 1 / wide, "rsqrt": wide**-0.5, "sqrt": wide**0.5, "lg2": np.log2(wide)}
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(run(tiny), exact[form].astype(np.float32), rtol=3e-7)
    small = unary("ex2", ftz=False)
    np.testing.assert_allclose(small(np.array([-140.5], np.float32)), [2.0**-140.5], rtol=1e-2)


def test_quotients_near_the_ends_of_the_range() -> None:
    a, b = np.array([3e38, 1e-38], np.float32), np.array([2.5e38, 3e-39], np.float32)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(divide("full", ftz=False)(a, b), [1.2, 10 / 3], rtol=1e-6)
        assert divide("approx", ftz=True)(a, b)[0] == 0


def test_roots_of_doubles_are_refined() -> None:
    """`rsqrt.approx.f64`, which ptxas makes of the unit and five operations."""
    run = double("rsqrt", ftz=False)
    assert run is not None
    random = np.random.default_rng(5)
    wide = np.exp2(random.integers(-1060, 1000, 20000).astype(np.float64)) * random.random(20000)
    with np.errstate(all="ignore"):
        found = run(wide[None, :])[0]
        steps = found.view(np.int64) - (1 / np.sqrt(wide)).view(np.int64)
        special = run(np.array([[0.0, -0.0, np.inf, -np.inf, -1e-310, np.nan]]))[0]
    assert np.abs(steps).max() <= 1
    assert (steps != 0).any()
    np.testing.assert_array_equal(special, [np.inf, -np.inf, 0, np.nan, np.nan, np.nan])


def test_labels_depend_on_the_gpu() -> None:
    for form in ("rcp.approx.ftz.f32", "sin.approx.f32", "rsqrt.approx.f64", "tanh.approx.bf16x2"):
        assert (resolve(form, 1).label, resolve(form, 1).measured) == ("modelled", "h100")


@pytest.mark.parametrize("form", ["ex2.approx.ftz.f16", "tanh.approx.ftz.f32", "rcp.approx.f64"])
def test_forms_that_ptx_has_not(form: str) -> None:
    with pytest.raises(MissingForm):
        resolve(form, 1)
