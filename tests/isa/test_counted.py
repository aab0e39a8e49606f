"""A census that is spelled out late reads as the `dict` that it stands for."""

from __future__ import annotations

from array import array

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sassay.isa.counted import CountedCensus, flatten, spelled_out

NAMES = ("BRA", "FADD", "FFMA", "IMAD.MOV", "LDG.E")
plain = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 1 << 31)).map(
    lambda census: dict(sorted(census.items()))
)


def counted(census: dict[str, int]) -> CountedCensus:
    places = array("I", map(NAMES.index, census)).tobytes()
    return CountedCensus(NAMES, places, array("I", census.values()).tobytes())


@given(plain, plain)
def test_it_reads_as_a_dict(one: dict[str, int], other: dict[str, int]) -> None:
    census = counted(one)
    assert census == one
    assert one == census
    assert (census == counted(other)) == (one == other)
    assert (census == CountedCensus(tuple(one), counted_places(one), census.counts)) is True
    assert list(census) == list(one)
    assert list(census.items()) == list(one.items())
    assert len(counted(one)) == len(one)
    assert census.get("FADD") == one.get("FADD")
    assert ("BRA" in census) == ("BRA" in one)
    assert msgspec.to_builtins({"a": census}, enc_hook=spelled_out) == {"a": one}


def counted_places(census: dict[str, int]) -> bytes:
    return array("I", range(len(census))).tobytes()


@given(st.lists(st.tuples(plain, st.booleans())))
def test_many_flatten_as_they_read(censuses: list[tuple[dict[str, int], bool]]) -> None:
    mixed = [counted(census) if late else census for census, late in censuses]
    names, places, counts, lengths = flatten(mixed)
    rows = list(zip(map(names.__getitem__, places.tolist()), counts.tolist(), strict=True))
    ends = lengths.cumsum().tolist()
    assert [dict(rows[end - length : end]) for end, length in zip(ends, lengths, strict=True)] == [
        census for census, _ in censuses
    ]
    assert names == tuple(sorted({name for census, _ in censuses for name in census}))
    assert not any(item._plain for item in mixed if isinstance(item, CountedCensus))


def test_nothing_else_is_written_in_its_place() -> None:
    with pytest.raises(NotImplementedError, match="object cannot be written"):
        msgspec.to_builtins([object()], enc_hook=spelled_out)
