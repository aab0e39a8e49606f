"""`sassay schema`: JSON Schemas of what sassay writes and reads."""

from __future__ import annotations

from typing import Annotated

import typer

from sassay.errors import UsageError


def schema_command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="state, diff, check, code, explain, bisect, parity, probe or policy.",
        ),
    ],
) -> None:
    """Print the JSON Schema (draft 2020-12) of a document.

    For example:

      sassay schema diff > diff.schema.json

      sassay schema policy > sassay-policy.schema.json   # for yaml-language-server
    """
    import json

    from sassay.cli.output import write_stdout

    write_stdout(json.dumps(_schema(name.removesuffix("/1")), indent=2, sort_keys=True) + "\n")


def _schema(name: str) -> dict[str, object]:
    if name == "policy":
        from sassay.policy import policy_schema

        return policy_schema()
    from sassay.report import SCHEMAS, schema

    known = {full.partition("/")[0]: full for full in SCHEMAS}
    if name not in known:
        names = ", ".join([*sorted(known), "policy"])
        raise UsageError(f"no schema is named {name!r}", hint=f"one of: {names}")
    found: dict[str, object] = schema(known[name])
    return found
