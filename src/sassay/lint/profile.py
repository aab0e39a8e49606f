"""Which rules run, at which levels, with which settings: defaults, a policy, the command line."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from sassay.errors import UsageError
from sassay.lint.registry import RULE_IDS, find_rule
from sassay.lint.rule import Level, Options, Rule, Setting, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LEVEL = "level"
"""The setting that every rule has."""


@dataclass(frozen=True)
class Active:
    """A rule of a run."""

    rule: Rule
    level: Level
    options: Options

    def fingerprint(self, family: str, arch: str, *, recorded: bool = False) -> str:
        """12 hexadecimal digits that name a finding, equal on every machine and from run to run."""
        parts = ("lint", self.rule.id, family, arch, "info" if recorded else "")
        text = "\0".join(parts)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


@dataclass(frozen=True)
class Profile:
    """What a person asked for.

    Attributes:
        select: Rules that run, whatever their default; empty for the defaults.
        ignore: Rules that do not run.
        settings: By rule, `level` among them; a rule with settings runs unless it is off.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    settings: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)

    def active(self, *, compared: bool, only_new: bool = False) -> tuple[Active, ...]:
        """The rules that run, sorted.

        Args:
            compared: Whether the kernels before are at hand.
            only_new: Whether only what is new counts.
        """
        found = []
        for name in RULE_IDS:
            rule = find_rule(name)
            given = dict(self.settings.get(name, {}))
            level = Level(str(given.pop(LEVEL, rule.level)))
            if name in self.ignore or level is Level.OFF:
                continue
            if not self._runs(rule, compared=compared, only_new=only_new):
                continue
            found.append(Active(rule, level, rule.options(given)))
        return tuple(found)

    def left_out(self, *, compared: bool) -> tuple[str, ...]:
        """Rules that would need the state before, and do not run for that."""
        if compared:
            return ()
        return tuple(name for name in RULE_IDS if find_rule(name).compares)

    def _runs(self, rule: Rule, *, compared: bool, only_new: bool) -> bool:
        if rule.compares and not compared:
            return False
        if self.select:
            return rule.id in self.select
        if rule.default == "always" or rule.id in self.settings:
            return True
        return rule.default == "changed" and (rule.compares or only_new)


def rule_names(words: Iterable[str]) -> tuple[str, ...]:
    """Rules that a person names, separated by commas.

    Raises:
        UsageError: One does not exist.
    """
    names = [name.strip() for word in words for name in word.split(",") if name.strip()]
    for name in names:
        known_rule(name)
    return tuple(dict.fromkeys(names))


def known_rule(name: str) -> Rule:
    """The rule of that name.

    Raises:
        UsageError: There is none; close names are suggested.
    """
    if name in RULE_IDS:
        return find_rule(name)
    close = get_close_matches(name, RULE_IDS, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else "`sassay lint --list` shows them"
    raise UsageError(f"no lint rule is named {name!r}", hint=hint)


def read_settings(words: Iterable[str]) -> dict[str, dict[str, Value]]:
    """Settings as `RULE.NAME=VALUE`.

    Raises:
        UsageError: A rule, a name or a value does not exist.
    """
    found: dict[str, dict[str, Value]] = {}
    for word in words:
        left, equals, text = word.partition("=")
        rule, dot, name = left.partition(".")
        if not equals or not dot:
            raise UsageError(
                f"--setting {word!r} is not RULE.NAME=VALUE",
                hint="such as --setting batch-row-select.axis=x",
            )
        found.setdefault(rule, {})[name] = read_value(rule, name, text)
    return found


def read_value(rule: str, name: str, value: Value) -> Value:
    """The value of a setting, of the setting's type.

    Args:
        rule: The rule's name.
        name: The setting's name, or `level`.
        value: Text, or what a policy holds.

    Raises:
        UsageError: There is no such rule or setting, or it does not hold such values.
    """
    settings = known_rule(rule).settings
    if name == LEVEL:
        return _choice(rule, Setting(LEVEL, "", "", tuple(Level)), value)
    setting = next((each for each in settings if each.name == name), None)
    if setting is None:
        names = ", ".join([LEVEL, *(each.name for each in settings)])
        raise UsageError(f"{rule} has no setting {name!r}", hint=f"it has {names}")
    if isinstance(setting.default, bool):
        words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
        found = words.get(str(value).lower())
        if found is None:
            raise UsageError(f"{rule}.{name} is on or off, not {value!r}")
        return found
    if isinstance(setting.default, int):
        try:
            return int(str(value))
        except ValueError:
            raise UsageError(f"{rule}.{name} is a whole number, not {value!r}") from None
    return _choice(rule, setting, value) if setting.choices else str(value)


def _choice(rule: str, setting: Setting, value: Value) -> str:
    # YAML readers of the older kind take `off` for a truth value.
    word = "off" if value is False else str(value)
    if word not in setting.choices:
        raise UsageError(
            f"{rule}.{setting.name} is no {word!r}", hint=f"one of {', '.join(setting.choices)}"
        )
    return word
