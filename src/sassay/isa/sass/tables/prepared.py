"""The look-ups of `compiled_code` as machine code that comes with sassay: nothing is compiled.

To load LLVM and to compile two kilobytes takes a process longer than to read a hundred cubins. The
code is what `python -m sassay.isa.sass.tables.prepare` makes of the text in this package, for any
machine of a kind: it refers to nothing outside itself. Where there is none for a machine, or it may
not be mapped, `compiled` goes on without.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import sys
from pathlib import Path

import msgspec
import numpy as np

from sassay.errors import FormatError

FOLDER = Path(__file__).with_name("code")


class MachineCode(msgspec.Struct, frozen=True):
    """Machine code as it lies on disk.

    Attributes:
        made_by: The versions of llvmlite and LLVM.
        made_from: SHA-256 of the text, hexadecimal.
        digest: SHA-256 of the code, hexadecimal.
        entries: Where each function starts.
        code: The bytes, hexadecimal, in lines.
    """

    made_by: str
    made_from: str
    digest: str
    entries: dict[str, int]
    code: tuple[str, ...]


class MappedCode:
    """Machine code that can be called, as long as this lives.

    Attributes:
        entries: The address of each function.
    """

    def __init__(self, code: bytes, entries: dict[str, int]) -> None:
        """Map it, never to be written to.

        Raises:
            OSError: The system does not allow it.
        """
        descriptor = os.memfd_create("sassay-code")
        try:
            os.write(descriptor, code)
            self._memory = mmap.mmap(
                descriptor,
                len(code),
                flags=mmap.MAP_PRIVATE,
                prot=mmap.PROT_READ | mmap.PROT_EXEC,
            )
        finally:
            os.close(descriptor)
        start: int = np.frombuffer(self._memory, np.uint8).__array_interface__["data"][0]
        self.entries = {name: start + offset for name, offset in entries.items()}


def file_name() -> str | None:
    """The file for this machine; None where none can be."""
    if sys.platform != "linux" or not hasattr(os, "memfd_create") or sys.maxsize < 1 << 32:
        return None
    return f"{sys.platform}-{os.uname().machine}.json"


def read_code(path: Path) -> tuple[bytes, dict[str, int]]:
    """The code in a file, and where its functions start.

    Raises:
        FormatError: It is damaged.
        OSError: It cannot be read.
    """
    try:
        held = msgspec.json.decode(path.read_bytes(), type=MachineCode)
        code = bytes.fromhex("".join(held.code))
    except (msgspec.MsgspecError, ValueError) as error:
        raise FormatError(
            f"the machine code cannot be read: {error}", artifact=path.name
        ) from error
    inside = all(0 <= offset < len(code) for offset in held.entries.values())
    if hashlib.sha256(code).hexdigest() != held.digest or not inside:
        raise FormatError("the machine code's checksum does not hold", artifact=path.name)
    return code, held.entries


def map_code() -> MappedCode | None:
    """The code for this machine; None: there is none.

    Raises:
        FormatError: It is damaged.
        OSError: The system does not allow it to be run.
    """
    name = file_name()
    if name is None or not (FOLDER / name).is_file():
        return None
    return MappedCode(*read_code(FOLDER / name))
