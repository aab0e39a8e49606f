"""isa/ptx."""
