"""Drafts of kernels: equal ones become one, whatever was read first."""

from __future__ import annotations

from itertools import permutations

from sassay.capture.kernels import Draft, Origin, make_draft, merge
from sassay.model.artifact import Source, SourceKind, Toolchain
from sassay.model.kernel import Launch, Resources


def draft(number: int) -> Draft:
    return make_draft(
        symbol="_Z1kPf",
        arch="sm_80",
        launch=Launch(),
        resources=Resources(),
        code_bytes=128,
        digest="d" * 40,
        sass_ref=f"code {number}",
        number=number,
        origin=Origin(Source(SourceKind.LIBRARY, f"lib{number}.so"), Toolchain()),
    )


def test_of_equal_kernels_the_code_of_the_first_artifact_counts() -> None:
    for order in permutations(range(3)):
        drafts: dict[str, Draft] = {}
        for number in order:
            merge(drafts, draft(number))
        (merged,) = drafts.values()
        assert merged.sass_ref == "code 0"
        assert sorted(each.source.path for each in merged.origins) == [
            "lib0.so", "lib1.so", "lib2.so",
        ]  # fmt: skip
