"""Triton cache entries and kernel dumps, also copied ones and ones stored binary-only.

One folder holds `<name>.{source,ttir,ttgir,llir,ptx,cubin,json}` of one compilation (a dump has
no JSON). `__grp__<name>.json` lists absolute paths, which a copied cache breaks, so the folder is
scanned instead. Layout: triton/runtime/cache.py and triton/compiler/compiler.py.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from sassay.errors import SassayError
from sassay.model.artifact import (
    Artifact,
    ArtifactKind,
    CompileInfo,
    Scalar,
    Source,
    SourceKind,
)
from sassay.model.state import Diagnostic, Level
from sassay.sources import sidecar
from sassay.sources.ptx_text import decode_ptx
from sassay.sources.triton_metadata import TritonMetadata, read_metadata
from sassay.sources.ttir import TtirHeader, module_options, read_header

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sassay.sources.context import Context
    from sassay.sources.entry import Entry, Folder, Found

GROUP_PREFIX = "__grp__"
MAX_LONE_JSON = 1 << 16
"""A JSON with nothing beside it is looked at only where it may be half of a cache entry."""
_SIDECAR = "sassay.json"
_STAGES = ("source", "ttir", "ttgir", "glir", "llir", "ptx", "cubin", "sass")
_IR_STAGES = frozenset({"source", "ttir", "ttgir", "glir", "llir"})
_HEADER_STAGES = ("ttir", "source", "ttgir", "glir")
_INDUCTOR_NAME = re.compile(r"triton_[a-z]{2,12}_(fused|unknown)\w*")


def read(folder: Folder, context: Context) -> Iterator[Found]:
    """Yield the compilations of one folder, where it is a Triton cache entry or dump."""
    for name in folder.entries:
        if name.startswith(GROUP_PREFIX) and name.endswith(".json"):
            folder.taken.add(name)
    for stem, stages in sorted(_compilations(folder).items()):
        yield from _read_compilation(folder, stem, stages, context)


def is_inductor_name(name: str) -> bool:
    """Whether a function's name is one that Inductor gives to what it generates."""
    return _INDUCTOR_NAME.fullmatch(name) is not None


def _compilations(folder: Folder) -> dict[str, dict[str, Entry]]:
    """Files of the folder by stem and stage, for stems that may be Triton's."""
    stems: dict[str, dict[str, Entry]] = {}
    for name, entry in folder.entries.items():
        stem, dot, suffix = name.rpartition(".")
        if name.endswith(sidecar.SUFFIX):
            stems.setdefault(name.removesuffix(sidecar.SUFFIX), {})[_SIDECAR] = entry
        elif dot and name not in folder.taken and (suffix in _STAGES or suffix == "json"):
            stems.setdefault(stem, {})[suffix] = entry
    return {
        stem: stages
        for stem, stages in stems.items()
        if "json" in stages or _IR_STAGES & stages.keys()
    }


def _read_compilation(
    folder: Folder, stem: str, stages: Mapping[str, Entry], context: Context
) -> Iterator[Found]:
    has_code = bool(stages.keys() & {"cubin", "ptx"})
    has_ir = bool(stages.keys() & _IR_STAGES)
    metadata: TritonMetadata | None = None
    if "json" in stages:
        place = folder.place(f"{stem}.json")
        if not has_code and not has_ir and stages["json"].size > MAX_LONE_JSON:
            return
        try:
            metadata = read_metadata(bytes(stages["json"].load()), artifact=place)
        except (SassayError, OSError) as error:
            if has_code or has_ir:
                folder.taken.add(f"{stem}.json")
                yield _bad(place, error)
        else:
            if metadata is None and has_code:
                folder.taken.add(f"{stem}.json")
                yield Diagnostic(
                    Level.ERROR, place, "no Triton metadata: expected keys num_warps and target"
                )
        if metadata is None and not has_ir:
            return  # the code, if any, is read as loose files
    folder.taken.update(f"{stem}.{stage}" for stage in stages)
    if metadata is not None and metadata.backend != "cuda":
        context.without_code += 1
        context.counts["skipped_files"] += len(stages)
        return
    if metadata is not None and metadata.arch is not None:
        number = metadata.arch
        if not context.wants(f"sm_{number}", f"sm_{number}a", f"sm_{number}f"):
            context.counts["filtered_artifacts"] += len(stages.keys() & {"cubin", "ptx"})
            return
    yield from _read_code(folder, stem, stages, metadata, context)


def _read_code(
    folder: Folder,
    stem: str,
    stages: Mapping[str, Entry],
    metadata: TritonMetadata | None,
    context: Context,
) -> Iterator[Found]:
    compilation = folder.place(stem)
    cubin = stages.get("cubin")
    if cubin is None and metadata is None and "ptx" not in stages:
        return  # IR without code: a dump that stopped early, or no Triton compilation at all
    if cubin is None and metadata is not None:
        yield Diagnostic(
            Level.ERROR,
            compilation,
            f"half-written cache entry: expected {stem}.cubin beside {stem}.json",
        )
        return
    if cubin is not None and cubin.size == 0:
        yield Diagnostic(Level.ERROR, folder.place(f"{stem}.cubin"), "0 bytes: expected a cubin")
        return
    info = _compile_info(stem, stages, metadata)
    if _SIDECAR in stages:
        place = folder.place(f"{stem}.{_SIDECAR}")
        try:
            info = _with_sidecar(info, bytes(stages[_SIDECAR].load()), place)
        except (SassayError, OSError) as error:
            yield _bad(place, error)
    kind = SourceKind.INDUCTOR if is_inductor_name(info.name) else SourceKind.TRITON
    for stage, artifact_kind in (("ptx", ArtifactKind.PTX), ("cubin", ArtifactKind.CUBIN)):
        if stage not in stages:
            continue
        place = folder.place(f"{stem}.{stage}")
        context.report(place)
        try:
            data = bytes(stages[stage].load())
            if artifact_kind is ArtifactKind.PTX:
                data = decode_ptx(data, artifact=place)
        except (SassayError, OSError) as error:
            yield _bad(place, error, layer="ptx" if stage == "ptx" else None)
            continue
        context.counts["artifacts"] += 1
        yield Artifact(
            kind=artifact_kind,
            source=Source(kind, place),
            data=data,
            compilation=compilation,
            compile=info,
        )


def _compile_info(
    stem: str, stages: Mapping[str, Entry], metadata: TritonMetadata | None
) -> CompileInfo:
    header = _header(stages)
    options: Mapping[str, Scalar] = metadata.options if metadata else {}
    launch: Mapping[str, Scalar] = metadata.launch if metadata else {}
    if metadata is None and (text := _text(stages.get("ttgir"))):
        named = module_options(text)
        options = {key: value for key, value in named.items() if key == "num_warps" or value != 1}
        options = {key: value for key, value in options.items() if key != "shared"}
        launch = {**options, **{key: value for key, value in named.items() if key == "shared"}}
    name = (metadata.name if metadata else "") or (header.name if header else "") or stem
    return CompileInfo(
        name=name,
        signature=header.signature if header else {},
        divisibility=header.divisibility if header else {},
        options=options,
        metadata=launch,
        frontend=metadata.frontend if metadata else None,
        location=header.location if header else None,
    )


def _with_sidecar(info: CompileInfo, data: bytes, place: str) -> CompileInfo:
    """Signature and divisibility stay Triton's own, so that live caches compare with these."""
    record = sidecar.read_sidecar(data, artifact=place)
    return msgspec.structs.replace(
        info, constants=record.constants, location=record.location or info.location
    )


def _header(stages: Mapping[str, Entry]) -> TtirHeader | None:
    for stage in _HEADER_STAGES:
        text = _text(stages.get(stage))
        if text and (header := read_header(text)) is not None:
            return header
    return None


def _text(entry: Entry | None) -> str:
    """The IR text; empty where it is missing, since nothing but a nicer report depends on it."""
    if entry is None:
        return ""
    try:
        return bytes(entry.load()).decode("utf-8", "replace")
    except (SassayError, OSError):
        return ""


def _bad(place: str, error: Exception, layer: str | None = None) -> Diagnostic:
    return Diagnostic(Level.ERROR, place, describe(error), layer=layer)


def describe(error: Exception) -> str:
    """One clause out of an error of ours or of the operating system."""
    if isinstance(error, SassayError):
        parts = [error.place, error.message, f"({error.hint})" if error.hint else None]
        return " ".join(" ".join(part for part in parts if part).split())
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or type(error).__name__}"
    return str(error)
