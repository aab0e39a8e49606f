"""What a package re-exports is imported when it is first asked for.

A process that reads cubins, or one subcommand, then loads the modules that it uses and no others.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Package(ModuleType):
    """A package whose exports come when they are asked for."""

    _homes: dict[str, str]

    def __getattr__(self, name: str) -> object:
        homes: dict[str, str] = self.__dict__.get("_homes", {})
        if name not in homes:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        found: object = getattr(import_module(homes[name], self.__name__), name)
        self.__dict__[name] = found
        return found

    def __setattr__(self, name: str, value: object) -> None:
        # The import system binds each module that it loads to its name in the package, where
        # an export may have the same name (`discover.discover`): the export is meant.
        if not (isinstance(value, ModuleType) and name in self._homes):
            super().__setattr__(name, value)


def export(package: str, modules: Mapping[str, str]) -> None:
    """Let a package export names of its modules, which are imported when that is necessary.

    The package imports the same names under `TYPE_CHECKING`, for type checkers and import-linter.

    Args:
        package: Its `__name__`.
        modules: By module (`.build`: one in the package), the names that it exports,
            blank-separated.
    """
    module = sys.modules[package]
    homes = {name: home for home, names in modules.items() for name in names.split()}
    module.__dict__.update(_homes=homes, __all__=sorted(homes))
    module.__class__ = _Package
