"""Gives kernels to what runs them: compiled from a manifest, or out of any INPUT."""

from __future__ import annotations

from contextlib import ExitStack
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sassay.cli.kept import kept_folder
from sassay.cli.session import Session
from sassay.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from sassay.machine.parity import KernelCode
    from sassay.model.kernel import Kernel
    from sassay.model.state import State

_WARP = 32


class KernelFinder:
    """Reads kernels of origins that a contract names, relative to its folder.

    Args:
        folder: Where relative paths start.
        archs: Architectures to compile manifests for; empty for their own.
        quiet: No progress on standard error.
    """

    def __init__(self, folder: Path, *, archs: Sequence[str] = (), quiet: bool = False) -> None:
        self._folder = folder
        self._archs = tuple(archs)
        self._stack = ExitStack()
        self._folders: dict[tuple[str, ...], Path] = {}
        self.session = Session(quiet=quiet, algebra=True)

    def __enter__(self) -> Self:
        self._stack.enter_context(self.session)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def kernels(self, origin: str, globs: Sequence[str] = ()) -> tuple[KernelCode, ...]:
        """The kernels of an origin that have PTX.

        Args:
            origin: A manifest (`.toml`), or any INPUT of the command line.
            globs: Of a manifest, only functions that one of these matches are compiled, if any is.

        Raises:
            SassayError: It cannot be read or compiled, or holds no PTX.
        """
        state = self._state(origin, globs)
        found = tuple(
            _code(kernel, self.session.store.ptx(kernel.code.ptx), origin)
            for kernel in state.kernels
            if kernel.code.ptx is not None
        )
        if not found:
            raise InputError(
                "holds no PTX, which is what runs here",
                artifact=origin,
                hint="a cubin alone has none",
            )
        return found

    def _state(self, origin: str, globs: Sequence[str]) -> State:
        named = self._folder / origin
        if named.suffix == ".toml":
            import msgspec

            from sassay.build import compile_manifest, load_manifest

            manifest = load_manifest(named)
            wanted = tuple(
                each
                for each in manifest.variants
                if any(fnmatchcase(each.function, glob) for glob in globs)
            )
            run = compile_manifest(
                msgspec.structs.replace(manifest, variants=wanted or manifest.variants),
                archs=self._archs,
                cache_dir=self._compiled(str(named.resolve()), *globs, "", *self._archs),
                progress=self.session.progress.note,
            )
            if run.failures:
                first = run.failures[0]
                raise InputError(first.message, artifact=first.place)
            return self.session.open_compiled(run, label=origin)
        return self.session.open(str(named) if named.exists() else origin)

    def _compiled(self, *identity: str) -> Path:
        """Where what is compiled is kept: what still holds is not compiled again."""
        if identity not in self._folders:
            folder = kept_folder(self.session.cache, *identity)
            self._folders[identity] = self._stack.enter_context(folder)
        return self._folders[identity]


def _code(kernel: Kernel, text: str, origin: str) -> KernelCode:
    from sassay.machine.parity import KernelCode

    block = kernel.launch.block
    if block is None and kernel.launch.warps:
        block = (kernel.launch.warps * _WARP, 1, 1)
    shared = kernel.metadata.get("shared")
    special = kernel.specialization
    return KernelCode(
        symbol=kernel.symbol,
        names=(kernel.name, kernel.family),
        arch=kernel.arch,
        text=text,
        artifact=f"{origin}: {kernel.symbol}",
        signature=special.signature,
        constants=special.constants,
        options=special.options,
        divisibility=special.divisibility,
        block=block,
        shared=shared if isinstance(shared, int) else 0,
    )
