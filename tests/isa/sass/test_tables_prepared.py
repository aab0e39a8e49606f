"""Machine code that comes with sassay: what it is made of, and when it is not run."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import llvmlite
import msgspec
import numpy as np
import pytest

from sassay.errors import FormatError
from sassay.isa.sass.tables import compiled, decoder_for, prepare, prepared
from sassay.isa.sass.tables.compiled import Meter, compile_functions, prepared_functions
from sassay.isa.sass.tables.prepared import FOLDER, MachineCode, map_code, read_code

NAME = "linux-x86_64.json"


def held(name: str) -> MachineCode:
    return msgspec.json.decode((FOLDER / name).read_bytes(), type=MachineCode)


@pytest.mark.parametrize("name", sorted(prepare.KINDS))
def test_it_is_made_of_the_text_as_it_is(name: str) -> None:
    code = held(name)
    assert code.made_from == prepare.source_digest()
    again = prepare.make(prepare.KINDS[name])
    assert again.entries.keys() == code.entries.keys()
    if code.made_by == again.made_by:
        assert again == code
    assert re.match(r"llvmlite \d+\.\d+", code.made_by)
    assert llvmlite.__version__ in again.made_by


def test_every_file_is_one_that_can_be_made_again() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(prepare.KINDS)


def test_it_is_used_from_the_first_word_where_there_is_some() -> None:
    here = sys.platform == "linux" and os.uname().machine == "x86_64"
    assert (prepared_functions() is not None) == here
    meter = Meter(1 << 62, prepared=True)
    assert meter.functions(1) is prepared_functions()


def test_it_may_not_be_written_to() -> None:
    code = map_code()
    if code is None:
        assert not (FOLDER / str(prepared.file_name())).exists()
        return
    lines = [line.split() for line in Path("/proc/self/maps").read_text("ascii").splitlines()]
    for address in code.entries.values():
        around = [
            rights
            for place, rights, *_ in lines
            if int(place.split("-")[0], 16) <= address < int(place.split("-")[1], 16)
        ]
        assert around == ["r-xp"]


def test_damage_is_refused(tmp_path: Path) -> None:
    good = held(NAME)
    replace = msgspec.structs.replace
    first = good.code[0]
    for bad in (
        replace(good, code=(*good.code[:-1], good.code[-1][:-2])),
        replace(good, code=(("0" if first[0] != "0" else "1") + first[1:], *good.code[1:])),
        replace(good, code=("xx", *good.code)),
        replace(good, entries={**good.entries, "more": 1 << 20}),
    ):
        path = tmp_path / "bad.json"
        path.write_bytes(msgspec.json.encode(bad))
        with pytest.raises(FormatError, match=r"^bad\.json: the machine code"):
            read_code(path)
    path.write_bytes(b"{")
    with pytest.raises(FormatError, match="cannot be read"):
        read_code(path)


@pytest.mark.parametrize("error", [OSError(1, "no"), FormatError("damaged")])
def test_where_it_cannot_be_run_others_answer(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise error

    monkeypatch.setattr(compiled, "map_code", refuse)
    prepared_functions.cache_clear()
    try:
        meter = Meter(100, prepared=True)
        assert meter.functions(10) is None
        assert meter.functions(100) is compile_functions()
    finally:
        prepared_functions.cache_clear()


def test_the_decoders_of_a_process_take_it() -> None:
    decoder = decoder_for("sm_90")
    assert decoder is not None
    counted = decoder.count(memoryview(bytes(32)), np.array([(0, 2)], np.int64))
    assert (counted is not None) == (prepared_functions() is not None)
