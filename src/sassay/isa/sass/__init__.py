"""isa/sass."""
