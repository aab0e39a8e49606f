"""What a lint rule is, and what it says of an instruction."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from sassay.model.finding import Effect
from sassay.model.lint_rules import LINT_TITLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sassay.lint.program import Op
    from sassay.lint.subject import Subject

Value = str | int | bool
"""What a setting holds."""


class Level(StrEnum):
    """What a rule's findings ask for; `info` records, `off` does not run the rule."""

    FAIL = "fail"
    REVIEW = "review"
    INFO = "info"
    OFF = "off"

    @property
    def effect(self) -> Effect:
        """The effect of a finding of this level."""
        return {Level.FAIL: Effect.FAIL, Level.REVIEW: Effect.REVIEW}.get(self, Effect.PASS)


@dataclass(frozen=True)
class Setting:
    """One setting of a rule.

    Attributes:
        name: As spelled on the command line and in a policy.
        default: Its type is the setting's.
        about: One clause.
        choices: Words that it may hold; empty for any.
    """

    name: str
    default: Value
    about: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Options:
    """The settings of one rule as a run has them."""

    values: Mapping[str, Value]

    def text(self, name: str) -> str:
        """A setting that holds text."""
        return str(self.values[name])

    def number(self, name: str) -> int:
        """A setting that holds a whole number."""
        return int(self.values[name])

    def flag(self, name: str) -> bool:
        """A setting that is on or off."""
        return bool(self.values[name])


@dataclass(frozen=True)
class Hit:
    """One thing that a rule has to say of a kernel.

    Attributes:
        message: One clause; equal for equal things, so nothing that counts or moves is in it.
        op: The PTX instruction; None for what concerns the kernel as a whole.
        opcode: What the finding's matches count; empty for none.
        offset: Byte offset of a SASS instruction; None for PTX.
        count: Instructions that it stands for.
        records: It is worth knowing, and no fault: `info`, whatever the rule's level.
    """

    message: str
    op: Op | None = None
    opcode: str = ""
    offset: int | None = None
    count: int = 1
    records: bool = False


@dataclass(frozen=True)
class Rule:
    """A lint rule.

    Attributes:
        id: Its name, and that of its docs page.
        level: What it asks for.
        default: When it runs unless asked: `always`; `changed`, where the kernel before is at
            hand and only what is new counts; `asked`, never.
        check: Gives the hits of one kernel; for a rule that compares, of a kernel and the one
            before it.
        layers: `ptx`, `sass`: the layers that it reads; one of them suffices.
        settings: What can be set.
        compares: Whether it needs the kernel before.
    """

    id: str
    level: Level
    check: Callable[[Subject, Options], Iterable[Hit]]
    default: Literal["always", "changed", "asked"] = "always"
    layers: tuple[str, ...] = ("ptx",)
    settings: tuple[Setting, ...] = field(default=())
    compares: bool = False

    @property
    def title(self) -> str:
        """What is wrong where it fires, in one clause."""
        return LINT_TITLES[self.id]

    def options(self, given: Mapping[str, Value] | None = None) -> Options:
        """Its settings, defaults where nothing is given."""
        defaults = {setting.name: setting.default for setting in self.settings}
        return Options({**defaults, **(given or {})})
