"""A state comes out of its record as it went in."""

from __future__ import annotations

from array import array

import msgspec
from tests.diff.builders import kernel, state

from sassay.capture import CodeArchive
from sassay.capture.packed_state import PackedState, pack, promise_code, unpack
from sassay.model.artifact import Artifact, ArtifactKind, Source, SourceKind, SourceLocation
from sassay.model.fact import Fact
from sassay.model.kernel import CodeRefs, Launch
from sassay.model.layers import Layered


def test_all_that_a_kernel_may_hold_comes_back() -> None:
    plain = kernel(sass={"FADD": 3, "MOV": 1}, code="one", registers=40, shared=64)
    rich = msgspec.structs.replace(
        kernel("g", sass={"BRA": 1}, ptx={"add.f32": 2}, code="two", metadata={"shared": 7}),
        facts={"tma": Fact(value=True)},
        location=SourceLocation("k.py", 3),
        launch=Launch(block=(128, 1, 1), warps=4),
        code=CodeRefs(ptx="p" * 40, sass="s" * 40, lines="l" * 40),
        ptx_digest="d" * 40,
    )
    places = (
        Source(SourceKind.LIBRARY, "a.so!fatbin.1"),
        Source(SourceKind.LIBRARY, "b.so!fatbin.2"),
    )
    shared = msgspec.structs.replace(plain, id="0" * 12, symbol="other", sources=places)
    alone = msgspec.structs.replace(
        kernel("h"),
        code_bytes=None,
        code=CodeRefs(ptx="q" * 40),
        instructions=Layered(ptx={"ret": 1}),
        categories=Layered(ptx={"control": 1}),
    )
    undecoded = msgspec.structs.replace(
        plain, id="1" * 12, instructions=Layered(), categories=Layered()
    )
    before = state("x", [plain, rich, shared, alone, undecoded])
    store = CodeArchive()
    packed = pack(before, store)
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(packed), type=PackedState)
    assert unpack(read, before.label, CodeArchive()) == msgspec.structs.replace(
        before, evidence={}, texts={}
    )


def test_code_is_promised_where_it_lies() -> None:
    first = kernel(sass={"FADD": 3}, code="one", place="a.cubin")
    # The same code under another name, at a place that sorts before: one section.
    second = msgspec.structs.replace(first, id="0" * 12, symbol="b", sources=_at("b.cubin"))
    artifact = Artifact(
        kind=ArtifactKind.CUBIN, source=_at("b.cubin")[0], data=b"", again=lambda: iter(())
    )
    store = CodeArchive()
    assert first.code.sass is not None
    store.promise([first.code.sass], artifact)
    packed = pack(state("x", [first, second]), store)
    fresh = CodeArchive()
    fresh.promise_later(lambda: promise_code(packed, fresh, [artifact]))
    fresh.prefetch(())
    assert fresh.place_of(first.code.sass) is None
    fresh.prefetch([first.code.sass])
    assert fresh.place_of(first.code.sass) == "b.cubin"


def test_each_state_says_where_its_own_code_lies() -> None:
    early, late = (kernel(sass={"FADD": 3}, code="one", place=f"{name}.cubin") for name in "ab")
    assert early.code.sass is not None
    store = CodeArchive()
    packed = []
    for each in (early, late):
        again = Artifact(
            kind=ArtifactKind.CUBIN, source=each.sources[0], data=b"", again=lambda: iter(())
        )
        store.promise([early.code.sass], again)
        packed.append(pack(state("x", [each]), store))
    for record, place in zip(packed, ("a.cubin", "b.cubin"), strict=True):
        assert record.sources[0].path == place
        assert array("i", record.sections.places).tolist() == [0]


def _at(path: str) -> tuple[Source, ...]:
    return (Source(SourceKind.FILE, path),)
