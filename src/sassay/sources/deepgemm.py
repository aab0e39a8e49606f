"""DeepGEMM's JIT cache: `kernel.<name>.<digest>/{kernel.cu,kernel.cubin}`, PTX if dumped.

The digest covers installation paths, so it identifies nothing. Layout: DeepGEMM
csrc/jit/compiler.hpp.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sassay.errors import SassayError
from sassay.model.artifact import Artifact, ArtifactKind, Source, SourceKind
from sassay.model.state import Diagnostic, Level
from sassay.sources.ptx_text import decode_ptx
from sassay.sources.triton import describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.sources.context import Context
    from sassay.sources.entry import Folder, Found

_FOLDER = re.compile(r"kernel\.(?P<name>.+)\.(?P<digest>[0-9a-f]{8,64})")
_OURS = ("kernel.cu", "kernel.cubin", "kernel.ptx", "kernel.sass")


def read(folder: Folder, context: Context) -> Iterator[Found]:
    """Yield the one compilation of a DeepGEMM cache folder."""
    if _FOLDER.fullmatch(folder.name) is None:
        return
    present = [name for name in _OURS if name in folder.entries]
    if "kernel.cu" not in present and "kernel.cubin" not in present:
        return
    folder.taken.update(present)
    cubin = folder.entries.get("kernel.cubin")
    if cubin is None or cubin.size == 0:
        what = "half-written cache entry" if cubin is None else "kernel.cubin of 0 bytes"
        yield Diagnostic(
            Level.ERROR, folder.place("kernel.cubin"), f"{what}: expected a cubin beside kernel.cu"
        )
        return
    compilation = folder.path or folder.name
    for name, kind in (("kernel.ptx", ArtifactKind.PTX), ("kernel.cubin", ArtifactKind.CUBIN)):
        entry = folder.entries.get(name)
        if entry is None:
            continue
        place = folder.place(name)
        context.report(place)
        try:
            data = bytes(entry.load())
            if kind is ArtifactKind.PTX:
                data = decode_ptx(data, artifact=place)
        except (SassayError, OSError) as error:
            layer = "ptx" if kind is ArtifactKind.PTX else None
            yield Diagnostic(Level.ERROR, place, describe(error), layer=layer)
            continue
        context.counts["artifacts"] += 1
        yield Artifact(
            kind=kind,
            source=Source(SourceKind.DEEPGEMM, place),
            data=data,
            compilation=compilation,
        )
