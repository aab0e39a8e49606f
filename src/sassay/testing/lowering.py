"""What the fixture `lowering` gives: kernels compiled in a test, to assert on."""

from __future__ import annotations

import re
from collections import Counter
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest

from sassay.capture import kernel_listing
from sassay.isa.categories import CATEGORIES
from sassay.model.layers import Layer
from sassay.testing.snapshot import compare, describe, read, write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sassay.model.kernel import Kernel
    from sassay.testing.workshop import Workshop

_UNSAFE = re.compile(r"[^\w.,=\[\]-]+")


class Lowering:
    """Compiles kernels for one test.

    Args:
        workshop: The run's compiler.
        snapshots: Folder of the test file's snapshots.
        test: Name of the test.
        update: Write snapshots instead of comparing.
    """

    def __init__(self, workshop: Workshop, *, snapshots: Path, test: str, update: bool) -> None:
        self._workshop = workshop
        self._snapshots = snapshots
        self._test = test
        self._update = update
        self._taken: Counter[str] = Counter()

    def __call__(
        self,
        function: Any,
        *,
        signature: Mapping[str, Any],
        constants: Mapping[str, Any] | None = None,
        divisibility: Mapping[str, int] | None = None,
        options: Mapping[str, Any] | None = None,
        arch: str = "sm_90",
    ) -> Lowered:
        """Compile a `@triton.jit` function; no GPU is needed.

        Args:
            function: The function, also under `@triton.autotune` or `@triton.heuristics`.
            signature: Type by parameter: `{"x": "*bf16", "n": "i32"}`.
            constants: Constant by parameter, `tl.constexpr` or not; what is in neither takes its
                default.
            divisibility: Known divisor by parameter; `"*"` for every pointer.
            options: Triton's options: `{"num_warps": 8}`.
            arch: Such as `sm_90`.

        Raises:
            ToolError: Triton is not installed.
            UsageError: An argument does not fit the function.
            CompileError: Triton cannot compile it.
        """
        kernel = self._workshop.compile(
            function,
            signature=signature,
            constants=constants or {},
            divisibility=divisibility or {},
            options=options or {},
            arch=arch,
        )
        return Lowered(kernel, self._workshop, self)

    def match_snapshot(self, lowered: Lowered, name: str | None) -> None:
        """Compare with the snapshot of this test, or write it.

        Args:
            lowered: The kernel.
            name: What tells it from other snapshots of the test.
        """
        stem = _UNSAFE.sub("_", self._test if name is None else f"{self._test}-{name}")[:150]
        self._taken[stem] += 1
        if self._taken[stem] > 1:
            pytest.fail(
                f"the test takes the snapshot {stem} twice: give each a name of its own, "
                "assert_matches_snapshot('prefill')",
                pytrace=False,
            )
        path = self._snapshots / f"{stem}.txt"
        found = describe(lowered.kernel, lowered.numeric_path)
        if self._update:
            write(path, found)
            return
        wanted = read(path)
        if wanted is None:
            pytest.fail(
                f"there is no snapshot {path}: write it with --sassay-update", pytrace=False
            )
        difference = compare(wanted, found)
        if difference:
            pytest.fail(
                f"{lowered.kernel.family} @ {lowered.arch} is not what {path.name} says\n\n"
                f"{difference}\n\n--sassay-update accepts it",
                pytrace=False,
            )


class Lowered:
    """One kernel as it became.

    Attributes:
        kernel: Everything that sassay knows of it.
    """

    def __init__(self, kernel: Kernel, workshop: Workshop, lowering: Lowering) -> None:
        self.kernel = kernel
        self._workshop = workshop
        self._lowering = lowering

    def __repr__(self) -> str:
        resources = self.kernel.resources
        return (
            f"<{self.kernel.family} @ {self.arch}: {resources.registers} registers, "
            f"{resources.shared_bytes} shared bytes>"
        )

    @property
    def arch(self) -> str:
        """Such as `sm_90a`."""
        return self.kernel.arch

    @property
    def registers(self) -> int:
        """Registers a thread."""
        return _known(self.kernel.resources.registers, "registers")

    @property
    def shared_bytes(self) -> int:
        """Shared memory a block, static and dynamic."""
        return _known(self.kernel.resources.shared_bytes, "shared memory")

    @property
    def spill_bytes(self) -> int:
        """Bytes of the static spill loads and stores."""
        resources = self.kernel.resources
        return _known(resources.spill_load_bytes, "spills") + _known(
            resources.spill_store_bytes, "spills"
        )

    def no_spills(self) -> bool:
        """Whether it spills no register."""
        return self.spill_bytes == 0

    def count(self, pattern: str, *, layer: str | None = None) -> int:
        """Instructions whose opcode matches.

        Args:
            pattern: An opcode (`wgmma` counts `wgmma.mma_async...` too) or an anchored glob
                (`st.shared.*`). PTX opcodes are in lower case, SASS opcodes in upper case.
            layer: `ptx` or `sass`; None counts both.

        Raises:
            ValueError: There is no such layer.
        """
        return sum(self.opcodes(pattern, layer=layer).values())

    def has(self, pattern: str, *, layer: str | None = None) -> bool:
        """Whether an instruction matches; arguments as in `count`."""
        return self.count(pattern, layer=layer) > 0

    def opcodes(self, pattern: str = "*", *, layer: str | None = None) -> dict[str, int]:
        """Matching opcodes and their counts; arguments as in `count`."""
        chosen = [Layer(layer)] if layer is not None else list(Layer)
        found: dict[str, int] = {}
        for each in chosen:
            census = self.kernel.instructions.of(each)
            if census is None:
                raise AssertionError(f"the {each.value} of {self!r} is not known")
            found |= {
                opcode: number
                for opcode, number in census.items()
                if fnmatchcase(opcode, pattern) or opcode.startswith(f"{pattern}.")
            }
        return found

    def categories(self, layer: str) -> Mapping[str, int]:
        """Instructions by category (`tensor_core`, `shared_memory`, ...) of one layer; all of them.

        Args:
            layer: `ptx` or `sass`.
        """
        found = self.kernel.categories.of(Layer(layer))
        if found is None:
            raise AssertionError(f"the {layer} of {self!r} is not known")
        return {name: found.get(name, 0) for name in CATEGORIES}

    @property
    def numeric_path(self) -> str:
        """What it computes and in which order it rounds, as a digest; `unknown` where not found."""
        from sassay.machine.path import NumericPaths  # noqa: PLC0415 - runs the kernel on symbols

        fact = NumericPaths(self._workshop.store).facts(self.kernel).get("numeric_path")
        return str(fact.value) if fact is not None else "unknown"

    def text(self, layer: str) -> str:
        """Its code, an instruction a line."""
        lines = kernel_listing(
            self.kernel, Layer(layer), self._workshop.store, self._workshop.disassembler
        )
        return "\n".join(line.text for line in lines)

    def assert_matches_snapshot(self, name: str | None = None) -> None:
        """Compare resources, opcodes and numeric path with the snapshot beside the test.

        Args:
            name: Tells this snapshot from others of the same test.
        """
        __tracebackhide__ = True
        self._lowering.match_snapshot(self, name)


def _known(value: int | None, what: str) -> int:
    if value is None:
        raise AssertionError(f"the {what} of this kernel are not known")
    return value
