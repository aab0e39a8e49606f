from __future__ import annotations

import pytest

from sassay.diff.targets import follow
from sassay.isa.listing import ListingLine
from sassay.model.layers import Layer


def lines(*keys: str, layer: Layer = Layer.PTX) -> list[ListingLine]:
    size = 16 if layer is Layer.SASS else 3
    return [
        ListingLine(place * size, key.split()[-2] if " " in key else key, key, key)
        for place, key in enumerate(keys)
    ]


def keys(listing: list[ListingLine]) -> list[str]:
    return [line.key for line in listing]


@pytest.mark.parametrize(
    ("layer", "short", "long"),
    [(Layer.PTX, "bra +2", "bra +3"), (Layer.SASS, "BRA +0x20", "BRA +0x30")],
)
def test_a_branch_over_a_new_instruction_still_reaches_its_line(
    layer: Layer, short: str, long: str
) -> None:
    before = lines(short, "a", "b", layer=layer)
    after = lines(long, "a", "new", "b", layer=layer)
    one, other = follow(before, after, (keys(before), keys(after)), {0: 0, 1: 1, 2: 3}, layer)
    assert one[0] == other[0]
    assert one[1:] == ["a", "b"]
    assert other[1:] == ["a", "new", "b"]


def test_a_branch_to_another_line_stays_another() -> None:
    before = lines("@%p1 bra +1", "a", "b")
    after = lines("@%p1 bra +2", "a", "b")
    one, other = follow(before, after, (keys(before), keys(after)), {0: 0, 1: 1, 2: 2}, Layer.PTX)
    assert one[0] != other[0]


def test_the_end_faces_the_end_and_what_faces_nothing_faces_nothing() -> None:
    before = lines("bra +2", "gone")
    after = lines("bra +1")
    one, other = follow(before, after, (keys(before), keys(after)), {0: 0}, Layer.PTX)
    assert one[0] == other[0]
    lost = lines("bra +1", "gone")
    one, _ = follow(lost, after, (keys(lost), keys(after)), {0: 0}, Layer.PTX)
    assert one[0] == "bra to before 1"


def test_numbers_that_are_no_targets_stay() -> None:
    before = lines("add.s32 -1")
    assert follow(before, before, (keys(before), keys(before)), {0: 0}, Layer.PTX) == (
        ["add.s32 -1"],
        ["add.s32 -1"],
    )
