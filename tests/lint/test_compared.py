"""Rules that compare, on what only a cubin tells; levels, selection, what is new."""

from __future__ import annotations

import pytest
from tests.lint.cases import kernel_of, subject_of

from sassay.errors import UsageError
from sassay.lint import Profile, find_rule, read_settings, rule_names
from sassay.lint.subject import Subject
from sassay.model.finding import Effect
from sassay.model.kernel import Resources

TEXT = (
    ".version 8.4\n.target sm_90\n.address_size 64\n.visible .entry k()\n{\n"
    ".reg .f32 %f<3>;\nex2.approx.ftz.f32 %f1, %f2;\nret;\n}\n"
)


def pair(before: Resources | dict[str, int] | None, after: Resources | dict[str, int]) -> Subject:
    def one(what: Resources | dict[str, int]) -> Subject:
        function = subject_of(TEXT).function
        assert function is not None
        if isinstance(what, Resources):
            return Subject(kernel_of(function, resources=what), function)
        return Subject(kernel_of(function, sass=what), function)

    subject = one(after)
    subject.before = one(before) if before is not None else None
    return subject


def said(rule: str, subject: Subject, **settings: int) -> list[str]:
    found = find_rule(rule)
    return [hit.message for hit in found.check(subject, found.options(settings))]


def test_spills_that_came() -> None:
    clean = Resources(spill_store_bytes=0, spill_load_bytes=0, stack_bytes=0)
    spilled = Resources(spill_store_bytes=16, spill_load_bytes=24, stack_bytes=16)
    assert said("new-spills", pair(clean, spilled)) == [
        "16 bytes spilled, 0 before",
        "24 bytes read back from spills, 0 before",
        "16 bytes a thread of stack, 0 before",
    ]
    assert said("new-spills", pair(spilled, spilled)) == []
    assert said("new-spills", pair(spilled, clean)) == []
    assert said("new-spills", pair(clean, spilled), bytes=20) == [
        "24 bytes read back from spills, 0 before"
    ]
    assert said("new-spills", pair(None, spilled))[0] == "16 bytes spilled in a kernel that is new"
    # What nobody knows is no growth.
    assert said("new-spills", pair(Resources(stack_bytes=0), Resources(stack_bytes=0))) == []


def test_vectors_that_were_split_in_the_code_that_runs() -> None:
    wide = {"LDG.E.128": 4, "STG.E.128": 2, "EXIT": 1}
    assert said("vector-width-lost", pair(wide, {"LDG.E": 16, "STG.E.128": 2, "EXIT": 1})) == [
        "global loads by width: 16 bytes 4 -> 0, 4 bytes 0 -> 16"
    ]
    assert said("vector-width-lost", pair(wide, wide)) == []
    assert said("vector-width-lost", pair(wide, {"LDG.E.128": 2, "STG.E.128": 2})) == []
    assert said("vector-width-lost", pair({"LDG.E": 16}, wide)) == []
    halves = {"LDG.E.64.CONSTANT": 8, "STG.E.128": 2}
    assert said("vector-width-lost", pair(wide, halves)) == [
        "global loads by width: 16 bytes 4 -> 0, 8 bytes 0 -> 8"
    ]


def test_which_rules_run() -> None:
    def names(profile: Profile, *, compared: bool = False, only_new: bool = False) -> set[str]:
        return {each.rule.id for each in profile.active(compared=compared, only_new=only_new)}

    usual = names(Profile())
    assert "divergent-barrier" in usual
    assert not {"new-spills", "approximate-math", "readonly-load"} & usual
    assert names(Profile(), compared=True) == usual | {"new-spills", "vector-width-lost"}
    assert "approximate-math" in names(Profile(), compared=True, only_new=True)
    assert names(Profile(select=("readonly-load",))) == {"readonly-load"}
    assert names(Profile(ignore=("block-race",))) == usual - {"block-race"}
    assert "block-race" not in names(Profile(settings={"block-race": {"level": "off"}}))
    # A setting is a wish that the rule runs.
    assert "position-source" in names(Profile(settings={"position-source": {"expect": "direct"}}))


def test_levels_and_settings() -> None:
    profile = Profile(settings=read_settings(["block-race.level=fail", "manual-staging.bytes=4"]))
    active = {each.rule.id: each for each in profile.active(compared=False)}
    assert active["block-race"].level.effect is Effect.FAIL
    assert active["manual-staging"].options.number("bytes") == 4
    assert active["manual-staging"].level.effect is Effect.REVIEW
    one, other = active["block-race"], active["manual-staging"]
    assert one.fingerprint("f", "sm_90") != other.fingerprint("f", "sm_90")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["blok-race.level=off"], "did you mean block-race?"),
        (["block-race.axis=x"], "it has level"),
        (["block-race"], "is not RULE.NAME=VALUE"),
        (["block-race.level=loud"], "one of fail, review, info, off"),
        (["batch-row-select.axis=w"], "one of x, y, z, any"),
        (["manual-staging.bytes=many"], "is a whole number"),
        (["manual-staging.anywhere=perhaps"], "is on or off"),
    ],
)
def test_wrong_settings_say_what_is_right(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("?", "[?]").replace(".", "[.]")):
        read_settings(words)


def test_rule_names() -> None:
    assert rule_names(["block-race, new-spills", "block-race"]) == ("block-race", "new-spills")
    with pytest.raises(UsageError, match="sassay lint --list"):
        rule_names(["xyz"])
