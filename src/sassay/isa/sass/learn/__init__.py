"""The generator of the opcode tables, see docs/sass-tables.md."""
