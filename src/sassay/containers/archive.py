"""Archives of any kind as a walk over their regular files. Nothing is ever written to disk by name.

Archives inside archives are members like any other: whoever recurses counts the depth against
`limits.MAX_ARCHIVE_DEPTH`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sassay.containers.ar_archive import MAGIC as AR_MAGIC
from sassay.containers.ar_archive import THIN_MAGIC, walk_ar
from sassay.containers.mapped import map_file
from sassay.containers.tar_archive import walk_tar
from sassay.containers.zip_archive import walk_zip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sassay.containers.member import Member


def walk_archive(
    data_or_path: bytes | memoryview | Path | str,
    *,
    artifact: str,
    on_note: Callable[[str], None] | None = None,
) -> Iterator[Member]:
    """Yields the regular files of a zip, wheel, tar (gz, bz2, xz, zst) or `ar` archive.

    Args:
        data_or_path: The whole archive, or a file that is mapped.
        artifact: Its name in errors.
        on_note: Told, in one clause each, of what was left out (links, devices, duplicates).

    Yields:
        Members in the order of the archive; a member can be read at any later time.

    Raises:
        InputError: The file cannot be mapped.
        FormatError: No archive, broken, cut, or a member's path is absolute or climbs out.
        LimitError: It claims more than `limits` allow, or compresses too well to be honest.
    """
    if isinstance(data_or_path, (str, Path)):
        view = map_file(data_or_path, artifact=artifact)
    else:
        view = memoryview(data_or_path)
    note = on_note or (lambda _: None)
    head = bytes(view[:8])
    if head in {AR_MAGIC, THIN_MAGIC}:
        yield from walk_ar(view, artifact=artifact)
    elif head.startswith(b"PK"):
        yield from walk_zip(view, artifact=artifact, on_note=note)
    else:
        yield from walk_tar(view, artifact=artifact, on_note=note)
