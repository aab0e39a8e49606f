"""Makes the machine code that comes with sassay: `python -m sassay.isa.sass.tables.prepare`."""

from __future__ import annotations

import hashlib
import sys

import msgspec

from sassay import jit
from sassay.containers.elf import SHT_REL, SHT_RELA, read_elf
from sassay.errors import ToolError
from sassay.isa.sass.tables.compiled_code import source
from sassay.isa.sass.tables.prepared import FOLDER, MachineCode

KINDS = {"linux-x86_64.json": "x86_64-unknown-linux-gnu"}
"""The kind of machine of each file, as LLVM names it; those that the tests run on."""
_PREFIX = "sassay_"
_LINE = 40


def make(triple: str) -> MachineCode:
    """The machine code of a kind of machine.

    Raises:
        ImportError: There is no llvmlite.
        ToolError: The code refers to something outside itself.
    """
    from llvmlite import __version__, binding  # noqa: PLC0415 - an extra, and heavy

    elf = read_elf(jit.object_file(source(), triple), artifact=triple)
    text = elf.by_name[".text"]
    for each in elf.sections:
        if each.type in (SHT_REL, SHT_RELA) and each.info == text.index:
            raise ToolError("the code refers to something outside itself", artifact=triple)
    code = bytes(elf.content(text))
    digits = code.hex()
    return MachineCode(
        made_by=f"llvmlite {__version__}, LLVM {'.'.join(map(str, binding.llvm_version_info))}",
        made_from=source_digest(),
        digest=hashlib.sha256(code).hexdigest(),
        entries={
            elf.symbols.name(number): symbol.value
            for number, symbol in enumerate(elf.symbols)
            if symbol.section == text.index and elf.symbols.name(number).startswith(_PREFIX)
        },
        code=tuple(digits[at : at + 2 * _LINE] for at in range(0, len(digits), 2 * _LINE)),
    )


def source_digest() -> str:
    """SHA-256 of the text that the code is made from."""
    return hashlib.sha256(source().encode()).hexdigest()


def main() -> None:
    """Write the file of each kind of machine."""
    FOLDER.mkdir(exist_ok=True)
    for name, triple in KINDS.items():
        code = make(triple)
        text = msgspec.json.format(msgspec.json.encode(code), indent=1)
        (FOLDER / name).write_bytes(text + b"\n")
        sys.stdout.write(f"{name}: {sum(map(len, code.code)) // 2} bytes, {code.made_by}\n")


if __name__ == "__main__":
    main()
