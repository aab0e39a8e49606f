"""What a state says of its input: what was wrong with it, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.errors import InputError
from sassay.model.state import Diagnostic, Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sassay.capture.cubin_facts import CubinFacts
    from sassay.errors import SassayError
    from sassay.model.artifact import Artifact
    from sassay.sources import Discovery

_LEVEL_ORDER = {Level.ERROR: 0, Level.WARNING: 1, Level.NOTE: 2}


def sort_diagnostics(diagnostics: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Worst first, then by place and message; each once."""
    return tuple(
        sorted(
            set(diagnostics),
            key=lambda item: (
                _LEVEL_ORDER[item.level], item.place, item.message, item.arch or "",
                item.layer or "",
            ),
        )
    )  # fmt: skip


def failed(
    place: str, error: SassayError, *, arch: str | None, layer: str | None = None
) -> Diagnostic:
    """What could not be read, and why; `arch` and `layer` as of a `Diagnostic`."""
    # The place is the diagnostic's own field, so it is not repeated in its message.
    parts = (error.place, error.message, f"({error.hint})" if error.hint else None)
    message = " ".join(" ".join(part for part in parts if part).split())
    return Diagnostic(Level.ERROR, place, message, arch=arch, layer=layer)


def cut(artifact: Artifact, cubin: CubinFacts) -> Diagnostic:
    """Code sections that end within an instruction."""
    noun = "section ends" if cubin.trailing == 1 else "sections end"
    return Diagnostic(
        Level.WARNING,
        artifact.source.path,
        f"{cubin.trailing} code {noun} within an instruction: the rest is not counted",
        arch=cubin.arch,
        layer="sass",
    )


def undecodable(arch: str, count: int, label: str) -> Diagnostic:
    """So many sections that nothing at hand can decode."""
    noun = "section" if count == 1 else "sections"
    return Diagnostic(
        Level.WARNING,
        label,
        f"no disassembler at hand knows {arch}: the SASS of {count} {noun} is not counted",
        arch=arch,
        layer="sass",
    )


def left_to_tool(arch: str, words: int, version: str | None, label: str) -> Diagnostic:
    """So many words that no table knows, which a disassembler answered for."""
    noun = "word that no table knows was" if words == 1 else "words that no table knows were"
    return Diagnostic(
        Level.NOTE,
        label,
        f"{arch}: {words:,} {noun} read by nvdisasm {version or ''}".rstrip(),
    )


def nothing_found(
    discovery: Discovery, diagnostics: Sequence[Diagnostic], arch_globs: Sequence[str]
) -> InputError:
    """Why an input yields no state, as precisely as it is known."""
    errors = [item for item in sort_diagnostics(diagnostics) if item.level is Level.ERROR]
    if errors:
        more = f"; {len(errors) - 1} more like it" if len(errors) > 1 else ""
        return InputError(
            f"{errors[0].message}{more}", artifact=errors[0].place, hint="nothing else to read"
        )
    if arch_globs:
        return InputError(
            f"holds no code for {' or '.join(arch_globs)}", artifact=discovery.spec,
            hint="--arch takes globs such as 'sm_90*'",
        )  # fmt: skip
    files = discovery.counts.get("files", 0)
    if empty := discovery.counts.get("artifacts", 0):
        held = "1 cubin or PTX module" if empty == 1 else f"{empty} cubins and PTX modules"
        return InputError(
            f"holds {held}, and no kernel or device function in them",
            artifact=discovery.spec,
            hint="data alone",
        )
    return InputError(
        f"no compiled code in {files} {'file' if files == 1 else 'files'}",
        artifact=discovery.spec,
        hint="looked for cubins, PTX, fatbins, libraries with NVIDIA code, "
        "Triton and DeepGEMM cache entries, and archives of them",
    )
