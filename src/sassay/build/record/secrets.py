"""Keeps secrets out of what is recorded of a command: no key, token or password is written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HIDDEN = "***"
_NAME = (
    r"(?:api[-_]?key|access[-_]?key|auth[-_]?key|secret|token|pass(?:w(?:or)?d|phrase)?|pwd|"
    r"credential|private[-_]?key|auth(?:orization)?|cookie|session[-_]?id|signature|sas|webhook|dsn)"
)
_NOT_SECRET = re.compile(
    r"(?i)(?:tokens|tokenizer|tokenize|token[-_](?:ids?|count|limit|budget|num|type|len|size))"
)
_SECRET_NAME = re.compile(rf"(?i)(?:^|[-_.]|\b){_NAME}s?(?:$|[-_.\b])|(?i:(?:^|[-_.])key$)")
_TOKENS = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}"
    r"|github_pat_\w{20,}|glpat-[\w-]{16,}|AKIA[0-9A-Z]{16}|ASIA[0-9A-Z]{16}"
    r"|xox[abprs]-[\w-]{10,}|nvapi-[\w-]{16,}|AIza[\w-]{30,}|npm_[A-Za-z0-9]{30,}"
    r"|pypi-[\w-]{30,}|wandb_v1_\w{16,}"
    r"|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*)"
)
_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/\s@]*@")
_QUERY = re.compile(r"(?P<lead>[?&;](?P<name>[^=&\s#]+)=)(?P<value>[^&\s#]*)")
_BEARER = re.compile(r"(?i)\b(?P<lead>(?:bearer|basic|token)\s+)[^\s'\"]{6,}")
_PAIR = re.compile(
    r"(?P<lead>[\"']?(?P<name>[A-Za-z_][\w.-]*)[\"']?\s*[:=]\s*)(?P<quote>[\"']?)(?P<value>[^\"',}\s&]+)"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OPTION = re.compile(r"-{0,2}[\w.-]+")
_MIN_LITERAL = 6


def is_secret(name: str) -> bool:
    """Whether an option or a variable of this name holds a secret.

    Args:
        name: Such as `--api-key`, `HF_TOKEN`, `max-tokens` (which holds none).
    """
    plain = _CAMEL.sub("-", name.lstrip("-"))
    return bool(_SECRET_NAME.search(_NOT_SECRET.sub("", plain)))


def hide(text: str, known: Sequence[str] = ()) -> str:
    """A text with what looks like a secret replaced by `***`.

    Args:
        text: One argument or the value of a variable.
        known: Secret values to hide wherever they stand.
    """
    for value in known:
        text = text.replace(value, HIDDEN)
    text = _TOKENS.sub(HIDDEN, text)
    text = _USERINFO.sub(rf"\g<scheme>{HIDDEN}@", text)
    text = _QUERY.sub(_hide_value, text)
    text = _BEARER.sub(rf"\g<lead>{HIDDEN}", text)
    return _hide_pairs(text)


def _hide_pairs(text: str) -> str:
    """`name: value` and `name=value`, also where one stands in the value of another."""
    done, place = [], 0
    while match := _PAIR.search(text, place):
        if is_secret(match["name"]):
            done.append(f"{text[place : match.start('value')]}{HIDDEN}")
            place = match.end("value")
        else:
            done.append(text[place : match.end("lead")])
            place = match.end("lead")
    return "".join((*done, text[place:]))


def _hide_value(match: re.Match[str]) -> str:
    if not is_secret(match["name"]):
        return match[0]
    return f"{match['lead']}{HIDDEN}"


def hide_arguments(
    arguments: Sequence[str], environment: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """A command line without its secrets.

    Args:
        arguments: As the command gets them.
        environment: Its variables: the value of one with a secret's name is hidden everywhere.
    """
    known = secret_values(environment or {})
    found: list[str] = []
    hide_next = False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if hide_next and not argument.startswith("--"):
            found.append(HIDDEN)
            hide_next = False
            continue
        hide_next = False
        if equals and _OPTION.fullmatch(name) and is_secret(name):
            found.append(f"{name}={HIDDEN}")
            continue
        hide_next = argument.startswith("-") and not equals and is_secret(argument)
        found.append(hide(argument, known))
    return tuple(found)


def secret_values(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Values of variables whose names say that they are secret, longest first."""
    values = {
        value
        for name, value in environment.items()
        if is_secret(name) and len(value) >= _MIN_LITERAL and not value.startswith(("/", "./"))
    }
    return tuple(sorted(values, key=lambda value: (-len(value), value)))
