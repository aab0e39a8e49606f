"""Dominators of a graph, and what follows from them.

Lengauer and Tarjan, "A fast algorithm for finding dominators in a flowgraph" (1979), with path
compression: time does not blow up, whatever the graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def reversed_edges(targets: Sequence[Sequence[int]]) -> list[list[int]]:
    """For each node the nodes that lead to it."""
    sources: list[list[int]] = [[] for _ in targets]
    for node, following in enumerate(targets):
        for target in following:
            sources[target].append(node)
    return sources


def preorder(targets: Sequence[Sequence[int]], root: int) -> tuple[list[int], list[int]]:
    """Nodes in the order of a depth-first search, and the parent of each (-1 where not reached)."""
    order: list[int] = []
    parents = [-1] * len(targets)
    seen = bytearray(len(targets))
    stack = [(root, root)]
    while stack:
        node, parent = stack.pop()
        if seen[node]:
            continue
        seen[node] = 1
        parents[node] = parent
        order.append(node)
        stack.extend((target, node) for target in reversed(targets[node]) if not seen[target])
    return order, parents


def postorder(targets: Sequence[Sequence[int]], root: int) -> list[int]:
    """Nodes that are reached, each after those that it leads to, loops aside."""
    order: list[int] = []
    seen = {root}
    stack = [(root, iter(targets[root]))]
    while stack:
        node, rest = stack[-1]
        following = next((each for each in rest if each not in seen), None)
        if following is None:
            order.append(node)
            stack.pop()
        else:
            seen.add(following)
            stack.append((following, iter(targets[following])))
    return order


def dominators(targets: Sequence[Sequence[int]], root: int) -> list[int]:
    """The immediate dominator of each node; of the root itself, and -1 where it is not reached."""
    order, parents = preorder(targets, root)
    number = [-1] * len(targets)
    for at, node in enumerate(order):
        number[node] = at
    sources = reversed_edges(targets)
    semi = list(range(len(order)))
    best = list(range(len(order)))
    above = [-1] * len(order)
    found = [0] * len(order)
    buckets: list[list[int]] = [[] for _ in order]

    def evaluate(at: int) -> int:
        path = []
        here = at
        while above[here] >= 0 and above[above[here]] >= 0:
            path.append(here)
            here = above[here]
        for each in reversed(path):
            up = above[each]
            if semi[best[up]] < semi[best[each]]:
                best[each] = best[up]
            above[each] = above[up]
        return best[at] if above[at] >= 0 else at

    for at in range(len(order) - 1, 0, -1):
        node = order[at]
        for source in sources[node]:
            if number[source] >= 0:
                semi[at] = min(semi[at], semi[evaluate(number[source])])
        buckets[semi[at]].append(at)
        parent = number[parents[node]]
        above[at] = parent
        for each in buckets[parent]:
            low = evaluate(each)
            found[each] = low if semi[low] < semi[each] else parent
        buckets[parent].clear()
    result = [-1] * len(targets)
    result[root] = root
    for at in range(1, len(order)):
        if found[at] != semi[at]:
            found[at] = found[found[at]]
        result[order[at]] = order[found[at]]
    return result


def depths(above: Sequence[int], root: int) -> list[int]:
    """How far below the root each node of a dominator tree stands; -1 where it is not in it."""
    found = [-1] * len(above)
    found[root] = 0
    for node in range(len(above)):
        path = []
        here = node
        while here >= 0 and found[here] < 0:
            path.append(here)
            here = above[here]
        if here < 0:
            continue
        for each in reversed(path):
            found[each] = found[above[each]] + 1
    return found


class Tree:
    """A dominator tree that answers "does a dominate b" at once."""

    def __init__(self, above: Sequence[int], root: int) -> None:
        self.children: list[list[int]] = [[] for _ in above]
        for node, parent in enumerate(above):
            if parent >= 0 and node != root:
                self.children[parent].append(node)
        self._first = [-1] * len(above)
        self._last = [-1] * len(above)
        clock = 0
        stack = [(root, False)]
        while stack:
            node, done = stack.pop()
            if done:
                self._last[node] = clock
                continue
            clock += 1
            self._first[node] = clock
            stack.append((node, True))
            stack.extend((child, False) for child in self.children[node])

    def dominates(self, above: int, below: int) -> bool:
        """Whether one node dominates another; every node dominates itself."""
        return (
            self._first[above] >= 0
            and self._first[below] >= 0
            and self._first[above] <= self._first[below] <= self._last[above]
        )
