"""Which kernel a step means: chosen by name, architecture and what it was compiled for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING

from sassay.errors import UsageError
from sassay.machine.load import load_program
from sassay.machine.types import TYPES

if TYPE_CHECKING:
    from sassay.machine.parity.contract import Step
    from sassay.machine.program import Program
    from sassay.model.artifact import Scalar

_LISTED = 4


@dataclass(frozen=True)
class KernelCode:
    """The PTX of one kernel, and what its launch needs.

    Attributes:
        symbol: Of the entry.
        names: What globs may call it: symbol, demangled name, family, the manifest's own name.
        arch: Such as `sm_90a`.
        text: The module.
        artifact: What the module is called in errors.
        signature: Type by parameter, in order, `constexpr` for constants; empty where the front
            end does not say.
        constants: Compile-time constants.
        options: `num_warps` and the like.
        divisibility: Known divisor by parameter.
        block: Threads that a launch needs; None where nothing says.
        shared: Bytes of dynamic shared memory.
        variant: The manifest's name of the instance.
    """

    symbol: str
    names: tuple[str, ...]
    arch: str
    text: str
    artifact: str
    signature: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, Scalar] = field(default_factory=dict)
    options: Mapping[str, Scalar] = field(default_factory=dict)
    divisibility: Mapping[str, int] = field(default_factory=dict)
    block: tuple[int, int, int] | None = None
    shared: int = 0
    variant: str = ""

    @cached_property
    def program(self) -> Program:
        """The lowered entry.

        Raises:
            FormatError: The module does not parse.
            UnsupportedInstruction: It uses forms that the machine does not have.
        """
        return load_program(self.text, self.symbol, artifact=self.artifact)

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters that a launch passes, in order.

        Raises:
            UsageError: The names that the front end gives do not fit the parameters.
        """
        named = [(name, kind) for name, kind in self.signature.items() if kind != "constexpr"]
        params = self.program.params
        if not named:
            return tuple(each.name for each in params)
        fits = len(named) <= len(params) and all(
            (kind.startswith("*") or kind.endswith("64")) == (TYPES[each.type].bits == 64)
            for (_, kind), each in zip(named, params, strict=False)
            if each.type in TYPES
        )
        if not fits:
            raise UsageError(
                f"the parameters of {self.symbol} are not in the order of its signature",
                hint="give arguments as a list, or capture it again",
            )
        return tuple(name for name, _ in named)

    @property
    def facts(self) -> dict[str, Scalar]:
        """What `where` may ask for."""
        types = {key: value for key, value in self.signature.items() if value != "constexpr"}
        return {"arch": self.arch, **self.options, **types, **self.constants}


Kernels = Callable[[str, Sequence[str]], Sequence[KernelCode]]
"""Gives the kernels of an origin (a manifest, or any INPUT of the command line); others than those
that some glob matches may be left out."""


class Chooser:
    """Finds kernels, each origin read once.

    Args:
        kernels: Gives all kernels of an origin.
    """

    def __init__(self, kernels: Kernels) -> None:
        self._kernels = kernels
        self._known: dict[str, Sequence[KernelCode]] = {}
        self._wanted: dict[str, dict[str, None]] = {}
        self._read_for: dict[str, tuple[str, ...]] = {}

    def prepare(self, steps: Sequence[Step]) -> tuple[str, ...]:
        """Say which steps will be asked for, before anything of their origins is.

        Returns:
            Their origins, each once.
        """
        for step in steps:
            self._wanted.setdefault(step.origin, {})[step.kernel] = None
        return tuple(dict.fromkeys(step.origin for step in steps))

    def all(self, origin: str) -> Sequence[KernelCode]:
        """All kernels of an origin.

        Raises:
            SassayError: It cannot be read.
        """
        wanted = tuple(self._wanted.get(origin, ()))
        if origin not in self._known or self._read_for[origin] != wanted:
            self._known[origin] = self._kernels(origin, wanted)
            self._read_for[origin] = wanted
        return self._known[origin]

    def choose(self, step: Step, names: Mapping[str, Scalar]) -> KernelCode:
        """The kernel of a step.

        Args:
            step: Which one.
            names: Dimensions and types, for placeholders in `where`.

        Raises:
            UsageError: None or several match.
        """
        found = [each for each in self.all(step.origin) if _named(each, step.kernel)]
        if not found:
            known = sorted({each.symbol for each in self.all(step.origin)})
            raise UsageError(
                f"no kernel matches {step.kernel!r} in {step.origin}",
                hint=f"it has {', '.join(known[: _LISTED * 2])}",
            )
        where = {key: _filled(value, names) for key, value in step.where.items()}
        kept = [each for each in found if step.arch is None or _of_arch(each, step.arch)]
        kept = [each for each in kept if all(_holds(each, *part) for part in where.items())]
        texts = {(each.text, each.symbol, each.block, each.shared) for each in kept}
        if len(texts) == 1:
            return kept[0]
        asked = ", ".join(f"{key} = {value}" for key, value in where.items())
        words = f"{step.kernel!r}{f' with {asked}' if asked else ''}"
        titles = "; ".join(_titles(kept or found)[:_LISTED])
        if not kept:
            raise UsageError(f"no instance of {words} in {step.origin}", hint=f"it has {titles}")
        raise UsageError(
            f"{len(kept)} kernels match {words} in {step.origin}",
            hint=f"narrow it with where or arch: {titles}",
        )


def _titles(codes: Sequence[KernelCode]) -> list[str]:
    """What tells some kernels from each other."""
    keys = sorted({key for code in codes for key in code.facts})
    apart = [key for key in keys if len({str(code.facts.get(key)) for code in codes}) > 1]
    titles = [
        ", ".join(f"{key} = {code.facts[key]}" for key in apart if key in code.facts) or code.symbol
        for code in codes
    ]
    return list(dict.fromkeys(titles))


def _named(code: KernelCode, glob: str) -> bool:
    return any(fnmatchcase(name, glob) for name in (code.symbol, *code.names))


def _of_arch(code: KernelCode, glob: str) -> bool:
    plain = code.arch.rstrip("af")
    return fnmatchcase(code.arch, glob) or fnmatchcase(plain, glob)


def _filled(value: Scalar, names: Mapping[str, Scalar]) -> Scalar:
    if not isinstance(value, str):
        return value
    for name, given in names.items():
        value = value.replace(f"{{{name}}}", str(given))
    return value


def _holds(code: KernelCode, name: str, wanted: Scalar) -> bool:
    if name == "variant":
        return code.variant == wanted
    for table in (code.constants, code.options, code.signature, code.divisibility):
        if name in table and table[name] != "constexpr":
            return str(table[name]) == str(wanted)
    return False


def star_of(code: KernelCode, pattern: str) -> str | None:
    """What the only `*` of a pattern stands for in a kernel's symbol; None if it does not match."""
    before, _, after = pattern.partition("*")
    name = code.symbol
    fits = name.startswith(before) and name.endswith(after) and len(name) > len(before + after)
    return name[len(before) : len(name) - len(after)] if fits else None
