"""The sections of a cubin by what they hold: code, constants, and what is said of each kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.containers.elf import SHF_EXECINSTR

if TYPE_CHECKING:
    from sassay.containers.elf import Elf

TEXT = ".text."
CONSTANT = ".nv.constant"
_INFO, _SHARED, _LOCAL, _PARAMETERS = ".nv.info.", ".nv.shared.", ".nv.local.", ".nv.constant0."
_LAUNCH_BANK = ".nv.constant0"
_HEAD = 6
"""So many characters tell most sections that nobody asks for from those below."""
_INFO_HEAD = _INFO[:_HEAD]


class KernelSections:
    """The sections that kernels are read from, found in one pass over their names.

    What belongs to a kernel is found by its symbol; of several sections with one name the first
    one counts.

    Args:
        elf: The cubin.

    Attributes:
        texts: Indices of code sections, `.text.<symbol>`, in the order of the file.
        constants: Those of sections whose names begin like a constant bank's, but for bank 0.
        info: That of `.nv.info.<symbol>`, by symbol.
        shared_bytes: Size of `.nv.shared.<symbol>`.
        local_bytes: Size of `.nv.local.<symbol>`.
        parameter_bytes: Size of `.nv.constant0.<symbol>`.
    """

    def __init__(self, elf: Elf) -> None:
        self.texts: list[int] = []
        self.constants: list[int] = []
        self.info: dict[str, int] = {}
        self.shared_bytes: dict[str, int] = {}
        self.local_bytes: dict[str, int] = {}
        self.parameter_bytes: dict[str, int] = {}
        sizes = {
            kind[:_HEAD]: (kind, len(kind), table)
            for kind, table in (
                (_SHARED, self.shared_bytes),
                (_LOCAL, self.local_bytes),
                (_PARAMETERS, self.parameter_bytes),
            )
        }
        for index, name in enumerate(elf.names):
            head = name[:_HEAD]
            if head == TEXT:
                if elf.headers[index][2] & SHF_EXECINSTR:
                    self.texts.append(index)
            elif head == _INFO_HEAD:
                if name.startswith(_INFO):
                    self.info.setdefault(name[len(_INFO) :], index)
            elif head in sizes:
                kind, length, table = sizes[head]
                if name.startswith(kind):
                    table.setdefault(name[length:], elf.headers[index][5])
                elif name.startswith(CONSTANT) and not name.startswith(_LAUNCH_BANK):
                    self.constants.append(index)
