"""The tables of cases: PTX modules whose comments say what a rule says of each entry.

// with: axis=x          settings of the rule
// fires: MESSAGE        the rule says this, once or more often
// records: MESSAGE      it says this and asks for nothing
// quiet                 it says nothing
// before: NOTE          the entry is what `NAME` without `_before` was before
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from sassay.isa import ptx
from sassay.isa.categories import summarize
from sassay.lint import read_value
from sassay.lint.subject import Subject
from sassay.model.kernel import Kernel, Resources, Specialization
from sassay.model.layers import Layer, Layered

if TYPE_CHECKING:
    from sassay.lint.rule import Value

FOLDER = Path(__file__).parent / "cases"
_ENTRY = re.compile(r"((?://[^\n]*\n)+)\.visible \.entry (\w+)\(")
_LINE = re.compile(r"// (with|fires|records|before|quiet)(?:: (.*))?$")


@dataclass
class Case:
    """One entry and what is expected of it."""

    rule: str
    name: str
    subject: Subject
    settings: dict[str, Value] = field(default_factory=dict)
    fires: list[str] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    quiet: bool = False


def kernel_of(
    function: ptx.PtxFunction,
    arch: str = "sm_90a",
    *,
    specialization: Specialization | None = None,
    resources: Resources | None = None,
    sass: dict[str, int] | None = None,
) -> Kernel:
    """A kernel that holds PTX, and what it is given."""
    census = ptx.census(function)
    return Kernel(
        id="0" * 12,
        name=function.name,
        symbol=function.name,
        family=function.name,
        specialization=specialization or Specialization(),
        arch=arch,
        sources=(),
        launch=function.launch,
        resources=resources or Resources(),
        code_bytes=None,
        digest="",
        instructions=Layered(ptx=census, sass=sass),
        categories=Layered(ptx=summarize(Layer.PTX, census)),
    )


def subject_of(text: str, name: str | None = None) -> Subject:
    """The analyses of one entry of a module."""
    module = ptx.read_module(text, artifact="case")
    function = module.entries[0] if name is None else module.entry(name)
    assert function is not None
    return Subject(kernel_of(function), function)


@lru_cache
def read_cases(rule: str) -> tuple[Case, ...]:
    """The cases of a rule."""
    text = (FOLDER / f"{rule}.ptx").read_text(encoding="utf-8")
    found: dict[str, Case] = {}
    before: dict[str, Subject] = {}
    for comment, name in _ENTRY.findall(text):
        case = Case(rule, name, subject_of(text, name))
        for line in comment.splitlines():
            match = _LINE.match(line)
            if match is None:
                continue
            kind, rest = match[1], match[2] or ""
            if kind == "with":
                for word in rest.split(", "):
                    setting, _, value = word.partition("=")
                    case.settings[setting] = read_value(rule, setting, value)
            elif kind == "fires":
                case.fires.append(rest)
            elif kind == "records":
                case.records.append(rest)
            elif kind == "before":
                before[name.removesuffix("_before")] = case.subject
            else:
                case.quiet = True
        if name.endswith("_before"):
            continue
        assert case.quiet != bool(case.fires or case.records), name
        found[name] = case
    for name, subject in before.items():
        found[name].subject.before = subject
    return tuple(found.values())
