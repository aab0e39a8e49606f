"""Records a command: private caches, what it compiled, and a manifest that compiles it again."""

from sassay.build.record.caches import NAMES as CACHE_NAMES
from sassay.build.record.process import Ended
from sassay.build.record.replay import LeftOut, Replay, needs_root, replay_manifest
from sassay.build.record.run import Recording, record_command
from sassay.build.record.select import settle_rejects

__all__ = [
    "CACHE_NAMES",
    "Ended",
    "LeftOut",
    "Recording",
    "Replay",
    "needs_root",
    "record_command",
    "replay_manifest",
    "settle_rejects",
]
