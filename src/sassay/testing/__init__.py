"""Lowering in tests: compile a kernel without a GPU, and assert on what it became.

`sassay.testing.plugin` is the pytest plugin; nothing else is imported until a test asks for it.
"""
