"""From the text of a module to a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.errors import UsageError
from sassay.isa.ptx import read_module
from sassay.machine.lower import lower

if TYPE_CHECKING:
    from sassay.machine.matrix.rules import Gpu
    from sassay.machine.program import Program


def load_program(
    text: str,
    entry: str | None = None,
    *,
    artifact: str = "module.ptx",
    gpu: Gpu | None = None,
) -> Program:
    """Lowers an entry of a PTX module, once for all launches.

    Args:
        text: The module.
        entry: Name of the entry; may be left out if there is one only.
        artifact: What the module is called in errors.
        gpu: Whose rules hold where the ISA leaves bits open (`a100`, `h100`); if None, that of the
            module's target: `h100` from `sm_90` on.

    Raises:
        FormatError: The module does not parse.
        UsageError: There is no such entry, or several and none is named.
        UnsupportedInstruction: It uses forms that the machine does not implement: all are listed.
    """
    module = read_module(text, artifact=artifact)
    names = ", ".join(each.name for each in module.entries) or "none"
    if entry is None and len(module.entries) == 1:
        found = module.entries[0]
    else:
        chosen = module.entry(entry) if entry is not None else None
        if chosen is None:
            asked = f"no entry {entry}" if entry is not None else "which entry is not said"
            raise UsageError(asked, artifact=artifact, hint=f"entries: {names}")
        found = chosen
    return lower(module, found, artifact, gpu)
