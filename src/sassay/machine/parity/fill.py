"""What buffers hold before a side runs: the same bytes for both sides, from a seed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sassay.errors import InputError, LimitError, UsageError
from sassay.machine.parity import limits
from sassay.machine.parity.arithmetic import value_of
from sassay.machine.parity.formats import FORMATS, Format, values_of, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sassay.machine.parity.contract import BufferSpec

    Array = NDArray[Any]
    Random = np.random.Generator

POISON = 0xA5
"""Every byte of a buffer that nobody is expected to read."""


def random_of(*parts: object) -> Random:
    """A generator that depends on its name alone."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, np.uint32))


def buffers_of(
    specs: Mapping[str, BufferSpec],
    dims: Mapping[str, int],
    types: Mapping[str, str],
    *,
    scalars: Mapping[str, float],
    inputs: str,
    seed: str,
    folder: str,
) -> tuple[dict[str, Array], dict[str, Format]]:
    """Buffers of one case.

    Args:
        specs: By name.
        dims: Dimensions of the case.
        types: Types of the case, by placeholder.
        scalars: Numbers, for buffers that are a multiple of another.
        inputs: How floating-point buffers without a fill of their own are filled.
        seed: Names the case.
        folder: Where files of contents lie.

    Returns:
        Words by name, and their formats.

    Raises:
        LimitError: They are too large together.
        InputError: A file of contents cannot be read or does not fit.
    """
    arrays: dict[str, Array] = {}
    formats: dict[str, Format] = {}
    total = 0
    for name, spec in specs.items():
        kind = types.get(spec.type.strip("{}"), spec.type)
        form = formats[name] = FORMATS[kind]
        shape = tuple(value_of(each, dims) for each in spec.shape)
        if any(each < 0 for each in shape):
            raise UsageError(f"buffer {name} has the shape {shape}")
        total += int(np.prod(shape, dtype=object)) * form.dtype.itemsize
        if total > limits.MAX_BUFFER_BYTES:
            raise LimitError(
                f"buffers of {total >> 20} MiB", hint=f"at most {limits.MAX_BUFFER_BYTES >> 20} MiB"
            )
        random = random_of(seed, name)
        if spec.file is not None:
            arrays[name] = _from_file(Path(folder, spec.file), form, shape)
        elif not form.is_float and not spec.values and spec.fill is None:
            arrays[name] = _integers(random, name, spec, shape, dims).astype(form.dtype)
        else:
            arrays[name] = _filled(random, spec, form, shape, inputs)
    for name, spec in specs.items():
        if spec.of is not None:
            origin = values_of(arrays[spec.of], formats[spec.of])
            factor = scalars.get(spec.by or "", 1.0)
            arrays[name] = words_of(np.resize(origin * factor, arrays[name].shape), formats[name])
    return arrays, formats


def _integers(
    random: Random, name: str, spec: BufferSpec, shape: tuple[int, ...], dims: Mapping[str, int]
) -> Array:
    low, high = value_of(spec.low, dims), value_of(spec.high or 0, dims)
    if high <= low and 0 not in shape:
        raise UsageError(f"buffer {name} has no integer from {low} below {high}")
    return random.integers(low, max(high, low + 1), shape)


def _filled(
    random: Random, spec: BufferSpec, form: Format, shape: tuple[int, ...], inputs: str
) -> Array:
    count = int(np.prod(shape))
    if spec.values:
        return words_of(np.resize(np.array(spec.values), count).reshape(shape), form)
    fill = spec.fill or inputs
    if fill == "poison":
        data = np.full(count * form.dtype.itemsize, POISON, np.uint8)
        return data.view(form.dtype).reshape(shape)
    if fill in {"zeros", "ones"}:
        return words_of(np.full(shape, float(fill == "ones")), form)
    return floats(random, form, shape, fill)


def floats(random: Random, form: Format, shape: tuple[int, ...], kind: str) -> Array:
    """Words of a floating-point type.

    Args:
        random: Where they come from.
        form: The type.
        shape: Of the result.
        kind: `normal` (mean 0, deviation 1), `uniform` (0 to 1), `wide` (exponents all over the
            type), `specials` (a tenth each of zeros, infinities, NaN, the largest, the smallest
            normal and subnormal values, of both signs; the rest normal), `subnormals`.
    """
    count = int(np.prod(shape))
    values = random.standard_normal(count)
    if kind == "uniform":
        values = random.random(count)
    elif kind == "wide":
        half = (1 << (form.exponent - 1)) // 2
        values = np.ldexp(values, random.integers(-half, half, count))
    words = words_of(values, form)
    if kind in {"specials", "subnormals"}:
        words = _special(random, form, words, kind)
    return words.reshape(shape)


def _special(random: Random, form: Format, words: Array, kind: str) -> Array:
    bits = form.dtype.itemsize * 8
    word = np.dtype(f"u{form.dtype.itemsize}")
    top = ((1 << form.exponent) - 1) << form.mantissa
    if kind == "subnormals":
        small = random.integers(0, 1 << form.mantissa, words.size).astype(word)
        picked = random.random(words.size) < 0.75
    else:
        tiny, normal = 1, 1 << form.mantissa
        ones = (1 << (bits - 1)) - 1
        special = np.array([0, top, ones, top - 1, tiny, normal, normal - 1], np.uint64)
        special = special[special < (1 << (bits - 1))]
        small = special[random.integers(0, special.size, words.size)].astype(word)
        picked = random.random(words.size) < 0.6
    sign = random.integers(0, 2, words.size).astype(word) << word.type(bits - 1)
    found: Array = np.where(picked, small | sign, words.view(word)).view(form.dtype)
    # Whatever a NaN is, machines make one of it.
    nan = np.isnan(values_of(found, form))
    return np.where(nan, words_of(np.full(found.shape, np.nan), form), found)


def _from_file(path: Path, form: Format, shape: tuple[int, ...]) -> Array:
    if not path.is_file():
        raise InputError("is no file", artifact=str(path))
    try:
        found = np.load(path, allow_pickle=False, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"cannot be read as .npy: {error}", artifact=str(path)) from error
    if not isinstance(found, np.ndarray) or found.shape != shape:
        shown = getattr(found, "shape", None)
        raise InputError(f"has the shape {shown}, not {shape}", artifact=str(path))
    if found.nbytes > limits.MAX_BUFFER_BYTES:
        raise LimitError(f"has {found.nbytes} bytes", artifact=str(path))
    if found.dtype == form.dtype:
        return np.array(found)
    return words_of(np.array(found), form)
