"""A capture on disk: a folder that is there whole or not at all.

`manifest.json` names schema, label, environment, evidence, counts and the digest of every other
file; `state.msgpack` holds the records that comparing needs; `code.bin` the packed code with its
index; the Parquet tables are for engines outside sassay. A writer fills a temporary sibling,
syncs it, and swaps it in with one rename.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import mmap
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
import zstandard

from sassay.capture.store import natural_key
from sassay.capture.tables import write_tables
from sassay.errors import FormatError, InputError, LimitError
from sassay.isa.counted import spelled_out
from sassay.model.artifact import Scalar
from sassay.model.state import Evidence, State

if TYPE_CHECKING:
    from sassay.capture.store import CodeArchive
    from sassay.capture.tables import Row

SCHEMA = "sassay/capture/1"
SUFFIX = ".sassay"
MANIFEST = "manifest.json"
STATE = "state.msgpack.zst"
CODE = "code.bin"
INDEX = "code.index"
MAX_MANIFEST = 64 << 20
MAX_STATE = 2 << 30
_SCHEMA = re.compile(r"sassay/capture/(\d{1,6})")
T = TypeVar("T")
_RENAME_EXCHANGE = 2
_AT_FDCWD = -100


class FileFacts(msgspec.Struct, frozen=True):
    """Size in bytes and SHA-256 of one file of a capture."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What `manifest.json` says."""

    schema: str
    label: str
    environment: Mapping[str, Scalar]
    evidence: Mapping[str, Evidence]
    tools: Mapping[str, str]
    counts: Mapping[str, int]
    files: Mapping[str, FileFacts]


class _IndexRow(msgspec.Struct, frozen=True, array_like=True):
    digest: str
    offset: int
    size: int


class PackedCode:
    """The code file of a capture, mapped; blobs are checked when they are unpacked."""

    def __init__(self, path: Path, rows: tuple[_IndexRow, ...]) -> None:
        self._rows = {row.digest: row for row in rows}
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            self._data: mmap.mmap | bytes = (
                mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
            )
        for row in rows:
            if row.offset < 0 or row.size < 0 or row.offset + row.size > size:
                raise FormatError(
                    "points outside the file", artifact=str(path), place=f"code {row.digest}"
                )

    def blob(self, digest: str) -> bytes | None:
        """The packed blob, None where it is not held."""
        row = self._rows.get(digest)
        return None if row is None else self._data[row.offset : row.offset + row.size]

    def digests(self) -> Iterator[str]:
        """All digests held, sorted."""
        yield from sorted(self._rows)


def is_capture(spec: str) -> bool:
    """Whether an input is a capture folder: it has a manifest, or at least the name of one."""
    path = Path(spec)
    with contextlib.suppress(OSError, ValueError):
        if not path.is_dir():
            return False
        if path.name.endswith(SUFFIX):
            return True
        manifest = path / MANIFEST
        if manifest.is_file() and (path / STATE).is_file():
            with manifest.open("rb") as stream:
                return b"sassay/capture/" in stream.read(1 << 16)
    return False


def write_capture(
    state: State, store: CodeArchive, path: str | Path, *, lines: Iterable[Row] = ()
) -> None:
    """Write a state with its code; an old capture of that name is replaced at one moment.

    Args:
        state: What to write.
        store: Holds the code of every kernel of the state.
        path: The folder; by convention its name ends in `.sassay`.
        lines: Rows of its source lines (`line_rows.line_rows`); none leave that table out.

    Raises:
        InputError: Something else lies there, or the place cannot be written.
    """
    target = Path(path).absolute()
    if os.path.lexists(target) and not is_capture(str(target)):
        raise InputError(
            "exists and is no capture", artifact=str(path), hint="choose another name or remove it"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(target)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.{os.getpid()}.", dir=target.parent))
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", artifact=str(path)) from error
    try:
        scratch.chmod(0o755)
        _fill(scratch, state, store, lines)
        _swap(scratch, target)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", artifact=str(path)) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def read_capture(path: str | Path, store: CodeArchive) -> State:
    """Read a capture; its code is attached to the store and read when it is asked for.

    Raises:
        InputError: It is missing, or newer than this version.
        FormatError: It was damaged.
    """
    folder = Path(path)
    artifact = str(path)
    manifest = read_manifest(folder)
    for name in (STATE, INDEX, CODE):
        if name not in manifest.files:
            raise FormatError(f"names no {name}", artifact=f"{artifact}/{MANIFEST}")
    state = _decode(_checked(folder, STATE, manifest), State, f"{artifact}/{STATE}", packed=True)
    rows = _decode(_checked(folder, INDEX, manifest), tuple[_IndexRow, ...], f"{artifact}/{INDEX}")
    code = folder / CODE
    try:
        size = code.stat().st_size
        if size != manifest.files[CODE].bytes:
            raise FormatError(
                f"{size} bytes", artifact=f"{artifact}/{CODE}",
                hint=f"expected {manifest.files[CODE].bytes}: damaged",
            )  # fmt: skip
        store.attach(PackedCode(code, rows))
    except OSError as error:
        raise FormatError(
            f"cannot be read: {error.strerror}", artifact=f"{artifact}/{CODE}"
        ) from error
    return msgspec.structs.replace(
        state, kernels=tuple(state.kernels), functions=tuple(state.functions)
    )


def read_manifest(folder: Path) -> Manifest:
    """Read and check a capture's manifest.

    Raises:
        InputError: There is none, or it is newer than this version.
        FormatError: It was damaged.
    """
    place = f"{folder}/{MANIFEST}"
    try:
        with (folder / MANIFEST).open("rb") as stream:
            data = stream.read(MAX_MANIFEST + 1)
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror}", artifact=place, hint="expected a capture"
        ) from error
    if len(data) > MAX_MANIFEST:
        raise LimitError("too long", artifact=place, hint=f"at most {MAX_MANIFEST} bytes")
    schema = _decode(data, _SchemaOnly, place, json=True).schema
    match = _SCHEMA.fullmatch(schema)
    if match is None:
        raise FormatError(f"schema {schema[:80]!r}", artifact=place, hint=f"expected {SCHEMA}")
    if int(match.group(1)) > int(SCHEMA.rpartition("/")[2]):
        raise InputError(
            f"written by a newer sassay: schema {schema}", artifact=place,
            hint=f"this version reads up to {SCHEMA}",
        )  # fmt: skip
    return _decode(data, Manifest, place, json=True)


def verify_capture(path: str | Path) -> None:
    """Check every file of a capture against its digest, the Parquet tables too.

    Raises:
        FormatError: A file was damaged or is missing.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    for name in sorted(manifest.files):
        _checked(folder, name, manifest)


class _SchemaOnly(msgspec.Struct, frozen=True):
    schema: str


def _decode(
    data: bytes, kind: type[T], place: str, *, json: bool = False, packed: bool = False
) -> T:
    try:
        if packed:
            size = zstandard.frame_content_size(data)
            if size < 0 or size > MAX_STATE:
                raise LimitError(
                    f"claims {size} bytes", artifact=place, hint=f"at most {MAX_STATE}"
                )
            data = zstandard.ZstdDecompressor().decompress(data, max_output_size=MAX_STATE)
        if json:
            return msgspec.json.decode(data, type=kind)
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, zstandard.ZstdError) as error:
        raise FormatError(f"damaged: {error}", artifact=place) from error


def _checked(folder: Path, name: str, manifest: Manifest) -> bytes:
    place = f"{folder}/{name}"
    facts = manifest.files[name]
    if "/" in name or name in {"", ".", ".."}:
        raise FormatError(f"names a file {name[:80]!r}", artifact=f"{folder}/{MANIFEST}")
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise FormatError(f"cannot be read: {error.strerror}", artifact=place) from error
    if len(data) != facts.bytes or hashlib.sha256(data).hexdigest() != facts.sha256:
        raise FormatError("does not match its digest: damaged", artifact=place)
    return data


def _encoded(state: State) -> bytes:
    """A state in one order of keys, but for signatures: theirs is that of the parameters."""
    tree = msgspec.to_builtins(state, order="deterministic", enc_hook=spelled_out)
    for kernel, plain in zip(state.kernels, tree["kernels"], strict=True):
        plain["specialization"]["signature"] = dict(kernel.specialization.signature)
    return msgspec.msgpack.encode(tree)


def _fill(scratch: Path, state: State, store: CodeArchive, lines: Iterable[Row]) -> None:
    """Write all files of a capture, the manifest last, and sync them."""
    packer = zstandard.ZstdCompressor(level=3)
    _write(scratch / STATE, packer.compress(_encoded(state)))
    rows = []
    offset = 0
    with (scratch / CODE).open("wb") as stream:
        for digest in _code_order(state):
            blob = store.packed(digest)
            stream.write(blob)
            rows.append(_IndexRow(digest, offset, len(blob)))
            offset += len(blob)
        _sync(stream.fileno())
    _write(scratch / INDEX, msgspec.msgpack.encode(rows))
    write_tables(state, scratch, lines)
    files = {}
    for file in sorted(scratch.iterdir()):
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            size = os.fstat(stream.fileno()).st_size
            _sync(stream.fileno())
        files[file.name] = FileFacts(size, digest)
    manifest = Manifest(
        schema=SCHEMA,
        label=state.label,
        environment=state.environment,
        evidence=state.evidence,
        tools=state.tools,
        counts=state.counts,
        files=files,
    )
    text = msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=2)
    _write(scratch / MANIFEST, text + b"\n")
    _sync_folder(scratch)


def _code_order(state: State) -> list[str]:
    """All code of a state, in the order in which its files hold it: each is read in one go."""
    places: dict[str, str] = {}
    for kernel in state.kernels:
        place = kernel.sources[0].path if kernel.sources else ""
        for ref in (kernel.code.ptx, kernel.code.sass, kernel.code.lines):
            if ref is not None:
                places[ref] = min(place, places.get(ref, place))
    return sorted(places, key=lambda ref: (natural_key(places[ref]), ref))


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        _sync(stream.fileno())


def _sync(descriptor: int) -> None:
    os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _swap(scratch: Path, target: Path) -> None:
    """Put a finished folder in the place of the old one.

    Linux exchanges the two in one step. Elsewhere the old one steps aside first, so that a kill
    between the two renames leaves none; the old one then lies beside under a hidden name.
    """
    if not os.path.lexists(target):
        scratch.rename(target)
    elif not _exchange(scratch, target):
        aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.{os.getpid()}.", dir=target.parent))
        try:
            target.rename(aside / target.name)
            try:
                scratch.rename(target)
            except OSError:
                (aside / target.name).rename(target)
                raise
        finally:
            if os.path.lexists(target):  # else the old capture is all there is
                shutil.rmtree(aside, ignore_errors=True)
    _sync_folder(target.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders atomically, False where the system cannot (renameat2(2))."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return bool(
        renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0
    )


def _remove_leftovers(target: Path) -> None:
    """Delete what killed writers of this capture left beside it."""
    pattern = re.compile(re.escape(f".{target.name}.") + r"(\d+)\.\w+")
    for item in sorted(target.parent.iterdir()):
        match = pattern.fullmatch(item.name)
        if match and not item.is_symlink() and not _runs(int(match.group(1))):
            shutil.rmtree(item, ignore_errors=True)


def _runs(process: int) -> bool:
    """Whether a process still runs; on Windows asking would end it, so it is assumed."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
