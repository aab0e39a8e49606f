"""The line programs of one section: byte codes that yield rows of address, file and line.

Source: DWARF Debugging Information Format, version 5, section 6.2.5. NVIDIA adds the extended
opcode 0x90 (`DW_LNE_NVIDIA_inlined_call`, binutils' `dwarf2.h` in cuda-gdb): two ULEB128 numbers,
the row of the call (from 1, in this sequence; 0 ends the inlining) and the place of the inlined
function's name in `.debug_str`; and 0x91 (`DW_LNE_NVIDIA_set_function_name`): that place alone.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from sassay.containers import limits
from sassay.containers.line_header import LineHeader, Reader, read_line_header
from sassay.errors import LimitError
from sassay.model.lines import CodeSection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Resolve = Callable[[int, int], tuple[CodeSection, int]]
    """Place of an address in the line table, and what stands there, to code section and offset."""

_COPY, _ADVANCE_PC, _ADVANCE_LINE, _SET_FILE, _SET_COLUMN = 1, 2, 3, 4, 5
_CONST_ADD_PC, _FIXED_ADVANCE_PC = 8, 9
_END_SEQUENCE, _SET_ADDRESS, _DEFINE_FILE = 1, 2, 3
_INLINED_CALL, _SET_FUNCTION_NAME = 0x90, 0x91

NO_NAME = -1
MAX_NUMBER = 2**31 - 1
"""Largest line, file number and place of a name."""


class Sequence(msgspec.Struct):
    """Rows of one code section, in the order of the program; columns of equal length.

    Attributes:
        section: The code section.
        files: Path by file number.
        addresses: Byte offsets in the code section, ascending.
        file: File number of each row.
        lines: Line of each row; 0 where the compiler knows none.
        calls: Row of the call that it was inlined at, from 1; 0 for code that was not inlined.
        names: Place of the inlined function's name in `.debug_str`, -1 without one.
        end: Offset behind the last instruction.
        at: Where it starts in the line table, for errors.
    """

    section: CodeSection
    files: Mapping[int, str]
    at: int
    addresses: array[int] = msgspec.field(default_factory=lambda: array("q"))
    file: array[int] = msgspec.field(default_factory=lambda: array("q"))
    lines: array[int] = msgspec.field(default_factory=lambda: array("q"))
    calls: array[int] = msgspec.field(default_factory=lambda: array("q"))
    names: array[int] = msgspec.field(default_factory=lambda: array("q"))
    end: int = 0


def read_sequences(
    data: bytes, *, resolve: Resolve, strings: Mapping[str, bytes], artifact: str, place: str
) -> Iterator[Sequence]:
    """Runs every line program of a section.

    Args:
        data: The section.
        resolve: Tells which code section an address belongs to.
        strings: `.debug_str` and `.debug_line_str`.
        artifact: The name that errors carry.
        place: The section's name.

    Raises:
        FormatError: A program that is cut or does not follow the format.
        LimitError: More rows or files than `limits` allow.
    """
    reader = Reader(data, 0, len(data), artifact, place)
    rows = 0
    while reader.position < len(data):
        header = read_line_header(reader, strings)
        reader.end = header.end
        for sequence in _Machine(reader, header, resolve).run():
            rows += len(sequence.addresses)
            if rows > limits.MAX_LINE_ROWS:
                raise LimitError(
                    f"more than {limits.MAX_LINE_ROWS} rows",
                    artifact=artifact,
                    place=f"{place}+{reader.position:#x}",
                )
            yield sequence
        reader.end = len(data)


class _Machine:
    """The state machine of DWARF, section 6.2.2, without the registers that nobody asks for."""

    def __init__(self, reader: Reader, header: LineHeader, resolve: Resolve) -> None:
        self._reader = reader
        self._header = header
        self._resolve = resolve
        self._files = dict(header.files)
        self._base = len(header.operands) + 1
        # Special opcodes and standard ones alike: how far each moves address and line.
        self._moves = [
            (
                (code - self._base) // header.line_range * header.step,
                header.line_base + (code - self._base) % header.line_range,
            )
            for code in range(256)
        ]
        self._reset()

    def _reset(self) -> None:
        self._address = 0
        self._line = 1
        self._file = 1
        self._call = 0
        self._name = NO_NAME
        self._sequence: Sequence | None = None

    def run(self) -> Iterator[Sequence]:
        """The sequences, each when its end is met."""
        reader, base, moves = self._reader, self._base, self._moves
        data, end = reader.data, reader.end
        while reader.position < end:
            code = data[reader.position]
            reader.position += 1
            if code >= base:
                address, line = moves[code]
                self._address += address
                self._line += line
                self._row()
            elif code == 0:
                finished = self._extended()
                if finished is not None:
                    yield finished
            else:
                self._standard(code)
        if self._sequence is not None:
            raise reader.wrong("a sequence of rows does not end", self._sequence.at)

    def _row(self) -> None:
        sequence = self._open()
        if sequence.addresses and self._address < sequence.addresses[-1]:
            raise self._reader.wrong(
                f"address {self._address:#x} follows {sequence.addresses[-1]:#x}"
            )
        self._check_end(sequence)
        if not 0 <= self._line <= MAX_NUMBER:
            raise self._reader.wrong(f"line {self._line}")
        if self._file > MAX_NUMBER or self._name > MAX_NUMBER:
            raise self._reader.wrong(f"file {self._file}, function name {self._name}")
        if self._call > len(sequence.addresses):
            raise self._reader.wrong(
                f"inlined at row {self._call}, only {len(sequence.addresses)} come before"
            )
        if len(sequence.addresses) >= limits.MAX_LINE_ROWS:
            raise LimitError(
                f"more than {limits.MAX_LINE_ROWS} rows",
                artifact=self._reader.artifact,
                place=f"{self._reader.place}+{self._reader.position:#x}",
            )
        sequence.addresses.append(self._address)
        sequence.file.append(self._file)
        sequence.lines.append(self._line)
        sequence.calls.append(self._call)
        sequence.names.append(self._name)

    def _open(self) -> Sequence:
        if self._sequence is None:
            raise self._reader.wrong("a row before any address was set")
        return self._sequence

    def _check_end(self, sequence: Sequence) -> None:
        if not 0 <= self._address <= sequence.section.size:
            raise self._reader.wrong(
                f"address {self._address:#x} lies outside {sequence.section.name}"
                f" of {sequence.section.size:#x} bytes"
            )

    def _standard(self, code: int) -> None:
        reader, header = self._reader, self._header
        if code == _COPY:
            self._row()
        elif code == _ADVANCE_PC:
            self._address += reader.unsigned() * header.step
        elif code == _ADVANCE_LINE:
            self._line += reader.signed()
        elif code == _SET_FILE:
            self._file = reader.unsigned()
        elif code == _CONST_ADD_PC:
            self._address += self._moves[255][0]
        elif code == _FIXED_ADVANCE_PC:
            self._address += reader.number(2)
        else:
            # Column, statement and block marks, instruction sets, and opcodes of the future.
            for _ in range(header.operands[code - 1]):
                reader.unsigned()

    def _extended(self) -> Sequence | None:
        reader = self._reader
        start = reader.position
        size = reader.unsigned()
        stop = reader.position + size
        if not size or stop > reader.end:
            left = reader.end - reader.position
            raise reader.wrong(f"an extended opcode of {size} bytes, {left} are left", start)
        code = reader.number(1)
        finished = None
        if code == _END_SEQUENCE:
            finished = self._finish()
        elif code == _SET_ADDRESS:
            self._set_address(size - 1)
        elif code == _INLINED_CALL:
            self._call = reader.unsigned()
            name = reader.unsigned()
            self._name = name if self._call else NO_NAME
        elif code == _SET_FUNCTION_NAME:
            self._name = reader.unsigned()
        elif code == _DEFINE_FILE:
            self._files[len(self._files) + 1] = reader.string()
            if len(self._files) > limits.MAX_LINE_FILES:
                raise reader.wrong(f"more than {limits.MAX_LINE_FILES} source files")
        if reader.position > stop:
            raise reader.wrong(f"operands of extended opcode {code:#x} leave its {size} bytes")
        reader.position = stop
        return finished

    def _set_address(self, size: int) -> None:
        reader = self._reader
        at = reader.position
        if size != self._header.address_bytes:
            raise reader.wrong(f"an address of {size} bytes")
        section, self._address = self._resolve(at, reader.number(size))
        if self._sequence is None:
            self._sequence = Sequence(section, self._files, at)
        elif self._sequence.section is not section:
            raise reader.wrong("one sequence names two code sections", at)

    def _finish(self) -> Sequence | None:
        sequence = self._sequence
        if sequence is not None:
            if sequence.addresses and self._address < sequence.addresses[-1]:
                raise self._reader.wrong(f"the sequence ends at {self._address:#x}, before a row")
            self._check_end(sequence)
            sequence.end = self._address
        self._reset()
        return sequence
