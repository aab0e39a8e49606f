"""The approximate instructions as an H100 computes them, from tables of what it gave."""
