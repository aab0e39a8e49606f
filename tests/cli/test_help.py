"""Help: complete, with examples, and at once."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from tests.cli.running import environment, run

COMMANDS = [
    (), ("compile",), ("capture",), ("show",), ("diff",), ("check",), ("query",), ("schema",),
    ("policy",), ("policy", "list"), ("policy", "test"), ("policy", "explain"),
]  # fmt: skip
WITHOUT_EXAMPLE = {("policy",), ("policy", "list")}


@pytest.mark.parametrize("command", COMMANDS, ids=[" ".join(c) or "sassay" for c in COMMANDS])
def test_help_explains_every_option_and_gives_examples(command: tuple[str, ...]) -> None:
    result = run(*command, "--help", env={"COLUMNS": "100"})
    assert (result.status, result.stderr) == (0, "")
    assert result.stdout == run(*command, "-h", env={"COLUMNS": "100"}).stdout
    assert ("For example:" in result.stdout) is (command not in WITHOUT_EXAMPLE)
    if command not in WITHOUT_EXAMPLE:
        examples = re.findall(r"^ +sassay \S.*", result.stdout, re.MULTILINE)
        assert examples
        for example in examples:
            assert example.split()[1] in {known[0] for known in COMMANDS if known}, example
    for line in re.findall(r"^  (?:-\w, )?--[\w-]+.*", result.stdout, re.MULTILINE):
        described = re.split(r" {2,}", line.strip(), maxsplit=1)
        following = result.stdout.partition(line)[2].split("\n", 2)[1]
        assert len(described) == 2 or following.startswith(" " * 8), line


def test_the_options_of_examples_exist() -> None:
    pages = {
        command: run(*command, "--help", env={"COLUMNS": "200"}).stdout for command in COMMANDS
    }
    for page in pages.values():
        for example in re.findall(r"^ +sassay (\S.*)", page, re.MULTILINE):
            named = [
                command for command in COMMANDS if command == tuple(example.split()[: len(command)])
            ]
            for option in re.findall(r" (--[a-z-]+)", example):
                assert option in pages[max(named, key=len)], example


def test_nothing_heavy_is_imported_for_help() -> None:
    script = (
        "import sys\n"
        "from sassay.cli.main import main\n"
        "assert main(['--help']) == 0\n"
        "heavy = {'numpy', 'duckdb', 'rich', 'jinja2', 'triton', 'msgspec', 'ruamel'}\n"
        "sys.stderr.write(' '.join(sorted(heavy & set(sys.modules))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, check=True,
        text=True,
    )  # fmt: skip
    assert done.stderr == ""
