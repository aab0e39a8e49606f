"""Every instruction form that only computes, in compiled code and in the interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.machine.compiled import forms as f

from sassay.machine import Launch, run
from sassay.machine.compiled import Backend, Choice
from sassay.machine.compiled.forms import compiled_bases, emitter
from sassay.machine.errors import MissingForm

GROUPS = f.groups()
INTERPRETED = {"rcp.approx.ftz.f64", "rsqrt.approx.f64", "rsqrt.approx.ftz.f64"}
"""What is left to the interpreter."""

BACKEND = Backend(Choice.COMPILED, checked_threads=0)


def _compiled(form: str) -> bool:
    try:
        emitter(form, 1, loose=False)
    except MissingForm:
        return False
    return True


def test_which_forms_are_left_to_the_interpreter() -> None:
    left = {form for forms in GROUPS.values() for form in forms if not _compiled(form)}
    assert left == INTERPRETED
    assert sum(map(len, GROUPS.values())) > 1300


def test_every_compiled_instruction_is_among_the_forms() -> None:
    tried = {form.split(".")[0] for forms in GROUPS.values() for form in forms}
    assert compiled_bases() <= tried


def _arguments(sources: tuple[str, ...], seed: int) -> list[Any]:
    return [f.operands(kind, 97 * seed + at) for at, kind in enumerate(sources)]


@pytest.mark.parametrize("sources", GROUPS, ids=",".join)
@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 1 << 20))
def test_the_same_bits(sources: tuple[str, ...], seed: int) -> None:
    forms = {form: kinds for form, kinds in GROUPS[sources].items() if form not in INTERPRETED}
    program = _program(sources)
    arguments = [*_arguments(sources, seed), *f.result_arrays(forms)]
    launch = Launch(f.GRID, f.BLOCK, arguments)
    wanted, found = run(program, launch), BACKEND.run(program, launch)
    assert found.compiled_blocks == f.GRID, found.not_compiled
    assert found.labels == wanted.labels
    assert found.forms == wanted.forms
    for index, form in enumerate(forms, len(sources)):
        a, b = wanted.arrays[index], found.arrays[index]
        assert a is not None
        assert b is not None
        wrong = np.flatnonzero(a != b)
        if wrong.size:
            at = int(wrong[0])
            given_ = [hex(int(each[at])) for each in arguments[: len(sources)]]
            pytest.fail(f"{form} of {given_}: {hex(int(a[at]))} interpreted, {hex(int(b[at]))}")


_PROGRAMS: dict[tuple[str, ...], Any] = {}


def _program(sources: tuple[str, ...]) -> Any:
    if sources not in _PROGRAMS:
        forms = {form: kinds for form, kinds in GROUPS[sources].items() if form not in INTERPRETED}
        _PROGRAMS[sources] = f.kernel_of(sources, forms)
    return _PROGRAMS[sources]
