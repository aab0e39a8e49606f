"""States of earlier runs, by the digests of all their artifacts."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from sassay.capture.collector import without_collector
from sassay.capture.packed_state import PackedState, pack, promise_code, unpack
from sassay.model.artifact import Scalar
from sassay.model.later import Later, LaterKernels, hold_both, hold_lines
from sassay.model.state import Diagnostic, State
from sassay.sources.record_cache import RecordCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from sassay.capture.store import CodeArchive
    from sassay.model.artifact import Artifact


class Head(msgspec.Struct, frozen=True, array_like=True):
    """What is asked of a state before anybody looks at one of its kernels.

    Attributes:
        kernels: How many there are.
        functions: Likewise.
        linked: Whether a kernel holds PTX beside its SASS.
        lines: Whether a kernel holds line tables.
    """

    kernels: int
    functions: int
    linked: bool
    lines: bool
    environment: dict[str, Scalar]
    tools: dict[str, str]
    diagnostics: tuple[Diagnostic, ...]
    counts: dict[str, int]


def _head(state: State) -> Head:
    return Head(
        len(state.kernels),
        len(state.functions),
        hold_both(state.kernels),
        hold_lines(state.kernels),
        dict(state.environment),
        dict(state.tools),
        state.diagnostics,
        dict(state.counts),
    )


class StateCache:
    """States of earlier runs.

    Args:
        folder: Where records are kept; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._heads = RecordCache(folder, "heads", Head)
        self._records = RecordCache(folder, "states", PackedState)

    def load(
        self,
        key: str,
        label: str,
        store: CodeArchive,
        artifacts: Callable[[], Iterable[Artifact]],
    ) -> State | None:
        """The state of a key, None where there is none; its kernels are made at the first look.

        Args:
            key: As `StateKey` made it.
            label: Of the state.
            store: Where its code is asked for.
            artifacts: All artifacts of the input, looked for once code is asked for.
        """
        head = self._heads.load(key)
        find = self._records.find(key) if head is not None else None
        if head is None or find is None:
            return None

        packed = lru_cache(maxsize=1)(find)
        store.promise_later(lambda: promise_code(packed(), store, artifacts()))

        @lru_cache(maxsize=1)
        def whole() -> State:
            with without_collector():
                return unpack(packed(), label, store)

        return State(
            label=label,
            kernels=LaterKernels(
                head.kernels,
                lambda: whole().kernels,
                linked=head.linked,
                lines=head.lines,
                identity=key,
            ),
            functions=Later(head.functions, lambda: whole().functions) if head.functions else (),
            environment=head.environment,
            tools=head.tools,
            diagnostics=head.diagnostics,
            counts=head.counts,
        )

    def save(self, key: str, state: State, store: CodeArchive) -> State:
        """Keep a state.

        Returns:
            The state, whose kernels say by which key they are known.
        """
        self._records.save(key, pack(state, store))
        head = _head(state)
        self._heads.save(key, head)
        kernels = LaterKernels(
            head.kernels,
            lambda: state.kernels,
            linked=head.linked,
            lines=head.lines,
            identity=key,
        )
        return msgspec.structs.replace(state, kernels=kernels)


class StateKey:
    """The key of a state, out of all that it is made of.

    Args:
        facts: What else decides: label, filters, versions.
    """

    def __init__(self, *facts: object) -> None:
        self._digest = hashlib.sha256(msgspec.msgpack.encode(facts))
        self.usable = True
        self._archs: set[str] = set()

    def add(self, artifact: Artifact) -> None:
        """One artifact; one whose digest nobody knows makes the key unusable."""
        if artifact.digest is None or artifact.compile is not None:
            self.usable = False
            return
        if artifact.arch is not None:
            self._archs.add(artifact.arch)
        source = artifact.source
        self._digest.update(
            msgspec.msgpack.encode(
                (source, artifact.kind, artifact.arch, artifact.compilation, artifact.digest)
            )
        )

    def finish(self, versions: Mapping[str, str | None], more: Sequence[object]) -> str:
        """The key.

        Args:
            versions: Of the disassemblers, by architecture.
            more: What the walk said besides: diagnostics, packages.
        """
        self._digest.update(msgspec.msgpack.encode((sorted(versions.items()), more)))
        return self._digest.hexdigest()

    @property
    def archs(self) -> list[str]:
        """Architectures met, sorted."""
        return sorted(self._archs)
