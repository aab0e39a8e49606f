"""Builds a state out of artifacts, writes it, reads it, queries it."""

from sassay.capture.asked import kernel_names
from sassay.capture.build import build_state, open_state
from sassay.capture.evidence import load_evidence
from sassay.capture.families import GENERIC_WRAPPERS, qualify_families, unwrap_families
from sassay.capture.listing import kernel_listing
from sassay.capture.merge import merge_states
from sassay.capture.ondisk import SUFFIX, is_capture, read_capture, verify_capture, write_capture
from sassay.capture.query import QueryResult, query
from sassay.capture.store import CodeArchive
from sassay.sources import cache_dir

__all__ = [
    "GENERIC_WRAPPERS",
    "SUFFIX",
    "CodeArchive",
    "QueryResult",
    "build_state",
    "cache_dir",
    "is_capture",
    "kernel_listing",
    "kernel_names",
    "load_evidence",
    "merge_states",
    "open_state",
    "qualify_families",
    "query",
    "read_capture",
    "unwrap_families",
    "verify_capture",
    "write_capture",
]
