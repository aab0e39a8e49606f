"""Records for report tests: a router-like case in three states, hostile names, large diffs.

The comparison here is the simplest that fills the records right (kernels match by symbol); the
real one lives in `sassay.diff`. Counts are made up, their shapes are those of a router change:
two-step against fused RMSNorm, a fused top-k, and a norm looped over heads.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from sassay.model.artifact import Source, SourceKind, SourceLocation, Toolchain
from sassay.model.change import (
    Change,
    CodeDiff,
    Comparability,
    Deltas,
    Diff,
    DiffLine,
    FamilyPair,
    FamilyRow,
    FamilyStatus,
    Hunk,
    KernelStatus,
    Migration,
    Moved,
    Pair,
    SensitiveMove,
    StateSummary,
    Suspect,
)
from sassay.model.fact import Fact
from sassay.model.finding import (
    Check,
    Effect,
    Finding,
    Outcome,
    RuleOutcome,
    Verdict,
    Waived,
)
from sassay.model.kernel import CodeRefs, Function, Kernel, Launch, Resources, Specialization
from sassay.model.layers import Layered, Tier
from sassay.model.state import Diagnostic, Evidence, Level, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ARCH = "sm_90a"
_CATEGORY = {
    "LDG": "global_memory", "STG": "global_memory", "LDS": "shared_memory",
    "STS": "shared_memory", "FADD": "float_arithmetic", "FFMA": "float_arithmetic",
    "FMUL": "float_arithmetic", "MUFU": "special_function", "F2FP": "conversion",
    "SHFL": "warp_exchange", "BAR": "synchronization", "HMMA": "tensor_core",
    "HGMMA": "tensor_core", "WARPGROUP": "warpgroup", "UTMALDG": "tma", "LDGSTS": "async_copy",
    "EXIT": "control", "IMAD": "integer_arithmetic", "MOV": "address_and_move",
    "ld": "global_memory", "st": "global_memory", "cvt": "conversion", "add": "float_arithmetic",
    "fma": "float_arithmetic", "mul": "float_arithmetic", "ex2": "special_function",
    "rsqrt": "special_function", "shfl": "warp_exchange", "bar": "synchronization",
    "mma": "tensor_core", "wgmma": "tensor_core", "ret": "control",
}  # fmt: skip
_SENSITIVE = {"cvt": "conversion", "F2FP": "conversion", "fma": "contraction",
              "FFMA": "contraction", "MUFU": "approximation", "ex2": "approximation",
              "rsqrt": "approximation", "shfl": "reduction", "SHFL": "reduction"}  # fmt: skip

HOSTILE_NAMES = (
    "<script>alert(1)</script>",
    "evil\x1b]0;owned\x07\x1b[31mred\x1b[0m",
    "a|b`c``d\\|e @everyone #1 GH-2 http://evil.example/ www.evil.example",
    "[red]markup[/red] [link=http://x]y[/link]",
    "bidi\u202egnp.exe\u2066 zero\u200bwidth \x9b31m c1",
    "</title></details><img src=x onerror=alert(2)>",
    "{{ 7 * 7 }} {% raw %} \n\n# heading\r\n| a | b |",
    "]]> <!-- --> &amp; \ud800 \x00 \ufffe",
)
_CPP = (
    "void cutlass::device_kernel<cutlass::gemm::kernel::GemmUniversal<cute::tuple<int, int, int, "
    "int>, cutlass::gemm::collective::CollectiveMma<cutlass::gemm::MainloopSm90TmaGmmaWarpSpecial"
    "ized<4, cute::tuple<cute::C<2>, cute::C<1>, cute::C<1>>>, cute::tuple<cute::C<128>, cute::C"
    "<256>, cute::C<64>>, cutlass::bfloat16_t>>>(cutlass::Params)"
)


def _categories(census: Mapping[str, int]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for opcode, number in census.items():
        counts[_CATEGORY.get(opcode.split(".")[0], "other")] += number
    return dict(counts)


def kernel(
    family: str,
    sass: Mapping[str, int] | None,
    ptx: Mapping[str, int] | None = None,
    *,
    name: str | None = None,
    symbol: str | None = None,
    arch: str = ARCH,
    warps: int = 4,
    registers: int = 32,
    toolchain: str = "V13.0.88",
    path: str | None = None,
    line: int | None = 10,
    file: str = "/home/someone/checkout/python/router/kernels.py",
) -> Kernel:
    """One kernel; its id follows from everything that is passed."""
    seed = repr((family, name, symbol, arch, warps, registers, sass, ptx))
    digest = hashlib.sha256(seed.encode("utf-8", "surrogatepass")).hexdigest()
    return Kernel(
        id=digest[:12],
        name=name or family,
        symbol=symbol or name or family,
        family=family,
        specialization=Specialization(
            signature={"x": "*bf16", "out": "*bf16", "n": "i32"},
            constants={"BLOCK": 128},
            divisibility={"x": 16},
            options={"num_warps": warps},
        ),
        arch=arch,
        sources=(Source(SourceKind.TRITON, path or f"{digest[:8]}/{family[:12]}.cubin"),),
        launch=Launch(block=(warps * 32, 1, 1), warps=warps),
        resources=Resources(
            registers=registers, shared_bytes=512, stack_bytes=0, local_bytes=0, barriers=1,
            spill_load_bytes=0, spill_store_bytes=0,
        ),
        code_bytes=None if sass is None else 16 * sum(sass.values()),
        digest=digest,
        instructions=Layered(ptx=ptx, sass=sass),
        categories=Layered(
            ptx=None if ptx is None else _categories(ptx),
            sass=None if sass is None else _categories(sass),
        ),
        facts={"uses_tma": Fact(value=bool(sass and "UTMALDG" in sass))},
        toolchains=(Toolchain(ptx_version="8.7", ptxas=toolchain, frontend="triton 3.6.0"),),
        metadata={"num_warps": warps, "shared": 512},
        location=None if line is None else SourceLocation(file, line),
        code=CodeRefs(ptx=digest if ptx else None, sass=digest if sass else None),
        ptx_digest=digest if ptx else None,
    )  # fmt: skip


def _filler(index: int) -> Kernel:
    return kernel(
        f"_stable_{index // 2:02d}_kernel",
        {"LDG.E.128": 4, "FFMA": 20 + index, "STG.E": 2, "EXIT": 1},
        {"ld.global.v4.b32": 4, "fma.rn.f32": 20 + index, "st.global.b32": 2, "ret": 1},
        symbol=f"_stable_{index // 2:02d}_kernel_{index % 2}",
    )


def _norm(instance: int, extra: int = 0, warps: int = 4) -> Kernel:
    return kernel(
        "_gemma_qkv_rmsnorm_kernel",
        {"LDG.E.128": 6, "FADD": 40, "FMUL": 24 + instance, "MUFU.RSQ": 1, "SHFL.BFLY": 10,
         "F2FP.BF16.F32.PACK_AB": 8 + extra, "BAR.SYNC.DEFER_BLOCKING": 2, "STG.E.128": 3},
        {"ld.global.v4.b32": 6, "add.f32": 40, "mul.f32": 24 + instance, "rsqrt.approx.f32": 1,
         "shfl.sync.bfly.b32": 10, "cvt.rn.bf16.f32": 8 + extra, "bar.sync": 2},
        symbol=f"_gemma_qkv_rmsnorm_kernel_{instance}", warps=warps,
        registers=40 + 8 * (warps // 8), line=88,
    )  # fmt: skip


def _by_head(instance: int) -> Kernel:
    return kernel(
        "_gemma_qkv_rmsnorm_by_head_kernel",
        {"LDG.E.64": 2, "FFMA": 16, "MUFU.RSQ": 1, "SHFL.BFLY": 5, "F2FP.BF16.F32.PACK_AB": 2,
         "STG.E.64": 1, "EXIT": 1},
        {"ld.global.v2.b32": 2, "fma.rn.f32": 16, "rsqrt.approx.f32": 1, "shfl.sync.bfly.b32": 5,
         "cvt.rn.bf16.f32": 2},
        symbol=f"_gemma_qkv_rmsnorm_by_head_kernel_{instance}", warps=1, line=131,
    )  # fmt: skip


def _topk() -> Kernel:
    return kernel(
        "_gemma4_topk_softmax_scale_kernel",
        {"LDG.E": 4, "MUFU.EX2": 8, "FADD": 30, "SHFL.BFLY": 25, "STS": 4, "LDS": 4,
         "F2FP.BF16.F32.PACK_AB": 4, "STG.E": 4, "EXIT": 1},
        {"ld.global.b32": 4, "ex2.approx.f32": 8, "add.f32": 30, "shfl.sync.bfly.b32": 25,
         "cvt.rn.bf16.f32": 4},
        line=201,
    )  # fmt: skip


def router_states() -> tuple[State, State, State]:
    """Base, pre-revert and accepted: fused paths come with the second and go with the third."""
    stable = [_filler(index) for index in range(50)]
    stable.append(
        kernel("cutlass::device_kernel<cutlass::gemm::kernel::GemmUniversal>",
               {"HGMMA.64x256x16.F32.BF16": 32, "UTMALDG.2D": 8, "WARPGROUP.ARRIVE": 4},
               name=_CPP, symbol="_ZN7cutlass13device_kernelE", line=None)
    )  # fmt: skip
    moe = kernel(
        "fused_moe_kernel",
        {"HGMMA.64x128x16.F32.BF16": 16, "LDS": 40, "FFMA": 64, "BAR.SYNC": 4},
        {"wgmma.mma_async": 16, "fma.rn.f32": 64},
        toolchain="V12.8.93",
    )
    base = [*stable, moe, _norm(0), _norm(1)]
    pre = [*stable, moe, _norm(0), _norm(1, extra=2, warps=8), _by_head(0), _by_head(1), _topk()]
    accepted = [*stable, moe, _norm(0), _norm(1), _norm(2), _norm(3)]
    made = []
    for label, kernels, score, length, revision in (
        ("base", base, 0.445, 4.494, "7ed53d15f"),
        ("pre-revert", pre, 0.36, 4.475, "256e1d6c6"),
        ("accepted", accepted, 0.445, 4.494, "847ce14"),
    ):
        made.append(
            state(
                label,
                kernels,
                evidence={
                    "GSM8K": Evidence(score, "accuracy", "MTP topk=1, 200 questions"),
                    "accept length": Evidence(length, "tokens"),
                },
                environment={"revision": revision, "dtype": "bfloat16", "tp": 2},
            )
        )
    return made[0], made[1], made[2]


def state(label: str, kernels: Iterable[Kernel], **more: object) -> State:
    """A state with its kernels in the order that states have."""
    ordered = sorted(kernels, key=lambda item: (item.family, item.arch, item.name, item.id))
    fields: dict[str, object] = {
        "tools": {"sassay": "0.1.0", "nvdisasm": "13.2.78"},
        "counts": {"files": len(ordered) * 6, "artifacts": len(ordered) * 2, "skipped_files": 3},
        **more,
    }
    return State(label=label, kernels=tuple(ordered), **fields)  # type: ignore[arg-type]  # named by the caller


def summary(item: State) -> StateSummary:
    """What a diff says of a state."""
    return StateSummary(
        label=item.label,
        kernels=len(item.kernels),
        families=len({(one.family, one.arch) for one in item.kernels}),
        environment=item.environment,
        evidence=item.evidence,
        code_bytes=sum(one.code_bytes or 0 for one in item.kernels),
        counts=item.counts,
        tools=item.tools,
    )


def _key(item: Kernel) -> tuple[str, str, str]:
    return (item.family, item.arch, item.symbol)


def _subtract(after: Mapping[str, int] | None, before: Mapping[str, int] | None) -> dict[str, int]:
    names = {**(before or {}), **(after or {})}
    moved = {name: (after or {}).get(name, 0) - (before or {}).get(name, 0) for name in names}
    return {name: value for name, value in sorted(moved.items()) if value}


def _change(before: Kernel | None, after: Kernel | None, pair: tuple[str, str]) -> Change:
    one = after or before
    assert one is not None
    status = (
        KernelStatus.ADDED if before is None
        else KernelStatus.REMOVED if after is None
        else KernelStatus.CHANGED
    )  # fmt: skip
    empty: Layered[Mapping[str, int]] = Layered(ptx={}, sass={})
    old_counts = before.instructions if before else empty
    new_counts = after.instructions if after else empty
    old_groups = before.categories if before else empty
    new_groups = after.categories if after else empty
    resources: dict[str, int] = {}
    metadata: dict[str, Moved] = {}
    if before and after:
        moved = (after.resources.registers or 0) - (before.resources.registers or 0)
        resources = {"registers": moved} if moved else {}
        if before.metadata != after.metadata:
            metadata = {
                "num_warps": Moved(before.metadata["num_warps"], after.metadata["num_warps"])
            }
    both = before is not None and after is not None
    return Change(
        id=hashlib.sha256(repr((pair, _key(one))).encode("utf-8", "replace")).hexdigest()[:12],
        pair=pair,
        family=one.family,
        arch=one.arch,
        status=status,
        name=one.name,
        tier=Tier.RECOMPOSED if both else None,
        ptx_tier=Tier.RECOMPOSED if both and one.instructions.ptx else None,
        before=before.id if before else None,
        after=after.id if after else None,
        deltas=Deltas(
            ptx=_subtract(new_counts.ptx, old_counts.ptx) if one.instructions.ptx else None,
            sass=_subtract(new_counts.sass, old_counts.sass),
            categories=Layered(
                ptx=_subtract(new_groups.ptx, old_groups.ptx) if one.instructions.ptx else None,
                sass=_subtract(new_groups.sass, old_groups.sass),
            ),
            resources=resources,
            metadata=metadata,
        ),
        specialization=f"*bf16, *bf16, i32; num_warps={one.metadata['num_warps']}",
        location=one.location,
    )


def _pair_counts(before: set[tuple[str, str, str]], after: set[tuple[str, str, str]],
                 changed: int) -> dict[str, int]:  # fmt: skip
    compared = len(before & after)
    return {
        "compared": compared,
        "unchanged": compared - changed,
        "changed": changed,
        "added": len(after - before),
        "removed": len(before - after),
    }


def _status(counts: Mapping[str, int], before: int, after: int) -> FamilyStatus:
    if not before and after:
        return FamilyStatus.ADDED
    if before and not after:
        return FamilyStatus.REMOVED
    if after > before:
        return FamilyStatus.EXPANDED
    if after < before:
        return FamilyStatus.SHRUNK
    moved = counts["changed"] or counts["added"] or counts["removed"]
    return FamilyStatus.CHANGED if moved else FamilyStatus.UNCHANGED


def compare(*states: State, comparability: tuple[Comparability, ...] = ()) -> Diff:
    """A diff of states whose kernels match by symbol."""
    maps = [{_key(item): item for item in one.kernels} for one in states]
    order = [(index, index + 1) for index in range(len(states) - 1)]
    if len(states) > 2:
        order.append((0, len(states) - 1))
    pairs: list[Pair] = []
    changes: list[Change] = []
    family_pairs: dict[tuple[str, str], list[FamilyPair]] = {}
    members: list[dict[tuple[str, str], list[tuple[str, str, str]]]] = []
    for one in maps:
        grouped: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
        for key in one:
            grouped.setdefault(key[:2], []).append(key)
        members.append(grouped)
    families = sorted({key for one in members for key in one})
    for old, new in order:
        labels = (states[old].label, states[new].label)
        touched: Counter[tuple[str, str]] = Counter()
        for key in sorted({*maps[old], *maps[new]}):
            before, after = maps[old].get(key), maps[new].get(key)
            if before is not None and after is not None and before.digest == after.digest:
                continue
            changes.append(_change(before, after, labels))
            if before is not None and after is not None:
                touched[key[:2]] += 1
        counts = _pair_counts(set(maps[old]), set(maps[new]), touched.total())
        pairs.append(
            Pair(
                before=labels[0],
                after=labels[1],
                **counts,
                tiers={"identical": counts["unchanged"]},
            )
        )
        for family in families:
            left, right = members[old].get(family, []), members[new].get(family, [])
            mine = _pair_counts(set(left), set(right), touched[family])
            status = _status(mine, len(left), len(right))
            tier = Tier.RECOMPOSED if mine["changed"] else None
            family_pairs.setdefault(family, []).append(
                FamilyPair(before=labels[0], after=labels[1], status=status, **mine, tier=tier)
            )
    rows = [
        _row(family, [[one[key] for key in groups.get(family, [])]
                      for one, groups in zip(maps, members, strict=True)], family_pairs[family])
        for family in families
    ]  # fmt: skip
    rank = {status: index for index, status in enumerate(FamilyStatus)}
    rows.sort(key=lambda row: (rank[row.status], row.family, row.arch))
    return Diff(
        states=tuple(summary(one) for one in states),
        comparability=comparability,
        pairs=tuple(pairs),
        families=tuple(rows),
        changes=tuple(changes),
        suspects=_suspects(rows),
        next_steps=(
            "sassay diff base accepted --kernel _gemma_qkv_rmsnorm_kernel --layer ptx",
            "sassay check base accepted --policy kernel-family-deltas",
        ),
    )


def _table(kernels: list[list[Kernel]], pick: str, layer: str) -> dict[str, tuple[int, ...]]:
    counts = []
    for one in kernels:
        total: Counter[str] = Counter()
        for item in one:
            total.update(getattr(getattr(item, pick), layer) or {})
        counts.append(total)
    names = sorted({name for total in counts for name in total})
    return {name: tuple(total[name] for total in counts) for name in names}


def _sums(table: Mapping[str, tuple[int, ...]], states: int) -> tuple[int, ...]:
    return tuple(sum(column[index] for column in table.values()) for index in range(states))


def _row(
    family: tuple[str, str], kernels: list[list[Kernel]], pairs: list[FamilyPair]
) -> FamilyRow:
    holds_ptx = any(item.instructions.ptx for one in kernels for item in one)
    sass, ptx = _table(kernels, "instructions", "sass"), _table(kernels, "instructions", "ptx")
    sums = _sums(sass, len(kernels))
    ptx_sums = _sums(ptx, len(kernels))
    averages = tuple(
        round(total / len(one), 2) if one else None
        for total, one in zip(sums, kernels, strict=True)
    )
    ptx_averages = tuple(
        round(total / len(one), 2) if one else None
        for total, one in zip(ptx_sums, kernels, strict=True)
    )
    return FamilyRow(
        family=family[0],
        arch=family[1],
        status=pairs[-1].status,
        kernels=tuple(len(one) for one in kernels),
        code_bytes=tuple(sum(item.code_bytes or 0 for item in one) for one in kernels),
        instructions=Layered(sass=sums, ptx=ptx_sums if holds_ptx else None),
        per_kernel=Layered(sass=averages, ptx=ptx_averages if holds_ptx else None),
        categories=Layered(
            sass=_table(kernels, "categories", "sass"),
            ptx=_table(kernels, "categories", "ptx") if holds_ptx else None,
        ),
        opcodes=Layered(sass=sass, ptx=ptx if holds_ptx else None),
        resources={
            "registers": tuple(
                max((item.resources.registers or 0 for item in one), default=None)
                for one in kernels
            )
        },
        pairs=tuple(pairs),
    )


def _suspects(rows: list[FamilyRow]) -> tuple[Suspect, ...]:
    found = []
    for row in rows:
        moves = []
        for layer in ("ptx", "sass"):
            table = (row.opcodes.ptx if layer == "ptx" else row.opcodes.sass) or {}
            for opcode, counts in table.items():
                kind = _SENSITIVE.get(opcode.split(".")[0])
                if kind and len(set(counts)) > 1:
                    moves.append(SensitiveMove(layer, opcode, kind, counts))
        if moves:
            moves.sort(key=lambda move: (-_width(move), move.layer, move.opcode))
            score = float(sum(_width(move) for move in moves))
            why = f"{moves[0].kind} moved: {moves[0].opcode}"
            found.append(Suspect(row.family, row.arch, row.status, score, why, tuple(moves)))
    return tuple(sorted(found, key=lambda one: (-one.score, one.family, one.arch)))


def _width(move: SensitiveMove) -> int:
    known = [value for value in move.counts if value is not None]
    return max(known) - min(known)


def router_diff() -> Diff:
    """The three router states compared."""
    return compare(
        *router_states(),
        comparability=(
            Comparability(
                "ptxas",
                ("V12.8.93, V13.0.88", "V12.8.93, V13.0.88", "V13.0.88"),
                "Two compiler versions mix in one state: differences in fused_moe_kernel may be "
                "the compiler's.",
            ),
        ),
    )


def router_check(diff: Diff) -> Check:
    """A check of the router diff with every kind of outcome."""
    ids = {row.family: tuple(
        change.id for change in diff.changes if change.family == row.family
    ) for row in diff.families}  # fmt: skip
    norm = "_gemma_qkv_rmsnorm_kernel"
    where = (SourceLocation("/home/someone/checkout/python/router/kernels.py", 88),)
    return Check(
        verdict=Verdict.FAIL,
        policy="router.yaml",
        findings=(
            Finding("f00000000001", "no-new-conversions", Effect.FAIL,
                    "Conversions to bf16 round once more than the reference path does", norm, ARCH,
                    ("aaaaaaaaaaaa",), 32, "ptx", {"cvt.rn.bf16.f32": 32}, ids[norm],
                    ("base: 16, accepted: 32 (+16)",), where),
            Finding("f00000000002", "review-kernel-family-deltas", Effect.REVIEW,
                    "New specialized kernels have been emitted, flagged for review", norm, ARCH,
                    ("aaaaaaaaaaaa",), 4, changes=ids[norm], source_lines=where,
                    requires=("profile",)),
            Finding("f00000000003", "review-kernel-family-deltas", Effect.REVIEW,
                    "New specialized kernels have been emitted, flagged for review",
                    "_gemma4_topk_softmax_scale_kernel", ARCH, (), 1,
                    waived=Waived("accepted with the fused path", "@owner", "2027-01-31")),
            Finding("f00000000004", "tensor-cores-seen", Effect.PASS, "Tensor cores are in use",
                    "fused_moe_kernel", ARCH, (), 16, "sass", {"HGMMA.64x128x16.F32.BF16": 16}),
        ),
        rules=(
            RuleOutcome("no-new-conversions", Outcome.FIRED, "1 family", Effect.FAIL),
            RuleOutcome("no-spills", Outcome.QUIET, "no kernel spills", Effect.FAIL),
            RuleOutcome("register-growth", Outcome.UNKNOWN,
                        "1 kernel of sm_100 was not disassembled", Effect.REVIEW),
            RuleOutcome("review-kernel-family-deltas", Outcome.FIRED, "2 families"),
            RuleOutcome("tensor-cores-seen", Outcome.FIRED, "1 family", Effect.PASS),
        ),
        states=diff.states,
        diagnostics=(
            Diagnostic(Level.ERROR, "cache/ab12/broken.cubin",
                       "offset 0x40: section table points outside the file", "sm_100"),
            Diagnostic(Level.NOTE, "accepted", "3 files hold no code"),
        ),
    )  # fmt: skip


def code_diffs(diff: Diff) -> tuple[CodeDiff, ...]:
    """Aligned PTX and SASS of the changed normalization kernel."""
    change = next(item for item in diff.changes if item.status is KernelStatus.CHANGED)
    lines = (
        DiffLine("equal", "mul.f32 %f9, %f8, %f7;", "mul.f32 %f9, %f8, %f7;", 41, 41),
        DiffLine("replace", "cvt.rn.bf16.f32 %rs1, %f9;", "cvt.rz.bf16.f32 %rs1, %f9;", 42, 42),
        DiffLine("delete", "add.f32 %f10, %f9, %f1;", None, 43, None),
        DiffLine("insert", None, "fma.rn.f32 %f10, %f8, %f7, %f1;", None, 43),
        DiffLine("equal", "st.global.b16 [%rd1], %rs1;", "st.global.b16 [%rd1], %rs1;", 44, 44),
    )
    sass = (
        DiffLine("equal", "MUFU.RSQ R4, R3", "MUFU.RSQ R4, R3", 0x110, 0x110),
        DiffLine("replace", "FMUL R5, R4, R2", "FFMA R5, R4, R2, R7", 0x120, 0x120),
        DiffLine("insert", None, "@!P0 BRA +0x40", None, 0x130),
    )
    ids = (change.before or "", change.after or "")
    return (
        CodeDiff("ptx", *ids, Tier.RECOMPOSED, 91, 92, (Hunk(40, 4, 40, 4, lines),)),
        CodeDiff("sass", *ids, Tier.RECOMPOSED, 94, 96, (Hunk(17, 2, 17, 3, sass),)),
    )


def hostile_states() -> tuple[State, State]:
    """Two states in which every text that a file controls is hostile."""

    def kernels(extra: int) -> list[Kernel]:
        return [
            kernel(name, {"FFMA": 4 + extra, name: 2 + extra}, {"fma.rn.f32": 4, name: 1 + extra},
                   name=f"{name}::{name}", symbol=f"{name}{index}", path=f"{name}/k.cubin",
                   file=f"/tmp/{name}.py")
            for index, name in enumerate(HOSTILE_NAMES)
        ]  # fmt: skip

    bad = HOSTILE_NAMES
    more = {
        "evidence": {bad[0]: Evidence(bad[1], bad[2], bad[3])},
        "environment": {bad[4]: bad[5]},
        "diagnostics": tuple(Diagnostic(Level.ERROR, name, name) for name in bad),
        "functions": (Function(bad[0], bad[1], ARCH, (), 16, Layered()),),
    }
    return (
        state(bad[0], kernels(0), **more),
        state(bad[2], kernels(1), **more),
    )


def hostile_check(diff: Diff) -> Check:
    """Findings whose every text is hostile."""
    return Check(
        verdict=Verdict.REVIEW,
        policy=HOSTILE_NAMES[0],
        findings=tuple(
            Finding(f"bad{index:09d}", name, Effect.REVIEW, name, name, ARCH, (name,), 3, "sass",
                    {name: 3}, details=(name,), source_lines=(SourceLocation(f"../{name}.py", 3),),
                    waived=Waived(name, name, name) if index % 3 == 2 else None, requires=(name,))
            for index, name in enumerate(HOSTILE_NAMES)
        ),
        rules=tuple(RuleOutcome(name, Outcome.UNKNOWN, name) for name in HOSTILE_NAMES),
        states=diff.states,
    )  # fmt: skip


def migration_diff() -> Diff:
    """Two architectures, one family that moved to the new paths and one that did not."""
    diff = compare(
        state("ampere", [kernel("fused_moe_kernel", {"HMMA.16816.F32": 64, "LDGSTS.E": 16})]),
        state("hopper", [kernel("fused_moe_kernel",
                                {"HGMMA.64x64x16.F32": 16, "UTMALDG.2D": 4})]),
    )  # fmt: skip
    migrations = (
        Migration("fused_moe_kernel", "sm_80", "sm_90", "yes", "yes",
                  {"mma": 64, "cp.async": 16}, {"wgmma": 16, "tma": 4},
                  "HMMA 64 to HGMMA 16, LDGSTS 16 to UTMALDG 4"),
        Migration("grouped_matmul_legacy", "sm_80", "sm_90", "no", "no", {"mma": 64},
                  {"mma": 64}, "still HMMA, no TMA"),
        Migration("rmsnorm", "sm_80", "sm_90", "not applicable", "not applicable", {}, {},
                  "uses no tensor core and no asynchronous copy"),
    )  # fmt: skip
    return Diff(
        states=diff.states, comparability=diff.comparability, pairs=diff.pairs,
        families=diff.families, changes=diff.changes, suspects=diff.suspects,
        migrations=migrations,
    )  # fmt: skip


def large_states(kernels: int, families: int) -> tuple[State, State]:
    """Two states of many kernels, every kernel changed."""

    def made(extra: int) -> list[Kernel]:
        return [
            kernel(
                f"namespace_{index % families % 7}::family_{index % families:05d}_kernel",
                {f"OP{code}.E.{64 + code}": 3 + (index + code * extra) % 17
                 for code in range(20)} | {"FFMA": 10 + extra, "F2FP.BF16": 3 + extra},
                symbol=f"_ZN9namespace{index:06d}E", name=f"{_CPP}#{index}",
            )
            for index in range(kernels)
        ]  # fmt: skip

    return state("before", made(0)), state("after", made(1))
