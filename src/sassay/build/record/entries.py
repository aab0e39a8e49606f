"""A compilation that a run made, as the entry of a manifest that makes it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from sassay.build.manifest import OptionValue, TypeTree
from sassay.build.options import check_option
from sassay.build.record.tagged import NoManifestForm, from_tagged
from sassay.build.signature import canonical_type, is_pointer
from sassay.build.values import FunctionRef, Literal, TupleValue, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.build.record.events import Compilation

_OF_THE_MACHINE = frozenset(
    {
        "arch", "backend_name", "warp_size", "extern_libs", "supported_fp8_dtypes",
        "deprecated_fp8_dot_operand_dtypes", "deprecated_fp8_dtypes",
        "allowed_dot_input_precisions", "max_num_imprecise_acc_default", "fpsan_homomorphic_casts",
    }
)  # fmt: skip
"""Options that Triton settles itself from the architecture and the installation."""


class Entry(msgspec.Struct, frozen=True):
    """What a manifest says of one compilation, beside where its function lies.

    Attributes:
        signature: Types of run-time parameters.
        constants: Constants by parameter.
        divisibility: Known divisors; `*` where every pointer has the same.
        options: Triton's options.
        arch: Such as `sm_90`.
    """

    signature: Mapping[str, TypeTree]
    constants: Mapping[str, Value]
    divisibility: Mapping[str, int]
    options: Mapping[str, OptionValue]
    arch: str

    def functions(self) -> Iterator[FunctionRef]:
        """Functions among the constants."""
        for value in self.constants.values():
            yield from _functions(value)


def entry_of(one: Compilation) -> Entry:
    """The entry of one compilation.

    Args:
        one: As the hook told it.

    Raises:
        NoManifestForm: Something in it that a manifest cannot say.
    """
    constants_at = {tuple(path): value for path, value in one.constants}
    signature: dict[str, TypeTree] = {}
    constants: dict[str, Value] = {}
    leaves: dict[tuple[int, ...], tuple[str, str]] = {}
    for number, name in enumerate(one.parameters):
        tree = _tree(one.signature.get(name, "constexpr"), (number,), constants_at, name, leaves)
        if _all_constant(tree):
            constants[name] = _as_constant(tree)
        else:
            signature[name] = tree
    return Entry(
        signature=signature,
        constants=constants,
        divisibility=_divisibility(one, leaves),
        options=_options(one),
        arch=f"sm_{one.arch}",
    )


def _tree(
    kind: Any,
    path: tuple[int, ...],
    constants: Mapping[tuple[int, ...], Any],
    name: str,
    leaves: dict[tuple[int, ...], tuple[str, str]],
) -> TypeTree:
    if isinstance(kind, list):
        return tuple(
            _tree(part, (*path, number), constants, f"{name}.{number}", leaves)
            for number, part in enumerate(kind)
        )
    if kind == "constexpr":
        return from_tagged(constants.get(path, {"none": True}))
    spelled = canonical_type(str(kind))
    if spelled is None:
        raise NoManifestForm(f"parameter `{name}` of type {kind}")
    leaves[path] = (name, spelled)
    return spelled


def _all_constant(tree: TypeTree) -> bool:
    if isinstance(tree, tuple):
        return all(_all_constant(part) for part in tree)
    return not isinstance(tree, str)


def _as_constant(tree: TypeTree) -> Value:
    if isinstance(tree, tuple):
        return TupleValue(tuple(_as_constant(part) for part in tree))
    return Literal(tree) if isinstance(tree, str) else tree


def _divisibility(
    one: Compilation, leaves: Mapping[tuple[int, ...], tuple[str, str]]
) -> dict[str, int]:
    found: dict[str, int] = {}
    for path, attributes in one.attributes:
        for attribute in attributes or ():
            if path not in leaves:
                continue
            if len(attribute) != 2 or attribute[0] != "tt.divisibility":
                raise NoManifestForm(f"parameter `{leaves[path][0]}` with {attribute}")
            found[leaves[path][0]] = int(attribute[1])
    pointers = [name for name, kind in leaves.values() if is_pointer(kind)]
    divisors = {found.get(name) for name in pointers}
    if len(pointers) > 1 and len(divisors) == 1 and (common := divisors.pop()) is not None:
        rest = {name: each for name, each in found.items() if name not in pointers}
        return {"*": common, **rest}
    return found


def _options(one: Compilation) -> dict[str, OptionValue]:
    found: dict[str, OptionValue] = {}
    for name, value in one.options.items():
        if name in _OF_THE_MACHINE or value is None:
            continue
        if not isinstance(value, bool | int | float | str) or check_option(name, value):
            raise NoManifestForm(f"the option {name} = {value}")
        found[name] = value
    return dict(sorted(found.items()))


def _functions(value: Value) -> Iterator[FunctionRef]:
    if isinstance(value, TupleValue):
        for item in value.items:
            yield from _functions(item)
    elif isinstance(value, FunctionRef):
        yield value
