"""Asynchronous copies that nothing waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.lint.program import integer
from sassay.lint.rule import Hit, Level, Options, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sassay.lint.program import Op
    from sassay.lint.sass import SassView
    from sassay.lint.subject import Subject

_WAITS = frozenset({"wait_group", "wait_all"})


def _is_copy(op: Op) -> bool:
    words = op.opcode.words
    return (
        op.opcode.head == "cp"
        and words[:1] == ("async",)
        and len(op.addresses) > 1
        and ("bulk" not in words)
    )


def _is_wait(op: Op) -> bool:
    words = op.opcode.words
    return (
        op.opcode.head == "cp"
        and "bulk" not in words
        and (bool(_WAITS & set(words)) or "mbarrier" in words)
    )


def _reads_shared(op: Op) -> bool:
    opcode = op.opcode
    return (opcode.is_load and opcode.space == "shared") or opcode.head in {"ldmatrix", "wgmma"}


def check(subject: Subject, options: Options) -> Iterator[Hit]:
    """Hits for copies that are read, or left behind, without a wait."""
    del options
    if subject.function is None:
        if subject.sass is not None:
            yield from _sass(subject.sass)
        return
    if not subject.has("cp."):
        return
    copies = [op for op in subject.ops if _is_copy(op) and subject.runs(op)]
    if copies:
        yield from _copies(subject, copies)
    yield from _bulk(subject)


def _copies(subject: Subject, copies: list[Op]) -> Iterator[Hit]:
    waits = [op for op in subject.ops if _is_wait(op) and subject.runs(op)]
    groups = [op for op in waits if "wait_group" in op.opcode.words]
    commits = [
        op for op in subject.ops if "commit_group" in op.opcode.words and op.opcode.head == "cp"
        and "bulk" not in op.opcode.words and subject.runs(op)
    ]  # fmt: skip
    if groups and len(groups) == len(waits) and not commits:
        yield Hit(f"`{groups[0].opcode.text}` waits for groups that nothing commits", groups[0])
        return
    in_loop = subject.flow.in_loop
    if commits and groups and len(groups) == len(waits):
        loops = any(in_loop[subject.flow.block_of[op.index]] for op in commits)
        least = min((integer(op.data[0]) or 0) if op.data else 0 for op in groups)
        if not loops and least >= len(commits):
            yield Hit(
                f"`{groups[0].opcode.text}` lets as many groups run as are ever committed",
                groups[0],
            )
            return
    for op in copies:
        if _unwaited(subject, op):
            yield Hit(f"`{op.opcode.text}`: shared memory is read and nothing waits for it", op)


def _unwaited(subject: Subject, copy: Op) -> bool:
    """Whether a way leads from a copy past a read of shared memory to the end without a wait."""
    flow, ops = subject.flow, subject.ops
    seen: set[tuple[int, bool]] = set()
    stack = [(copy.index + 1, False)]
    while stack:
        start, read = stack.pop()
        block = flow.block_of[start] if start < len(ops) else flow.exit
        stop = flow.starts[block + 1] if block != flow.exit else start
        waited = False
        for op in ops[start:stop]:
            if _is_wait(op):
                waited = True
                break
            read = read or _reads_shared(op)
        if waited:
            continue
        if block == flow.exit:
            if read:
                return True
            continue
        for target in flow.targets[block]:
            if (target, read) not in seen:
                seen.add((target, read))
                stack.append((flow.starts[target], read))
    return False


def _bulk(subject: Subject) -> Iterator[Hit]:
    """Bulk copies: what arrives at a barrier is waited for there, what leaves by its group."""
    words = [set(op.opcode.words) if subject.runs(op) else set[str]() for op in subject.ops]
    waits = any({"try_wait", "test_wait"} & each for each in words)
    # Clusters and other kernels of the module may do the waiting.
    calls = any(op.opcode.head == "call" for op in subject.ops)
    drained = any("wait_group" in each and "bulk" in each for each in words)
    for op, each in zip(subject.ops, words, strict=True):
        if op.opcode.head != "cp" or "bulk" not in each or not op.addresses:
            continue
        arrives = any(word.startswith("mbarrier::complete_tx") for word in each)
        if arrives and not waits and not calls:
            yield Hit(f"`{op.opcode.text}`: nothing waits at its barrier", op)
        if "bulk_group" in each and not drained and not calls:
            yield Hit(f"`{op.opcode.text}`: the kernel may end before it has read its source", op)


def _sass(code: SassView) -> Iterator[Hit]:
    """Copies of which no instruction waits: LDGSTS without DEPBAR or an arrival."""
    census = code.census
    copies = {name: n for name, n in census.items() if name.startswith("LDGSTS")}
    if copies and not any(name.startswith(("DEPBAR", "LDGDEPBAR", "ARRIVES")) for name in census):
        for name, count in sorted(copies.items()):
            yield Hit(f"`{name}`: nothing waits for it", opcode=name, count=count)


RULE = Rule(
    id="async-wait-missing",
    level=Level.FAIL,
    check=check,
    layers=("ptx", "sass"),
)
