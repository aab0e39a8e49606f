"""Reads a manifest file and refuses what is wrong in it, by line and key."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sassay.build.archs import canonical_arch, expected, known_archs
from sassay.build.expand import KernelTable, Layer, expand
from sassay.build.manifest import Manifest, OptionValue, TypeTree
from sassay.build.node import Node
from sassay.build.options import check_option
from sassay.build.signature import EXPECTED, canonical_type
from sassay.build.values import DTYPES, Dtype, FunctionRef, Literal, TupleValue, Value, from_python
from sassay.errors import InputError, LimitError, ManifestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCHEMA = "sassay/manifest/1"
MAX_MANIFEST_BYTES = 10 * 1024 * 1024

_TOP = ("schema", "label", "root", "search", "environment", "defaults", "kernel")
_LAYER = ("signature", "constants", "divisibility", "options", "types", "arch", "globals", "grid")
_KERNEL = ("name", "file", "module", "function", "variant", *_LAYER)
_VARIANT = ("name", *_LAYER)
_GRID = ("signature", "constants", "divisibility", "options", "types")


def load_manifest(
    path: Path | str, *, root: Path | str | None = None, archs: Sequence[str] = ()
) -> Manifest:
    """Reads, checks and expands a manifest. Nothing of the kernels' files is read yet.

    Args:
        path: The TOML file.
        root: Folder that replaces the manifest's own root, so that one manifest replays against
            another checkout.
        archs: Architectures of kernels for which the manifest names none.

    Raises:
        UsageError: An architecture of the caller is unknown.
        InputError: The file cannot be read.
        ManifestError: Something in it is wrong; the place is the line and the key's path.
        LimitError: The file or its expansion is larger than the bounds.
    """
    place = Path(path)
    document = _parse(place)
    top = Node(document, "", place, tuple(place.read_text(encoding="utf-8").splitlines()))
    top.only(_TOP)
    schema = top.text("schema", default=SCHEMA)
    if schema != SCHEMA:
        raise top.error("schema", f"unknown schema {schema!r}", f"expected {SCHEMA}")
    base = place.parent
    own_root = _inside(top, "root", base, top.text("root", default="."))
    folder = Path(root) if root is not None else own_root
    if not folder.is_dir():
        raise InputError("the root is not a folder", artifact=str(folder), hint="see --root")
    search = tuple(
        _inside(top, "search", folder, entry) for entry in top.texts("search", default=())
    )
    defaults = top.table("defaults")
    defaults.only(_LAYER)
    kernels = [
        _kernel(node, number) for number, node in enumerate(top.tables("kernel", required=True))
    ]
    return Manifest(
        path=place,
        root=folder,
        search=search,
        label=top.text("label", default=None),
        environment=_scalars(top.table("environment")),
        variants=expand(_with_archs(_layer(defaults), archs), kernels, artifact=str(place)),
    )


def _with_archs(defaults: Layer, archs: Sequence[str]) -> Layer:
    if defaults.archs is not None or not archs:
        return defaults
    return msgspec.structs.replace(defaults, archs=known_archs(archs))


def _parse(place: Path) -> dict[str, Any]:
    try:
        size = place.stat().st_size
        if size > MAX_MANIFEST_BYTES:
            raise LimitError(
                f"the manifest has {size} bytes",
                artifact=str(place),
                hint=f"at most {MAX_MANIFEST_BYTES}",
            )
        return tomllib.loads(place.read_bytes().decode("utf-8"))
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", artifact=str(place)) from error
    except UnicodeDecodeError as error:
        raise ManifestError(
            "not UTF-8 text",
            artifact=str(place),
            place=f"offset {error.start}",
            hint="a manifest is TOML",
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ManifestError(f"not TOML: {error}", artifact=str(place)) from error
    except RecursionError as error:
        raise ManifestError("nested too deeply", artifact=str(place)) from error


def _inside(node: Node, key: str, base: Path, entry: str) -> Path:
    """`entry` below `base`; refused where it climbs out."""
    if Path(entry).is_absolute() or not (base / entry).resolve().is_relative_to(base.resolve()):
        raise node.error(
            key, f"{entry!r} leaves the folder", "use --root for sources that lie elsewhere"
        )
    return base / entry


def _kernel(node: Node, number: int) -> KernelTable:
    node.only(_KERNEL)
    file = node.text("file", default=None)
    module = node.text("module", default=None)
    if (file is None) == (module is None):
        raise node.error(None, "a kernel needs either `file` or `module`", "one of the two")
    if file is not None and (Path(file).is_absolute() or ".." in Path(file).parts):
        raise node.error(
            "file", f"{file!r} leaves the root", "use --root for sources that lie elsewhere"
        )
    if module is not None and not all(part.isidentifier() for part in module.split(".")):
        raise node.error(
            "module", f"{module!r} is not a dotted module name", "such as pkg.layers.norm"
        )
    function = node.text("function")
    if not function.isidentifier():
        raise node.error("function", f"{function!r} is not a function name", "an identifier")
    variants = []
    for variant in node.tables("variant"):
        variant.only(_VARIANT)
        variants.append((variant.text("name", default=""), _layer(variant)))
    return KernelTable(
        number=number,
        name=node.text("name", default=function),
        file=file,
        module=module,
        function=function,
        layer=_layer(node),
        variants=tuple(variants),
    )


def _layer(node: Node) -> Layer:
    signature = node.table("signature")
    constants = node.table("constants")
    grid = node.table("grid")
    grid.only(_GRID)
    return Layer(
        node=node,
        signature={key: _type(signature, key, value) for key, value in signature.items()},
        constants={key: _constant(constants, key, value) for key, value in constants.items()},
        divisibility=_divisors(node.table("divisibility")),
        options=_options(node.table("options")),
        types=_types(node.table("types")),
        archs=_archs(node),
        globals={
            key: _constant(node.table("globals"), key, value)
            for key, value in node.table("globals").items()
        },
        grid=_grid(grid),
    )


def _grid(grid: Node) -> tuple[tuple[str, str, tuple[Any, ...]], ...]:
    axes: list[tuple[str, str, tuple[Any, ...]]] = []
    for section in grid.value:
        table = grid.table(section)
        for key, values in table.items():
            if not isinstance(values, list) or not values:
                raise table.error(key, "a grid axis is a list of values", "such as [4, 8]")
            axes.append(
                (section, key, tuple(_point(table, section, key, value) for value in values))
            )
    return tuple(axes)


def _point(table: Node, section: str, key: str, value: object) -> object:
    if section == "signature":
        return _type(table, key, value)
    if section == "constants":
        return _constant(table, key, value)
    one = table.child({key: value})
    if section == "options":
        return _options(one)[key]
    if section == "divisibility":
        return _divisors(one)[key]
    return _types(one)[key]


def _type(node: Node, key: str, value: object) -> TypeTree:
    if isinstance(value, str):
        if "{" in value:  # a placeholder of `types`, checked once it is filled in
            return value
        name = canonical_type(value)
        if name is None:
            raise node.error(key, f"{value!r} is not a type", EXPECTED)
        return name
    if isinstance(value, list):
        return tuple(_type(node, key, item) for item in value)
    if isinstance(value, dict) and set(value) == {"constant"}:
        return _constant(node, key, value["constant"])
    raise node.error(
        key, "not a type", "a string, a list for a tuple, or {constant = VALUE} inside one"
    )


def _constant(node: Node, key: str, value: object) -> Value:
    if isinstance(value, str) and value.startswith("tl.") and value[3:] in DTYPES:
        return Dtype(value[3:])
    if isinstance(value, list):
        return TupleValue(tuple(_constant(node, key, item) for item in value))
    if isinstance(value, dict):
        return _tagged(node, key, value)
    try:
        return from_python(value)
    except ValueError as error:
        raise node.error(
            key,
            f"{error} is not a constant",
            "a boolean, number, string, list, or one of {none}, {dtype}, {function}",
        ) from error


def _tagged(node: Node, key: str, value: Mapping[str, object]) -> Value:
    match value:
        case {"none": True, **rest} if not rest:
            return Literal(None)
        case {"dtype": str(name), **rest} if not rest and name.removeprefix("tl.") in DTYPES:
            return Dtype(name.removeprefix("tl."))
        case {"text": str(word), **rest} if not rest:
            return Literal(word)
        case {"function": str(name), **rest} if not rest and name.isidentifier():
            return FunctionRef("", name)
        case _:
            raise node.error(
                key,
                "not a constant",
                'use {none = true}, {dtype = "float16"}, {text = "..."} or {function = "NAME"}',
            )


def _divisors(node: Node) -> dict[str, int]:
    for key, value in node.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1 << 30:
            raise node.error(
                key, f"{value!r} is not a divisor", "an integer from 1; Triton itself uses 16"
            )
    return dict(node.items())


def _options(node: Node) -> dict[str, OptionValue]:
    for key, value in node.items():
        problem = check_option(key, value)
        if problem:
            raise node.error(key, *problem)
    return dict(node.items())


def _types(node: Node) -> dict[str, str]:
    for key, value in node.items():
        if not key.isidentifier():
            raise node.error(
                key, f"{key!r} is not a name for a type", "an identifier, used as {name}"
            )
        if not isinstance(value, str):
            raise node.error(key, "not a type", EXPECTED)
    return dict(node.items())


def _archs(node: Node) -> tuple[str, ...] | None:
    names = node.texts("arch", default=None)
    if names is None:
        return None
    found = []
    for name in names:
        arch = canonical_arch(name)
        if arch is None:
            raise node.error("arch", f"unknown architecture {name!r}", expected())
        found.append(arch)
    return tuple(found)


def _scalars(node: Node) -> dict[str, OptionValue]:
    for key, value in node.items():
        if not isinstance(value, bool | int | float | str):
            raise node.error(key, "not a single value", "a boolean, number or string")
    return dict(node.items())
