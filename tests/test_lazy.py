"""Packages that export lazily: what type checkers see is what they export."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import sassay

ROOT = Path(sassay.__file__).parent
PACKAGES = [
    ".".join(("sassay", *path.parent.relative_to(ROOT).parts))
    for path in sorted(ROOT.rglob("__init__.py"))
    if "export(" in path.read_text("utf-8")
]


@pytest.mark.parametrize("name", PACKAGES)
def test_what_type_checkers_see_is_what_is_exported(name: str) -> None:
    package = import_module(name)
    tree = ast.parse(Path(str(package.__file__)).read_text("utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: statement.module
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    submodules = {each for each, home in seen.items() if home == name}
    assert sorted(set(seen) - submodules) == package.__all__
    for each, home in seen.items():
        if each not in submodules:
            assert getattr(package, each) is getattr(import_module(str(home)), each)


def test_an_export_named_as_its_module_stays_the_export() -> None:
    code = (
        "import sassay.sources.discover, sassay.capture.query\n"
        "from sassay.sources import discover\n"
        "from sassay.capture import query\n"
        "assert callable(discover) and callable(query)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_not_exported_is_refused() -> None:
    with pytest.raises(AttributeError, match=r"'sassay\.capture' has no attribute 'nothing'"):
        _ = import_module("sassay.capture").nothing


def test_a_reader_imports_only_what_it_needs() -> None:
    code = "import sys, sassay.capture.worker; print(*sys.modules, sep='\\n')"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(run.stdout.split())
    assert "sassay.capture.cubin_facts" in loaded
    assert not loaded & {
        "sassay.capture.builder",
        "sassay.isa.ptx.parser",
        "sassay.isa.sass.disassembler",
        "sassay.sources.discover",
    }
