"""Benchmarks against peers, on real inputs that are made or downloaded on the spot."""
