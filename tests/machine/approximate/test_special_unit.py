"""The special function unit against what an H100 gave: sums of results of whole exponents."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from sassay.machine.approximate.forms import divide, unary
from sassay.machine.approximate.models import MODELS
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
}
"""By function, and sign and exponent: of the words of all 2^23 fractions."""

SPECIAL = np.array([0.0, -0.0, 1e-40, -1e-40, np.inf, -np.inf, np.nan, -1.0, 1.0], np.float32)


@pytest.mark.parametrize(("form", "block"), list(CRC))
def test_all_fractions_of_an_exponent(form: str, block: int) -> None:
    words = np.arange(1 << 23, dtype=np.uint32) + np.uint32(block << 23)
    with np.errstate(all="ignore"):
        found = MODELS[form](words.view(np.float32))
    assert zlib.crc32(found.tobytes()) == CRC[form, block]


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        ("rcp", ["inf", "-inf", "inf", "-inf", "0", "-0", "nan", "-1", "1"]),
        ("rsqrt", ["inf", "-inf", "inf", "-inf", "0", "nan", "nan", "nan", "1"]),
        ("sqrt", ["0", "-0", "0", "-0", "inf", "nan", "nan", "nan", "1"]),
        ("ex2", ["1", "1", "1", "1", "inf", "0", "nan", "0.5", "2"]),
        ("lg2", ["-inf", "-inf", "-inf", "-inf", "inf", "nan", "nan", "nan", "0"]),
    ],
)
def test_special_values(form: str, wanted: list[str]) -> None:
    with np.errstate(all="ignore"):
        found = MODELS[form](SPECIAL)
    np.testing.assert_array_equal(found, np.array([float(each) for each in wanted], np.float32))
    assert (np.signbit(found) == [each.startswith("-") for each in wanted])[~np.isnan(found)].all()


def test_forms_with_subnormals_scale_them() -> None:
    tiny = np.array([2.0**-140, 3 * 2.0**-130], np.float32)
    for form in ("rcp", "rsqrt", "sqrt", "lg2"):
        run = unary(form, ftz=False)
        assert run is not None
        wide = tiny.astype(np.float64)
        exact = {"rcp": 1 / wide, "rsqrt": wide**-0.5, "sqrt": wide**0.5, "lg2": np.log2(wide)}
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(run(tiny), exact[form].astype(np.float32), rtol=3e-7)
    small = unary("ex2", ftz=False)
    assert small is not None
    np.testing.assert_allclose(small(np.array([-140.5], np.float32)), [2.0**-140.5], rtol=1e-2)


def test_quotients_near_the_ends_of_the_range() -> None:
    a, b = np.array([3e38, 1e-38], np.float32), np.array([2.5e38, 3e-39], np.float32)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(divide("full", ftz=False)(a, b), [1.2, 10 / 3], rtol=1e-6)
        assert divide("approx", ftz=True)(a, b)[0] == 0


def test_labels_depend_on_the_gpu() -> None:
    assert resolve("rcp.approx.ftz.f32", 1).label == "modelled"
    assert resolve("rcp.approx.ftz.f32", 1).measured == "h100"
    assert resolve("sin.approx.f32", 1).label == "approximate"
