"""Writes the manifest that compiles again what a run compiled, from any revision's sources."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sassay.build.extract import Extracted, Extractor
from sassay.build.load import SCHEMA
from sassay.build.manifest import Variant
from sassay.build.modules import ModuleFinder, SourceFile
from sassay.build.record import toml
from sassay.build.record.entries import Entry, entry_of
from sassay.build.record.tagged import NoManifestForm, from_tagged, unwrapped
from sassay.build.resolve import resolve_arguments
from sassay.build.values import Value
from sassay.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sassay.build.record.events import Compilation

_INSTALLED = frozenset({"site-packages", "dist-packages"})
_SHOWN = 40


class LeftOut(msgspec.Struct, frozen=True, order=True):
    """A function that a manifest cannot compile again, and why."""

    function: str
    place: str
    why: str


class Replay(msgspec.Struct, frozen=True):
    """A manifest, and what it holds.

    Attributes:
        text: TOML; empty where nothing can be compiled again.
        functions: Functions in it.
        compilations: Compilations in it.
        generated: Compilations of functions that Inductor generates anew in each run.
        left_out: Everything else that it does not hold.
    """

    text: str
    functions: int
    compilations: int
    generated: int
    left_out: tuple[LeftOut, ...]


class _Function(msgspec.Struct, frozen=True):
    """A function and its compilations; `where` is the manifest's `file` or `module` entry."""

    where: tuple[str, str]
    name: str
    globals: Mapping[str, Value]
    entries: tuple[Entry, ...]


class _Sources:
    """The files below one root, each parsed once."""

    def __init__(self, root: Path) -> None:
        self._finder = ModuleFinder(root, ())
        self.extractor = Extractor(self._finder)

    def find(self, where: tuple[str, str]) -> SourceFile:
        kind, name = where
        return self._finder.by_file(name) if kind == "file" else self._finder.by_module(name)


def replay_manifest(
    compilations: Sequence[Compilation],
    *,
    root: Path,
    folder: Path,
    generated: Sequence[Path] = (),
) -> Replay:
    """The manifest of what was compiled; every entry is tried against the sources before.

    Args:
        compilations: As the hook told them, without those that were only tried.
        root: Folder of the sources, such as the checkout.
        folder: Where the manifest will lie; its `root` is written where it lies below.
        generated: Folders whose functions are written anew in each run.
    """
    root = root.resolve()
    sources = _Sources(root)
    written, left_out = 0, set()
    by_function: dict[tuple[str, str, str], list[Compilation]] = {}
    for one in compilations:
        path = Path(one.file) if one.file else None
        if one.backend != "cuda":
            continue
        if path is not None and any(path.is_relative_to(each) for each in generated):
            written += 1
        elif path is None or one.language != "ASTSource":
            left_out.add(LeftOut(one.name or one.hash, "", f"compiled from a {one.language}"))
        else:
            by_function.setdefault((str(path), one.module, one.name), []).append(one)
    functions = []
    for (file, module, name), each in sorted(by_function.items()):
        where = _where(Path(file), module, root)
        try:
            functions.append(_function(where, name, each, sources))
        except (NoManifestForm, CompileError) as error:
            left_out.add(LeftOut(name, where[1], _clause(error)))
    archs = {entry.arch for function in functions for entry in function.entries}
    lines = [*_notes(left_out, written), *_head(root, folder, archs)]
    for function in functions:
        lines += ["", *_kernel(function, single_arch=len(archs) == 1)]
    return Replay(
        text="\n".join([*lines, ""]) if functions else "",
        functions=len(functions),
        compilations=sum(len(function.entries) for function in functions),
        generated=written,
        left_out=tuple(sorted(left_out)),
    )


def _where(file: Path, module: str, root: Path) -> tuple[str, str]:
    """A file of the checkout by its path, an installed one by its module's name."""
    try:
        below = file.resolve().relative_to(root)
    except ValueError:
        return ("module", module)
    if _INSTALLED & set(below.parts):
        return ("module", module)
    return ("file", below.as_posix())


def _function(
    where: tuple[str, str],
    name: str,
    compilations: Sequence[Compilation],
    sources: _Sources,
) -> _Function:
    entries = [entry_of(one) for one in compilations]
    file = compilations[0].file
    for function in {each for entry in entries for each in entry.functions()}:
        if file is None or Path(function.unit).resolve() != Path(file).resolve():
            raise NoManifestForm(f"function {function.name} of another file as a constant")
    also = tuple(sorted({each.name for entry in entries for each in entry.functions()}))
    recorded = _recorded(compilations)
    supplied, extracted = _supplied(where, name, recorded, also, sources)
    for entry in entries:
        resolve_arguments(extracted, _variant(where, name, entry, supplied))
    unique = {msgspec.json.encode(entry, order="deterministic"): entry for entry in entries}
    return _Function(where, name, supplied, tuple(entry for _, entry in sorted(unique.items())))


def _recorded(compilations: Sequence[Compilation]) -> dict[str, Value]:
    """Module-level values that every compilation agrees on."""
    found: dict[str, Value] = {}
    unsure: set[str] = set()
    for one in compilations:
        for name, tagged in one.globals.items():
            try:
                value = from_tagged(tagged)
            except NoManifestForm:
                continue
            if found.setdefault(name, value) != value:
                unsure.add(name)
    return {name: value for name, value in sorted(found.items()) if name not in unsure}


def _supplied(
    where: tuple[str, str],
    name: str,
    recorded: Mapping[str, Value],
    also: tuple[str, ...],
    sources: _Sources,
) -> tuple[dict[str, Value], Extracted]:
    """The values that the sources do not tell by themselves, or tell otherwise than the run.

    What the sources tell is left to them, so that a revision that changes it shows.
    """
    source = sources.find(where)

    def extract(supplied: Mapping[str, Value]) -> Extracted:
        return sources.extractor.extract(source, name, supplied=supplied, also=also)

    needed: dict[str, Value] = {}
    try:
        extracted = extract(needed)
    except CompileError:
        if not recorded:
            raise
        extracted = extract(recorded)
        needed = dict(recorded)
        for each in recorded:
            fewer = {key: value for key, value in needed.items() if key != each}
            try:
                extracted = extract(fewer)
            except CompileError:
                continue
            needed = fewer
    told: dict[str, set[bytes]] = {}
    for unit in extracted.extraction.units:
        for key, value in unit.bindings.items():
            told.setdefault(key, set()).add(msgspec.json.encode(unwrapped(value)))
    for key, value in recorded.items():
        if key in told and key not in needed and told[key] != {msgspec.json.encode(value)}:
            needed[key] = value
    needed = dict(sorted(needed.items()))
    return needed, extract(needed)


def _variant(
    where: tuple[str, str], name: str, entry: Entry, supplied: Mapping[str, Value]
) -> Variant:
    return Variant(
        kernel=0,
        name="",
        title=name,
        file=where[1] if where[0] == "file" else None,
        module=where[1] if where[0] == "module" else None,
        function=name,
        signature=entry.signature,
        constants=entry.constants,
        divisibility=entry.divisibility,
        options=entry.options,
        archs=(entry.arch,),
        globals=supplied,
    )


def _clause(error: Exception) -> str:
    if isinstance(error, CompileError):
        place = f"{error.place}: " if error.place else ""
        return f"{place}{error.message}"
    return f"a manifest has no form for {error}"


def _notes(left_out: Iterable[LeftOut], generated: int) -> Iterator[str]:
    yield "# What a recorded run compiled with Triton. On any checkout, without a GPU:"
    yield "#   sassay compile THIS_FILE --root CHECKOUT -o OUT.sassay"
    missing = sorted(left_out)
    if missing:
        yield f"# Not in it ({len(missing)}):"
        yield from (
            "#   " + " ".join(f"{each.function} {each.place}: {each.why}".split())
            for each in missing[:_SHOWN]
        )
        if len(missing) > _SHOWN:
            yield f"#   and {len(missing) - _SHOWN} more"
    if generated:
        yield f"# Nor {generated} that Inductor generates: they come from the model, not a file."


def _head(root: Path, folder: Path, archs: set[str]) -> Iterator[str]:
    yield f"schema = {toml.string(SCHEMA)}"
    below = _below(root, folder)
    if below not in {None, "."}:
        yield f"root = {toml.string(str(below))}"
    if len(archs) == 1:
        yield f"defaults.arch = {toml.string(next(iter(archs)))}"


def _below(root: Path, folder: Path) -> str | None:
    """The root as a manifest may say it: at or below its own folder."""
    try:
        return root.relative_to(folder.resolve()).as_posix()
    except ValueError:
        return None


def needs_root(root: Path, folder: Path) -> bool:
    """Whether a manifest in `folder` must be compiled with `--root`."""
    return _below(root.resolve(), folder) is None


def _kernel(function: _Function, *, single_arch: bool) -> Iterator[str]:
    yield "[[kernel]]"
    yield f"{function.where[0]} = {toml.string(function.where[1])}"
    yield f"function = {toml.string(function.name)}"
    tables = [_tables(entry, single_arch=single_arch) for entry in function.entries]
    common = {
        section: {
            key: value
            for key, value in tables[0][section].items()
            if all(each[section].get(key) == value for each in tables)
        }
        for section in tables[0]
    }
    common["globals"] = {key: toml.constant(value) for key, value in function.globals.items()}
    yield from _sections(common)
    if len(tables) == 1:
        return
    for each in tables:
        own = {
            section: {key: value for key, value in entries.items() if key not in common[section]}
            for section, entries in each.items()
        }
        yield "[[kernel.variant]]"
        yield from _sections(own)


def _sections(tables: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for section, entries in tables.items():
        if section == "arch":
            yield from (f"arch = {value}" for value in entries.values())
        else:
            yield from toml.table(section, entries)


def _tables(entry: Entry, *, single_arch: bool) -> dict[str, dict[str, str]]:
    return {
        "arch": {} if single_arch else {"arch": toml.string(entry.arch)},
        "signature": {name: toml.type_tree(tree) for name, tree in entry.signature.items()},
        "constants": {name: toml.constant(value) for name, value in entry.constants.items()},
        "divisibility": {name: str(divisor) for name, divisor in entry.divisibility.items()},
        "options": {name: toml.option(value) for name, value in entry.options.items()},
    }
