"""Makes two Triton caches of 60 kernels and more each, from the kernels of `examples/router`.

They hold what a process that ran these kernels would have left behind: cubin, PTX, IR and metadata
of each, nothing of sassay's own. Made once and kept in the user's cache folder; never timed.

Usage: python -m bench.caches
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import msgspec

from sassay.build import Manifest, compile_manifest, load_manifest
from sassay.build.sidecar import SUFFIX
from sassay.sources import cache_dir

ROUTER = Path(__file__).parents[1] / "examples" / "router"
MORE = Path(__file__).with_name("more_kernels.toml")
STATES = ("base", "accepted")


def folder() -> Path:
    """Where benchmarks keep what takes long to make."""
    return cache_dir() / "bench"


def triton_caches() -> tuple[Path, Path]:
    """The two caches, compiled if they are not there.

    Returns:
        Before and after: the states `base` and `accepted` of the router example, each with the
        same four kernels more.
    """
    before, after = (_triton_cache(state) for state in STATES)
    return before, after


def kernels_in(cache: Path) -> int:
    """How many cubins a cache holds."""
    return sum(1 for _ in cache.rglob("*.cubin"))


def _triton_cache(state: str) -> Path:
    compiled = folder() / "compiled" / state
    run = compile_manifest(_with_more(load_manifest(ROUTER / f"{state}.toml")), cache_dir=compiled)
    if run.failures:
        raise SystemExit(f"{state}: {run.failures[0].message}")
    plain = folder() / "triton" / state
    if run.compiled or not plain.is_dir():
        shutil.rmtree(plain, ignore_errors=True)
        shutil.copytree(compiled, plain, ignore=shutil.ignore_patterns(f"*{SUFFIX}"))
    return plain


def _with_more(manifest: Manifest) -> Manifest:
    more = load_manifest(MORE, root=ROUTER)
    first = 1 + max(variant.kernel for variant in manifest.variants)
    added = [
        msgspec.structs.replace(variant, kernel=first + variant.kernel) for variant in more.variants
    ]
    return msgspec.structs.replace(manifest, variants=(*manifest.variants, *added))


def main() -> int:
    """Make the caches and say where they are."""
    for cache in triton_caches():
        print(f"{cache}: {kernels_in(cache)} kernels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
