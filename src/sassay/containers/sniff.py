"""What a file is, by its first bytes; the name decides only where bytes cannot."""

from __future__ import annotations

import re
from enum import StrEnum

from sassay.containers.elf import EM_CUDA
from sassay.containers.elf import MAGIC as ELF_MAGIC
from sassay.containers.fatbin import MAGIC_BYTES

_AR_MAGICS = (b"!<arch>\n", b"!<thin>\n")
_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_TAR_NAMES = re.compile(r"\.(?:tar(?:\.(?:gz|xz|bz2|zst))?|tgz|txz|tbz2?|tzst)\Z", re.IGNORECASE)
_PTX_VERSION = re.compile(rb"\.version[ \t]+\d+\.\d+")
_PTX_COMMENT = re.compile(rb"\s*(?://[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z)|\s+)*", re.DOTALL)


class Format(StrEnum):
    """The file formats that sassay opens."""

    ELF_CUBIN = "elf-cubin"
    ELF_HOST = "elf-host"
    FATBIN = "fatbin"
    PTX = "ptx"
    ZIP = "zip"
    TAR = "tar"
    AR = "ar"
    UNKNOWN = "unknown"


def sniff(head: bytes, name: str) -> Format:
    """Tells the format of a file.

    Args:
        head: Its first bytes, at most `limits.MAX_SNIFF_BYTES`; 512 are enough for all but PTX
            behind long comments.
        name: Its name. A compressed tar archive cannot be told from another compressed file by
            its first bytes, and a cut or empty file by none; then the ending decides.
    """
    if head.startswith(ELF_MAGIC):
        machine = int.from_bytes(head[18:20], "little")
        return Format.ELF_CUBIN if machine == EM_CUDA else Format.ELF_HOST
    if head.startswith(MAGIC_BYTES):
        return Format.FATBIN
    if head.startswith(_ZIP_MAGICS):
        return Format.ZIP
    if head.startswith(_AR_MAGICS):
        return Format.AR
    if head[257:262] == b"ustar":
        return Format.TAR
    if _is_ptx(head):
        return Format.PTX
    return _by_name(name)


def _is_ptx(head: bytes) -> bool:
    """PTX ISA, "Module-level directives": `.version` comes first, after comments alone."""
    if b".version" not in head:  # most files, and comments are matched slowly
        return False
    begin = _PTX_COMMENT.match(head)
    return bool(begin and _PTX_VERSION.match(head, begin.end()))


def _by_name(name: str) -> Format:
    if _TAR_NAMES.search(name):
        return Format.TAR
    return _ENDINGS.get(name.rpartition(".")[2].lower() if "." in name else "", Format.UNKNOWN)


_ENDINGS = {
    "cubin": Format.ELF_CUBIN,
    "ptx": Format.PTX,
    "fatbin": Format.FATBIN,
    "whl": Format.ZIP,
    "zip": Format.ZIP,
    "a": Format.AR,
}
"""A file of such a name that does not look like it is opened as it, and refused with a reason."""
