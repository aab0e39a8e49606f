"""PTX and SASS: opcodes, categories, normal forms, listings."""
