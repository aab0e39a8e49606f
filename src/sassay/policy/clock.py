"""What day it is, for waivers: told by the caller, else by the build, else by the clock."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING

from sassay.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


def resolve_today(
    given: str | None = None, environment: Mapping[str, str] | None = None
) -> dt.date:
    """The date on which waivers are judged.

    Args:
        given: `YYYY-MM-DD` of `--today`, None where it was not given.
        environment: The process environment; `SOURCE_DATE_EPOCH` in it is seconds since 1970.

    Raises:
        UsageError: Neither is a date.
    """
    if given is not None:
        try:
            return dt.date.fromisoformat(given)
        except ValueError:
            raise UsageError(f"--today {given!r} is not a date", hint="YYYY-MM-DD") from None
    epoch = (os.environ if environment is None else environment).get("SOURCE_DATE_EPOCH")
    if epoch:
        try:
            return dt.datetime.fromtimestamp(int(epoch), tz=dt.UTC).date()
        except (ValueError, OverflowError, OSError):
            raise UsageError(
                f"SOURCE_DATE_EPOCH {epoch!r} is not a time", hint="whole seconds since 1970"
            ) from None
    return dt.datetime.now(tz=dt.UTC).date()
