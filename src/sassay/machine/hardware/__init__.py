"""Runs kernels on a real GPU, to compare the machine with it."""
