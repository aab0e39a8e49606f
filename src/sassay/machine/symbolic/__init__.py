"""The machine's symbolic mode: runs a program on expressions instead of numbers.

Every value that comes from an argument's content carries the 64-bit hash of the expression that
made it; what instructions compute on such values is left uninterpreted. Integers, addresses,
predicates and constants that no data reaches are computed as in the numeric mode. So two kernels
whose outputs have equal hashes give equal bits for *every* input, up to a collision (for n
different expressions n^2 / 2^65: one in 130,000 for 16.7 million) and up to what ptxas makes of
the PTX, which the contraction audit looks at.

    result = run_symbolic(program, Launch(grid, block, [x, weight, out, hidden, eps]))
    result.outputs[2]        # uint64 hashes, one for each element of `out`, of its shape
    result.caveats           # what the claim does not cover; empty if nothing
    tree = result.explain(2, (0, 17))    # the expression of out[0, 17], with source lines
    print(tree.render(depth=3))
    part = first_difference(tree, other_tree)   # where two expressions part

Leaves are elements of arrays and float scalars. By default the leaves of argument i are called
`argument i` and numbered by element. `leaves` names them, which is how arguments of two kernels
are made to correspond, and says which element of the common buffer an array starts with, or each
of its elements is:

    single = run_symbolic(one, Launch(1, 128, [x[r:r + 1], w, out, ...]),
                          leaves={0: Leaf("x", r * hidden), 1: Leaf("w")})
    batch = run_symbolic(many, Launch(rows, 128, [x, w, outs, ...]),
                         leaves={0: Leaf("x"), 1: Leaf("w")})
    same = single.outputs[2][0] == batch.outputs[2][r]

The content of a leaf array is not looked at. If an address, a loop or an index depends on it
(positions, token ids, expert ids), the run starts again with that argument's content as numbers
(`concrete`), and a caveat of kind `given-values` says which instruction asked for it: the claim
then holds for that content. A branch on data is followed on both sides and joined where the sides
meet, if they are short; otherwise the caveat `given-values` says so too. `order` says that float
atomics were added in the order of threads, which hardware does not promise. `undefined` says that
elements depend on a register that nobody wrote.

A matrix instruction is one operation for each element of its result (see `matrix`).

`result.trap` is set where the program trapped; its outputs are then as they were.
"""

from __future__ import annotations

from sassay.machine.symbolic.expression import Difference, Expression, first_difference
from sassay.machine.symbolic.result import Caveat, Leaf, SymbolicResult
from sassay.machine.symbolic.run import run_symbolic

__all__ = [
    "Caveat",
    "Difference",
    "Expression",
    "Leaf",
    "SymbolicResult",
    "first_difference",
    "run_symbolic",
]
