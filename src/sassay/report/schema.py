"""JSON Schema 2020-12 of the documents, from the types and docstrings that produce them.

`msgspec.json.schema` gives the structure. On top of it every property is required (documents
always carry all of them), unknown properties are refused, counts that cannot be negative say so,
and each field has the words of its docstring's `Attributes:` section.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

import msgspec

from sassay.errors import UsageError
from sassay.model import (
    artifact,
    change,
    fact,
    finding,
    kernel,
    layers,
    library,
    lines,
    parity,
    state,
)
from sassay.report import documents

SCHEMAS: tuple[str, ...] = tuple(sorted(documents.DOCUMENTS))
"""Names that `schema` takes; the version may be left out."""

_SIGNED = frozenset({"Deltas", "Evidence", "LineDelta", "Migration", "Moved", "Suspect"})
"""Records whose numbers may be negative; every other integer is a count, a size or an offset."""
_FREE_MAPS = frozenset({"environment", "metadata", "constants", "options", "facts", "value"})
_FIELD = re.compile(r"^    (\w+): (.*)$")


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of one document.

    Args:
        name: `state`, `diff`, `check`, `code`, `explain`, `bisect`, `parity` or `probe`, with or
            without `/1`.

    Returns:
        A JSON Schema 2020-12 object.

    Raises:
        UsageError: There is no such document.
    """
    full = name if "/" in name else f"{name}/1"
    kind = documents.DOCUMENTS.get(full)
    if kind is None:
        raise UsageError(f"no schema is named {name!r}", hint=f"one of {', '.join(SCHEMAS)}")
    (root,), definitions = msgspec.json.schema_components((kind,), ref_template="#/$defs/{name}")
    known = _record_docs()
    for title, definition in definitions.items():
        _tighten(title, definition, known)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:sassay:schema:{full.replace('/', ':')}",
        "title": f"sassay {full}",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def _tighten(title: str, definition: dict[str, Any], known: dict[str, str]) -> None:
    doc = inspect.cleandoc(known.get(_base_name(title), definition.get("description", "")))
    summary, fields = _split_doc(doc)
    if summary:
        _describe(definition, summary)
    if definition.get("type") != "object" or "properties" not in definition:
        return
    definition["additionalProperties"] = False
    properties = definition["properties"]
    definition["required"] = sorted(properties)
    for name, property_ in properties.items():
        property_.pop("default", None)
        if _base_name(title) not in _SIGNED and not title.startswith("Layered"):
            if name not in _FREE_MAPS:
                _not_negative(property_)
        elif title.startswith("Layered") and "Deltas" not in title:
            words = f"The {name.upper()} layer; null where the input does not hold it."
            property_.setdefault("description", words)
        if name in fields:
            _describe(property_, fields[name])


def _base_name(title: str) -> str:
    return re.split(r"[\[_]", title, maxsplit=1)[0]


def _describe(node: dict[str, Any], words: str) -> None:
    # 2020-12 allows keywords beside `$ref`. Readers of JSON know null, not None.
    node["description"] = re.sub(r"\bNone\b", "null", words)


def _not_negative(node: Any) -> None:
    """Give every integer below `node` a minimum of 0."""
    if isinstance(node, dict):
        if node.get("type") == "integer":
            node["minimum"] = 0
        for key in ("items", "prefixItems", "anyOf", "additionalProperties"):
            _not_negative(node.get(key))
    elif isinstance(node, list):
        for item in node:
            _not_negative(item)


def _split_doc(doc: str) -> tuple[str, dict[str, str]]:
    """A Google-style docstring as its prose and its attributes' words."""
    prose, _, rest = doc.partition("Attributes:\n")
    fields: dict[str, str] = {}
    current = ""
    for line in rest.splitlines():
        match = _FIELD.match(line)
        if match:
            current = match[1]
            fields[current] = match[2]
        elif current and line.strip():
            fields[current] += " " + line.strip()
    return " ".join(prose.split()), fields


def _record_docs() -> dict[str, str]:
    """Docstrings of the records by class name; msgspec drops those of generic instances."""
    docs: dict[str, str] = {}
    for module in (
        artifact,
        fact,
        layers,
        library,
        lines,
        kernel,
        state,
        change,
        finding,
        parity,
        documents,
    ):
        for name, kind in vars(module).items():
            if inspect.isclass(kind) and kind.__doc__:
                docs[name] = kind.__doc__
    return docs
