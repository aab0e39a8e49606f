"""The JSON Schema of policy files, for editors and for anyone who writes policies by program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sassay.isa.categories import CATEGORIES
from sassay.model.change import FamilyStatus, KernelStatus
from sassay.model.finding import Effect, Outcome, Verdict
from sassay.model.layers import Layer, Tier
from sassay.model.lint_rules import LINT_LEVELS, LINT_RULES
from sassay.policy import keys, limits, schema
from sassay.policy.caseloader import CASE_RESOURCES
from sassay.policy.resources import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import StrEnum

Json = dict[str, Any]

_TEXT: Json = {"type": "string", "pattern": r"\S"}
_GLOB: Json = {**_TEXT, "maxLength": limits.MAX_PATTERN}
_NUMBER: Json = {"type": "number"}
_NATURAL: Json = {"type": "integer", "minimum": 0}
_DATE: Json = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "format": "date"}
_SCALAR: Json = {"type": ["string", "number", "boolean", "null"]}


def policy_schema() -> Json:
    """JSON Schema (draft 2020-12) of policy version v1, a description on every key."""
    root = _object(
        keys.POLICY,
        {
            "version": {"const": "v1"},
            "name": _TEXT,
            "description": _TEXT,
            "rendering": _object(keys.RENDERING, {"default": _enum(schema.Rendering)}, ["default"]),
            "groups": {"type": "object", "additionalProperties": _many(_GLOB)},
            "rules": {"type": "array", "minItems": 1, "items": _ref("rule")},
            "lint": _lint(),
            "waivers": {"type": "array", "items": _ref("waiver")},
            "tests": {"type": "array", "items": _ref("test")},
        },
        ["version"],
    )
    root["anyOf"] = [{"required": ["rules"]}, {"required": ["lint"]}]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "sassay policy v1",
        "description": "What sassay check judges compiled GPU code by.",
        **root,
        "$defs": {
            "rule": _rule(),
            "condition": _condition(),
            "compare": {
                **_object(keys.COMPARE, dict.fromkeys(keys.COMPARE, _NUMBER)),
                "minProperties": 1,
            },
            "resources": _resources(),
            "alternative": _when(nested=True),
            "when": _when(nested=False),
            "waiver": _waiver(),
            "test": _test(),
            "state": _state(),
            "kernel": _kernel(),
        },
    }


def _object(
    described: Mapping[str, str], properties: Mapping[str, Json], required: list[str] | None = None
) -> Json:
    """A closed object; every key of the loader's table must have its schema."""
    if set(described) != set(properties):
        raise ValueError(f"keys without schema: {sorted(set(described) ^ set(properties))}")
    found: Json = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            key: {**properties[key], "description": text} for key, text in described.items()
        },
    }
    return {**found, "required": required} if required else found


def _ref(name: str) -> Json:
    return {"$ref": f"#/$defs/{name}"}


def _enum(kind: type[StrEnum]) -> Json:
    return {"enum": [member.value for member in kind]}


def _many(item: Json) -> Json:
    return {"anyOf": [item, {"type": "array", "minItems": 1, "items": item}]}


def _rule() -> Json:
    return _object(
        keys.RULE,
        {
            "id": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"},
            "description": _TEXT,
            "effect": _enum(Effect),
            "reason": _TEXT,
            "match": _ref("condition"),
            "exclude": _ref("condition"),
            "when": _ref("when"),
            "if_absent": _enum(schema.IfAbsent),
            "requires": _many(_TEXT),
        },
        ["id", "effect", "reason", "match"],
    )


def _lint() -> Json:
    level: Json = {"enum": list(LINT_LEVELS)}
    settings: Json = {
        "type": "object",
        "properties": {"level": {**level, "description": keys.LINT["level"]}},
        "additionalProperties": {"type": ["string", "integer", "boolean"]},
    }
    return {
        "type": "object",
        "propertyNames": {"enum": list(LINT_RULES)},
        "additionalProperties": {"anyOf": [level, settings]},
    }


def _condition() -> Json:
    conditions: Json = {"type": "array", "minItems": 1, "items": _ref("condition")}
    value: Json = {
        "anyOf": [
            {**_GLOB, "type": "string"},
            {"type": ["number", "boolean"]},
            {
                "type": "array",
                "minItems": 1,
                "items": {"anyOf": [_GLOB, {"type": ["number", "boolean"]}]},
            },
            _ref("compare"),
            _object(keys.FACT, {"changed": {"type": "boolean"}}, ["changed"]),
        ]
    }
    return {
        **_object(
            keys.CONDITION,
            {
                **dict.fromkeys(
                    ("family", "group", "kernel", "arch", "source", "operation"), _many(_GLOB)
                ),
                "status": _many(_enum(FamilyStatus)),
                "kernel_status": _many(_enum(KernelStatus)),
                "tier": _many(_enum(Tier)),
                "resource": _ref("resources"),
                "fact": {
                    "anyOf": [
                        _TEXT,
                        {"type": "object", "minProperties": 1, "additionalProperties": value},
                    ]
                },
                "coverage": {
                    **_object(
                        keys.COVERAGE, {"archs": _many(_GLOB), "ptx": _enum(schema.PtxFallback)}
                    ),
                    "minProperties": 1,
                },
                "layer": _many(_enum(Layer)),
                "category": _many({"enum": list(CATEGORIES)}),
                "all": conditions,
                "any": conditions,
                "exclude": _ref("condition"),
                "not": _ref("condition"),
            },
        ),
        "minProperties": 1,
    }


def _resources() -> Json:
    relative = {key: _ref("compare") for key in keys.RESOURCE if key not in keys.COMPARE}
    test = {
        **_object(keys.RESOURCE, {**dict.fromkeys(keys.COMPARE, _NUMBER), **relative}),
        "minProperties": 1,
    }
    return {**_object(RESOURCES, dict.fromkeys(RESOURCES, test)), "minProperties": 1}


def _when(*, nested: bool) -> Json:
    properties: dict[str, Json] = {key: _ref("compare") for key in keys.MEASURE}
    properties["resource"] = _ref("resources")
    described = {key: text for key, text in keys.WHEN.items() if key != "any" or not nested}
    if not nested:
        properties["any"] = {"type": "array", "minItems": 1, "items": _ref("alternative")}
    return {**_object(described, properties), "minProperties": 1}


def _waiver() -> Json:
    return _object(
        keys.WAIVER,
        {
            "rule": _GLOB,
            "family": _GLOB,
            "arch": _GLOB,
            "reason": _TEXT,
            "owner": _TEXT,
            "expires": _DATE,
        },
        ["rule", "family", "reason", "owner", "expires"],
    )


def _test() -> Json:
    finding = _object(
        keys.FINDING,
        {
            "rule": _TEXT,
            "family": _TEXT,
            "arch": _TEXT,
            "layer": _enum(Layer),
            "count": _NATURAL,
            "waived": {"type": "boolean"},
        },
        ["rule"],
    )
    expect = {
        **_object(
            keys.EXPECT,
            {
                "verdict": _enum(Verdict),
                "findings": {"type": "array", "items": finding},
                "rules": {"type": "object", "additionalProperties": _enum(Outcome)},
            },
        ),
        "minProperties": 1,
    }
    return _object(
        keys.TEST,
        {
            "name": _TEXT,
            "today": _DATE,
            "states": {"type": "array", "minItems": 1, "items": _ref("state")},
            "expect": expect,
        },
        ["name", "states", "expect"],
    )


def _state() -> Json:
    missing = _object(
        keys.MISSING,
        {"place": _TEXT, "message": _TEXT, "arch": _TEXT, "layer": _enum(Layer)},
        ["place", "message"],
    )
    return _object(
        keys.STATE,
        {
            "label": _TEXT,
            "kernels": {"type": "array", "items": _ref("kernel")},
            "evidence": {"type": "object", "additionalProperties": _SCALAR},
            "missing": {"type": "array", "items": missing},
        },
        ["kernels"],
    )


def _kernel() -> Json:
    census: Json = {"type": "object", "additionalProperties": _NATURAL}
    resources = {name: RESOURCES[name] for name in CASE_RESOURCES}
    return _object(
        keys.KERNEL,
        {
            **dict.fromkeys(("family", "name", "symbol", "arch", "source"), _TEXT),
            "copies": {"type": "integer", "minimum": 1, "maximum": limits.MAX_CASE_COPIES},
            "ptx": census,
            "sass": census,
            "resources": _object(resources, dict.fromkeys(resources, _NATURAL)),
            "metadata": {"type": "object", "additionalProperties": _SCALAR},
            "facts": {
                "type": "object",
                "additionalProperties": {"type": ["string", "number", "boolean"]},
            },
            "tier": _enum(Tier),
        },
        ["family"],
    )
