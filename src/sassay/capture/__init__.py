"""Builds a state out of artifacts, writes it, reads it, queries it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lazy import export

if TYPE_CHECKING:
    from sassay.capture.asked import kernel_names as kernel_names
    from sassay.capture.build import build_state as build_state
    from sassay.capture.build import open_state as open_state
    from sassay.capture.evidence import load_evidence as load_evidence
    from sassay.capture.families import GENERIC_WRAPPERS as GENERIC_WRAPPERS
    from sassay.capture.families import qualify_families as qualify_families
    from sassay.capture.families import unwrap_families as unwrap_families
    from sassay.capture.listing import kernel_listing as kernel_listing
    from sassay.capture.merge import merge_states as merge_states
    from sassay.capture.ondisk import SUFFIX as SUFFIX
    from sassay.capture.ondisk import is_capture as is_capture
    from sassay.capture.ondisk import read_capture as read_capture
    from sassay.capture.ondisk import verify_capture as verify_capture
    from sassay.capture.ondisk import write_capture as write_capture
    from sassay.capture.query import QueryResult as QueryResult
    from sassay.capture.query import query as query
    from sassay.capture.store import CodeArchive as CodeArchive
    from sassay.sources import cache_dir as cache_dir

export(
    __name__,
    {
        ".asked": "kernel_names",
        ".build": "build_state open_state",
        ".evidence": "load_evidence",
        ".families": "GENERIC_WRAPPERS qualify_families unwrap_families",
        ".listing": "kernel_listing",
        ".merge": "merge_states",
        ".ondisk": "SUFFIX is_capture read_capture verify_capture write_capture",
        ".query": "QueryResult query",
        ".store": "CodeArchive",
        "sassay.sources.paths": "cache_dir",
    },
)
