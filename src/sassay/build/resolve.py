"""Fits a variant's types and constants to a kernel's parameters."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from sassay.build.signature import NONE, is_pointer
from sassay.build.values import FunctionRef, Literal, TupleValue, Value
from sassay.build.wire import Job, SignatureTree
from sassay.errors import CompileError

if TYPE_CHECKING:
    from sassay.build.extract import Extracted
    from sassay.build.manifest import TypeTree, Variant

_Path = tuple[int, ...]


class Arguments(msgspec.Struct, frozen=True):
    """A variant's arguments in the kernel's own order."""

    signature: tuple[tuple[str, SignatureTree], ...]
    constants: tuple[tuple[_Path, Value], ...]
    divisibility: tuple[tuple[_Path, int], ...]
    named_constants: Mapping[str, Value]
    named_divisibility: Mapping[str, int]

    def job(self, extracted: Extracted, variant: Variant, arch: int) -> Job:
        """The compilation for one architecture."""
        return Job(
            extraction=extracted.extraction,
            signature=self.signature,
            constants=self.constants,
            divisibility=self.divisibility,
            options=variant.options,
            arch=arch,
        )


def resolve_arguments(extracted: Extracted, variant: Variant) -> Arguments:
    """Every parameter gets a type or a constant.

    Raises:
        CompileError: A parameter has neither, or the variant names one that does not exist.
    """
    names = [parameter.name for parameter in extracted.parameters]
    _check_names(extracted, variant, names)
    signature: list[tuple[str, SignatureTree]] = []
    constants: list[tuple[_Path, Value]] = []
    named: dict[str, Value] = {}
    for number, parameter in enumerate(extracted.parameters):
        tree = variant.signature.get(parameter.name)
        constant = variant.constants.get(parameter.name)
        if tree is None and constant is None:
            constant = parameter.default
        if constant is None and tree == NONE:
            constant = Literal(None)
        if constant is not None:
            constant = _localize(constant, extracted.file)
            signature.append((parameter.name, _constant_tree(constant)))
            constants += _leaves((number,), constant)
            named[parameter.name] = constant
        elif tree is None:
            kind = "constant" if parameter.is_constexpr else "type"
            raise _error(
                extracted,
                f"parameter `{parameter.name}` has no {kind}",
                f"add it to the kernel's {'constants' if parameter.is_constexpr else 'signature'}",
            )
        elif parameter.is_constexpr:
            raise _error(
                extracted,
                f"parameter `{parameter.name}` is a constexpr and has a type",
                "give it a value in `constants`",
            )
        else:
            signature.append(
                (parameter.name, _types((number,), tree, constants, named, parameter.name))
            )
    places, divisors = _divisibility(variant, signature, extracted)
    return Arguments(
        signature=tuple(signature),
        constants=tuple(constants),
        divisibility=places,
        named_constants=named,
        named_divisibility=divisors,
    )


def unknown_parameters(variant: Variant, extracted: Extracted) -> list[str]:
    """Names of a variant's types, constants and divisors that are no parameters, sorted."""
    names = {parameter.name for parameter in extracted.parameters} | {"*"}
    given = {*variant.signature, *variant.constants, *variant.divisibility}
    return sorted(name for name in given if name.split(".")[0] not in names)


def without_unknown(variant: Variant, extracted: Extracted) -> Variant:
    """The variant as far as the function's parameters go."""
    unknown = set(unknown_parameters(variant, extracted))
    if not unknown:
        return variant
    return msgspec.structs.replace(
        variant,
        signature={key: value for key, value in variant.signature.items() if key not in unknown},
        constants={key: value for key, value in variant.constants.items() if key not in unknown},
        divisibility={
            key: value for key, value in variant.divisibility.items() if key not in unknown
        },
    )


def _check_names(extracted: Extracted, variant: Variant, names: list[str]) -> None:
    for section, given in (("signature", variant.signature), ("constants", variant.constants)):
        for key in given:
            if key not in names:
                close = difflib.get_close_matches(key, names, n=1)
                hint = f"did you mean `{close[0]}`?" if close else "it takes " + ", ".join(names)
                raise _error(extracted, f"{section} names `{key}`, which is no parameter", hint)


def _localize(value: Value, file: str) -> Value:
    if isinstance(value, FunctionRef) and not value.unit:
        return FunctionRef(file, value.name)
    if isinstance(value, TupleValue):
        return TupleValue(tuple(_localize(item, file) for item in value.items))
    return value


def _constant_tree(value: Value) -> SignatureTree:
    """Triton describes a tuple of constants as a tuple of `constexpr`."""
    if isinstance(value, TupleValue):
        return tuple(_constant_tree(item) for item in value.items)
    return "constexpr"


def _leaves(path: _Path, value: Value) -> list[tuple[_Path, Value]]:
    if isinstance(value, TupleValue):
        return [
            leaf
            for number, item in enumerate(value.items)
            for leaf in _leaves((*path, number), item)
        ]
    return [(path, value)]


def _types(
    path: _Path,
    tree: TypeTree,
    constants: list[tuple[_Path, Value]],
    named: dict[str, Value],
    name: str,
) -> SignatureTree:
    if isinstance(tree, tuple):
        return tuple(
            _types((*path, number), item, constants, named, f"{name}.{number}")
            for number, item in enumerate(tree)
        )
    if isinstance(tree, str) and tree != NONE:
        return tree
    value = Literal(None) if isinstance(tree, str) else tree
    constants += _leaves(path, value)
    named[name] = value
    return _constant_tree(value)


def _divisibility(
    variant: Variant, signature: Iterable[tuple[str, SignatureTree]], extracted: Extracted
) -> tuple[tuple[tuple[_Path, int], ...], dict[str, int]]:
    leaves: dict[str, tuple[_Path, str]] = {}
    for number, (name, tree) in enumerate(signature):
        _named_leaves(name, (number,), tree, leaves)
    found: dict[str, int] = {}
    everywhere = variant.divisibility.get("*")
    if everywhere is not None:
        found = {name: everywhere for name, (_, kind) in leaves.items() if is_pointer(kind)}
    for name, divisor in variant.divisibility.items():
        if name == "*":
            continue
        if name in leaves and leaves[name][1] != "constexpr":
            found[name] = divisor
        elif not any(name == leaf.split(".")[0] for leaf in leaves):
            raise _error(
                extracted,
                f"divisibility names `{name}`, which is no parameter",
                "or `*` for every pointer",
            )
    kept = {name: divisor for name, divisor in found.items() if divisor > 1}
    ordered = [name for name in leaves if name in kept]
    return tuple((leaves[name][0], kept[name]) for name in ordered), {
        name: kept[name] for name in ordered
    }


def _named_leaves(
    name: str, path: _Path, tree: SignatureTree, leaves: dict[str, tuple[_Path, str]]
) -> None:
    if isinstance(tree, tuple):
        for number, item in enumerate(tree):
            _named_leaves(f"{name}.{number}", (*path, number), item, leaves)
    else:
        leaves[name] = (path, tree)


def _error(extracted: Extracted, message: str, hint: str) -> CompileError:
    return CompileError(message, artifact=extracted.file, place=f"line {extracted.line}", hint=hint)
