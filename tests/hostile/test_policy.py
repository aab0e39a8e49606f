"""Policies that are wrong, or built to hurt: one clear line, quickly."""

# ruff: noqa: E501 - one case a line reads as a table

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.hostile.policies import OK, WRONG, Wrong

from sassay.errors import PolicyError
from sassay.policy import load_policy, parse_policy
from sassay.policy.globs import matches

if TYPE_CHECKING:
    from pathlib import Path


def refusal(text: str) -> str:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, artifact="p.yaml")
    line = str(caught.value)
    assert line.startswith("p.yaml: ")
    assert "\n" not in line
    assert len(line) < 600
    return line


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
def test_wrong_policy_is_refused_with_its_place(wrong: Wrong) -> None:
    assert wrong.words in refusal(wrong.text)


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LAUGHS, "more than 100000 nodes"),
        ("[" * 100_000, "nested deeper than 32 levels"),
        ("{a: " * 100_000, "nested deeper than 32 levels"),
        ("a: &x [*x]\n", "the alias *x has no anchor before it"),
        ("", "the file is empty"),
        ("- a\n", "must be a mapping, not a list"),
        ("version: v1\nversion: v1\n", "line 2: the key 'version' stands twice (first on line 1)"),
        ("version: v1\nrules:\n\t- id: r\n", "line 3: not valid YAML: a tab where YAML wants spaces"),
        ("a: [1, 2\nb: 3\n", "not valid YAML"),
        ("---\na: 1\n---\nb: 2\n", "a second document"),
        ("!!python/object/apply:os.system [id]\n", "is not allowed"),
        ("a: !!binary aGk=\n", "is not allowed"),
        ("1: x\n", "a key must be text (quote it)"),
        ("? [a]\n: x\n", "a key must be text"),
        ("a: " + "9" * 400, "is too large"),
        ("a: \x07\n", "not valid YAML"),
        (OK.replace("{family: x}", "{layer: ptx}") + "    when: {count: {gte: .inf}}\n", "must be a number"),
        (OK.replace("family: x", "family: '" + "*a" * 400 + "'"), "longer than 512"),
    ],
)  # fmt: skip
def test_hostile_yaml_is_refused_quickly(text: str, words: str) -> None:
    start = time.perf_counter()
    assert words in refusal(text)
    assert time.perf_counter() - start < 5


def test_hostile_glob_does_not_backtrack() -> None:
    start = time.perf_counter()
    assert not matches("*a" * 200 + "b", "a" * 5000)
    assert time.perf_counter() - start < 2


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for name, data, words in (
        ("large.yaml", b"#" * (1 << 20) + b"\n", "larger than 1048576 bytes"),
        ("binary.yaml", b"version: v1\nrules: \xff\xfe\n", "line 2: not UTF-8 text"),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(PolicyError, match=words):
            load_policy(str(path))
    for missing in ("defualt", str(tmp_path), "a\0b"):
        with pytest.raises(PolicyError):
            load_policy(missing)
    with pytest.raises(PolicyError, match=r"\(did you mean default\?\)"):
        load_policy("defualt")
