"""The look-ups of `decoder` in compiled code, twice as fast and more, where llvmlite is installed.

It costs a fraction of a second to load and compile, once a process, so it waits until numpy has
looked up enough words for that to pay.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from sassay import jit
from sassay.isa.sass.tables.compiled_code import source
from sassay.isa.sass.tables.compiled_look_up import ARRAYS, REST_NUMBERS, TEST_NUMBERS

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

    def __init__(self) -> None:
        """Compiles them."""
        self._compiler = compiler = jit.compiler()  # the code lives as long as that
        compiler.compile(source(), optimize=False)
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        decode = ctypes.CFUNCTYPE(None, pointer, pointer, number, pointer)
        count = ctypes.CFUNCTYPE(None, pointer, pointer, pointer, number, number, *[pointer] * 5)
        self.decode: Callable[..., None] = decode(compiler.address("sassay_tables_decode"))
        self.count: Callable[..., None] = count(compiler.address("sassay_tables_count"))


@lru_cache(maxsize=1)
def compile_functions() -> Functions:
    """The compiled functions of this process.

    Raises:
        ImportError: There is no llvmlite that is new enough.
        OSError: It cannot be loaded.
        RuntimeError: It does not work on this machine.
    """
    return Functions()


class Meter:
    """Whether compiled code is worth its price: it is told what numpy looked up.

    Attributes:
        spent: Words that numpy looked up.
    """

    def __init__(self, worth: int = WORTH_WORDS) -> None:
        """Nothing was looked up yet.

        Args:
            worth: Words that are worth the price.
        """
        self.spent = 0
        self._worth = worth
        self._lock = Lock()
        self._functions: Functions | None = None
        self._refused = False

    def functions(self, words: int) -> Functions | None:
        """The compiled functions, if they are there or so many words more make them worth it."""
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


METER = Meter()
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
            "rows": layout.rows,
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
