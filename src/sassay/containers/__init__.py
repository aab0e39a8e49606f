"""Bytes of ELF, fatbin, cubin, zip, tar and ar files, bounds-checked and bounded by `limits`.

Imports are direct (`from sassay.containers.cubin import read_cubin`), so that a command loads only
what it reads.
"""
