"""The lint rules by name: what policies may set and waive, and the lint wing implements."""

from __future__ import annotations

LINT_TITLES: dict[str, str] = {
    "approximate-math": "Arithmetic approximates (`.approx`, `.full`) or flushes subnormals.",
    "async-wait-missing": "An asynchronous copy is read, or left behind, without a wait.",
    "batch-row-select": "A batched kernel does not select its row by the block index.",
    "block-race": "Blocks overwrite one another: values follow the block, addresses do not.",
    "contractible-arithmetic": "ptxas may fuse a product and a sum, which rounds once, not twice.",
    "conversion-round-trip": "A value is converted to another precision and straight back.",
    "divergent-barrier": "A barrier of the whole block stands where only some of its threads come.",
    "f64-by-accident": "Arithmetic runs in double precision between single-precision values.",
    "manual-staging": "A loop stages global memory into shared memory through registers.",
    "misaligned-access": "An access is wider than the address of some thread allows: it traps.",
    "new-spills": "The kernel spills registers, or keeps a stack frame, and did not before.",
    "position-source": "Where a write takes its position from: directly, or through a pointer.",
    "readonly-load": "A global load could be `.nc`: the kernel never writes through that pointer.",
    "shared-address-64bit": "A shared-memory address is held in a 64-bit register, not in 32 bits.",
    "store-one-place": "A store's address depends on no index: every thread writes one place.",
    "tensor-core-loop": "A tensor-core kernel's main loop holds no matrix instruction.",
    "uncoalesced-access": "A warp's access is spread over many more sectors than its bytes fill.",
    "vector-width-lost": "Global accesses became narrower: vectors were split.",
}
"""What is wrong where a rule fires, by its name; its module has the name with underscores."""
LINT_RULES: tuple[str, ...] = tuple(sorted(LINT_TITLES))
LINT_LEVELS: tuple[str, ...] = ("fail", "review", "info", "off")
"""What a rule's findings ask for; `info` records, `off` does not run the rule."""
