"""Every cap on what sassay reads, named; what passes one raises `errors.LimitError`.

The caps lie far above what real wheels hold (the largest seen: a 1.7 GB shared object, 450 cubins
in one fatbin section, 40,000 sections in one cubin) and far below what hurts a machine.
Sizes are bytes.
"""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

MAX_FILE_BYTES = 16 * GIB
"""One file on disk; it is mapped, not read."""

MAX_STDIN_BYTES = 1 * GIB
"""Standard input, which cannot be mapped."""

MAX_SNIFF_BYTES = 64 * KIB
"""Leading bytes that decide what a file is."""

MAX_SECTIONS = 1_000_000
"""Sections of one ELF file."""

OVERLAP_FACTOR = 2
"""All sections of one ELF file together, as a multiple of its size. Those of libraries do not
overlap; cubins of CUDA 12 let a few share bytes, by 3% of the file."""

MAX_SYMBOLS = 16_000_000
"""Symbols of one ELF file."""

MAX_RELOCATIONS = 16_000_000
"""Relocations of one ELF section."""

MAX_NAME_BYTES = 256 * KIB
"""One section, symbol or member name; C++ templates reach tens of kilobytes."""

NAME_TABLE_FACTOR = 64
"""All names read from one string table together, as a multiple of its size."""

MAX_CODE_BYTES = 256 * MIB
"""One code section: 16 million instructions."""

MAX_CONSTANT_BYTES = 64 * MIB
"""One constant bank section."""

MAX_FATBIN_ENTRIES = 100_000
"""Entries of all fatbins of one file."""

MAX_FATBIN_ENTRY_BYTES = 1 * GIB
"""One fatbin entry, once decompressed."""

MAX_RATIO = 1_000
"""Decompressed bytes for each compressed byte of a fatbin entry, an archive or a member.
Cubins reach 30, zero-filled sections of a real library 300."""

RATIO_FLOOR_BYTES = 16 * MIB
"""Outputs up to this size are exempt from `MAX_RATIO`: they cannot hurt."""

MAX_ARCHIVE_MEMBERS = 200_000
"""Members of one archive."""

MAX_MEMBER_BYTES = 4 * GIB
"""One archive member, once decompressed."""

MAX_ARCHIVE_BYTES = 32 * GIB
"""All members of one archive together, once decompressed."""

MAX_ARCHIVE_DEPTH = 4
"""Archives inside archives, counted by whoever recurses."""

MAX_TEXT_BYTES = 256 * MIB
"""One PTX text or source file."""

MAX_JSON_BYTES = 16 * MIB
"""One metadata file of a cache."""

MAX_LINE_BYTES = 32 * MIB
"""One line table section; a kernel of 20,000 instructions has some 200 KB."""

MAX_LINE_ROWS = 4_000_000
"""Rows of one line table section."""

MAX_LINE_FILES = 100_000
"""Source files and include folders of one line program."""

MAX_INLINE_DEPTH = 256
"""Inlined calls around one instruction; CUTLASS nests some 40."""
