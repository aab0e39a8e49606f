"""The look-ups of `decoder` in compiled code, twice as fast and more.

It comes with sassay for some machines (`prepared`). For others llvmlite compiles it where that is
installed: a tenth of a second, once a process, so it waits until numpy has looked up enough words
for that to pay.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from sassay.errors import FormatError
from sassay.isa.sass.tables.compiled_look_up import ARRAYS, REST_NUMBERS, TEST_NUMBERS
from sassay.isa.sass.tables.prepared import map_code

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sassay.isa.sass.tables.layout import Layout
    from sassay.isa.sass.words import Words

WORTH_WORDS = 4 << 20
"""Words that a process looks up in numpy before it compiles: over so many, measured, compiled code
saves what loading and making it costs, some 0.06 s. At worst that time is thus lost."""


class Functions:
    """The compiled functions; arguments as the IR says."""

    def __init__(self, address: Callable[[str], int], code: object) -> None:
        """Make them callable.

        Args:
            address: Where a function starts, by its name.
            code: What must live as long as they do.
        """
        self._code = code
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        decode = ctypes.CFUNCTYPE(None, pointer, pointer, number, pointer)
        count = ctypes.CFUNCTYPE(None, pointer, pointer, pointer, number, number, *[pointer] * 5)
        self.decode: Callable[..., None] = decode(address("sassay_tables_decode"))
        self.count: Callable[..., None] = count(address("sassay_tables_count"))


@lru_cache(maxsize=1)
def compile_functions() -> Functions:
    """The functions as llvmlite compiles them, once a process.

    Raises:
        ImportError: There is no llvmlite that is new enough.
        OSError: It cannot be loaded.
        RuntimeError: It does not work on this machine.
    """
    from sassay import jit  # noqa: PLC0415 - where they come with sassay, neither is needed
    from sassay.isa.sass.tables.compiled_code import source  # noqa: PLC0415 - as above

    compiler = jit.compiler()
    compiler.compile(source(), optimize=False)
    return Functions(compiler.address, compiler)


@lru_cache(maxsize=1)
def prepared_functions() -> Functions | None:
    """The functions that come with sassay; None where they do not, or may not be run."""
    try:
        code = map_code()
        return None if code is None else Functions(code.entries.__getitem__, code)
    except (FormatError, KeyError, OSError):
        return None  # others give the same answers


class Meter:
    """Which functions look words up, if any: it is told what numpy looked up.

    Attributes:
        spent: Words that numpy looked up.
    """

    def __init__(self, worth: int = WORTH_WORDS, *, prepared: bool = False) -> None:
        """Nothing was looked up yet.

        Args:
            worth: Words that are worth the price of compiling.
            prepared: Whether to take what comes with sassay, which has no price.
        """
        self.spent = 0
        self._worth = worth
        self._prepared = prepared
        self._lock = Lock()
        self._functions: Functions | None = None
        self._refused = False

    def functions(self, words: int) -> Functions | None:
        """The functions, if they are there or so many words more make them worth it."""
        if self._functions is None and self._prepared:
            self._functions = prepared_functions()
            self._prepared = self._functions is not None
        if self._functions is None and not self._refused and self.spent + words >= self._worth:
            with self._lock:
                self._compile()
        return self._functions

    def _compile(self) -> None:
        if self._functions is not None or self._refused:
            return
        try:
            self._functions = compile_functions()
        except (ImportError, OSError, RuntimeError):
            # No llvmlite, or one that cannot work here: numpy gives the same answers.
            self._refused = True


METER = Meter(prepared=True)
"""That of this process."""


class CompiledTable:
    """One table as compiled code reads it."""

    def __init__(self, layout: Layout, names: int) -> None:
        """Gathers the addresses of its arrays.

        Args:
            layout: The arrays, which are kept.
            names: How many mnemonics there are.
        """
        rests = np.zeros((len(layout.rests), REST_NUMBERS), np.uint64)
        tests: list[tuple[int, ...]] = []
        values: list[int] = []
        for row, rest in zip(rests, layout.rests, strict=True):
            if rest is not None:
                row[:4] = (*rest.mask, *rest.value)
                row[4] = len(tests)
                for test in rest.tests:
                    start = len(values)
                    values += test.values
                    many = start, len(test.values)
                    tests.append((int(test.high), test.shift, test.mask, test.adds, *many))
                row[5] = len(tests)
        rests[:, 6:8] = layout.spans
        # A place among the known indices is one among the answers but for this; it may be negative.
        rests[:, 8] = (layout.starts - layout.spans[:, 0]).view(np.uint64)
        arrays: dict[str, NDArray[np.generic]] = {
            "heads": layout.heads,
            "chunks": layout.chunks,
            "answers": layout.answers,
            "specials": layout.specials,
            "shifts": layout.shifts,
            "pieces": layout.pieces,
            "rests": rests,
            "tests": np.array(tests, np.uint64).reshape(-1, TEST_NUMBERS),
            "values": np.array(values, np.uint64),
            "known": layout.known,
        }
        self._arrays = [arrays[name] for name in ARRAYS]
        self._table = np.array([_address(array) for array in self._arrays], np.uintp)
        self._names = names
        self._spare: list[tuple[NDArray[np.uint64], NDArray[np.uint32]]] = []

    def decode(self, functions: Functions, words: Words) -> NDArray[np.int32]:
        """The id of each word's mnemonic, -1 where the table has none."""
        words = np.ascontiguousarray(words)
        ids = np.empty(len(words), np.int32)
        functions.decode(_address(self._table), _address(words), len(words), _address(ids))
        ids -= 1
        return ids

    def count(
        self, functions: Functions, image: memoryview, spans: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.uint32], NDArray[np.int64]]:
        """Ids and how often they occur, section by section, and where those of each section end.

        Args:
            functions: The compiled code.
            image: What holds the sections.
            spans: Offset and words of each, which lie inside `image`.
        """
        most = int(np.minimum(spans[:, 1], self._names + 1).sum())
        ids = np.empty(most, np.int32)
        totals = np.empty(most, np.uint32)
        ends = np.empty(len(spans), np.int64)
        data = np.frombuffer(image, np.uint8) if most else ends
        try:
            # Two threads never share these; both are zeros again when they come back.
            scratch = self._spare.pop()
        except IndexError:
            scratch = (
                np.zeros(self._names // 64 + 1, np.uint64),
                np.zeros(self._names + 1, np.uint32),
            )
        seen, counts = scratch
        functions.count(
            _address(self._table),
            _address(data),
            _address(spans),
            len(spans),
            len(seen),
            *[_address(array) for array in (seen, counts, ids, totals, ends)],
        )
        self._spare.append(scratch)
        used = int(ends[-1]) if len(ends) else 0
        ids = ids[:used]
        ids -= 1
        return ids, totals[:used], ends


def _address(array: NDArray[np.generic]) -> int:
    """Of its first entry."""
    found: int = array.__array_interface__["data"][0]
    return found
