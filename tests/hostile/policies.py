"""Wrong policies, shared by the loader's and the schema's tests."""

# ruff: noqa: E501 - one case a line reads as a table

from __future__ import annotations

from typing import NamedTuple


class Wrong(NamedTuple):
    """A wrong policy, the line that the error must name, and words that must be in it."""

    name: str
    text: str
    words: str
    in_schema: bool = True


HEAD = "version: v1\nrules:\n  - id: r\n    effect: review\n    reason: x\n"
OK = HEAD + "    match: {family: x}\n"


def _rule(body: str) -> str:
    return HEAD + "".join(f"    {line}\n" for line in body.splitlines())


_ALL = "match:\n  all:\n    - kernel: x\n    - opertion: y"
_W = "rule: r, reason: x, owner: o"
WRONG: tuple[Wrong, ...] = (
    Wrong("typo", _rule(_ALL), "line 9, rules[0].match.all[1].opertion: unknown key (did you mean operation?)"),
    Wrong("root-key", OK + "rulez: []\n", "line 7, rulez: unknown key (did you mean rules?)"),
    Wrong("no-version", "rules: []\n", "line 1: version is missing"),
    Wrong("version", "version: v2\nrules: []\n", "line 1, version: must be one of a few words, not 'v2'"),
    Wrong("no-rules", "version: v1\nrules: []\n", "line 2, rules: must not be empty"),
    Wrong("rules-map", "version: v1\nrules: {id: r}\n", "line 2, rules: must be a list, not a mapping"),
    Wrong("no-match", HEAD, "line 3, rules[0]: match is missing"),
    Wrong("empty-match", _rule("match: {}"), "line 6, rules[0].match: must not be empty"),
    Wrong("effect", _rule("match: {family: x}").replace("review", "warn"), "line 4, rules[0].effect"),
    Wrong("id", OK.replace("id: r", "id: a b"), "line 3, rules[0].id: not a rule id"),
    Wrong("number-for-text", _rule("match: {family: 7}"), "rules[0].match.family: must be text, not the number 7"),
    Wrong("empty-list", _rule("match: {family: []}"), "rules[0].match.family: must not be empty"),
    Wrong("status", _rule("match: {status: aded}"), "did you mean added?"),
    Wrong("tier", _rule("match: {tier: same}"), "one of identical, relocated"),
    Wrong("layer", _rule("match: {layer: SASS}"), "rules[0].match.layer"),
    Wrong("category", _rule("match: {category: tensor_cores}"), "did you mean tensor_core?"),
    Wrong("not-list", _rule("match: {not: [x]}"), "rules[0].match.not: must be a mapping, not a list"),
    Wrong("threshold", _rule("match: {layer: ptx}\nwhen: {count: 3}"), "rules[0].when.count: must be a mapping"),
    Wrong("no-threshold", _rule("match: {layer: ptx}\nwhen: {count: {}}"), "must hold a comparison"),
    Wrong("operator", _rule("match: {layer: ptx}\nwhen: {count: {ge: 3}}"), "did you mean gte?"),
    Wrong("bool", _rule("match: {layer: ptx}\nwhen: {count: {gte: true}}"), "must be a number, not true"),
    Wrong("nested-any", _rule("match: {layer: ptx}\nwhen: {any: [{any: [{count: {gte: 1}}]}]}"), "rules[0].when.any[0].any"),
    Wrong("resource", _rule("match: {family: x}\nwhen: {resource: {regs: {gt: 1}}}"), "unknown resource"),
    Wrong("waiver-date", OK + f"waivers: [{{{_W}, family: x, expires: soon}}]\n", "must be a date, not 'soon'"),
    Wrong("waiver-short", OK + f"waivers: [{{{_W}}}]\n", "waivers[0]: family is missing"),
    Wrong("waiver-rule", OK + f"waivers: [{{{_W.replace('rule: r', 'rule: q')}, family: x, expires: 2026-01-01}}]\n",
          "no rule of this policy is called 'q'", in_schema=False),
    Wrong("calendar", OK + f"waivers: [{{{_W}, family: x, expires: '2026-02-30'}}]\n", "must be a date"),
    Wrong("twice", OK + OK.split("rules:\n")[1], "line 7, rules[1].id: the id 'r' stands twice", in_schema=False),
    Wrong("exclude", _rule("match: {family: x}\nexclude: {operation: st.*}"),
          "exclude leaves out instructions, but match selects whole kernels", in_schema=False),
    Wrong("impossible", _rule("match: {operation: st.*, layer: sass}"), "no layer can have", in_schema=False),
    Wrong("case-resource", OK + "tests: [{name: t, states: [{kernels: [{family: x, resources: {regs: 1}}]}], expect: {verdict: PASS}}]\n",
          "tests[0].states[0].kernels[0].resources.regs: unknown key"),
    Wrong("case-copies", OK + "tests: [{name: t, states: [{kernels: [{family: x, copies: 0}]}], expect: {verdict: PASS}}]\n", "at least 1"),
    Wrong("case-verdict", OK + "tests: [{name: t, states: [{kernels: []}], expect: {verdict: pass}}]\n", "tests[0].expect.verdict"),
)  # fmt: skip
