"""`show`: one state's families, kernels and resources; or one kernel in full."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sassay.report.entries import arch_order
from sassay.report.names import location_text
from sassay.report.numbers import count, evidence, plural, scalar, size
from sassay.report.select import instances, left_out
from sassay.report.terminal import release
from sassay.report.terminal.code import listing
from sassay.report.terminal.lines import source_lines
from sassay.report.terminal.page import Column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sassay.model.artifact import Toolchain
    from sassay.model.kernel import Kernel
    from sassay.model.library import Coverage
    from sassay.model.state import State
    from sassay.report.bundle import Report, ReportOptions
    from sassay.report.terminal.page import Cell, Page

_ROWS = 40


def state(
    page: Page,
    item: State,
    options: ReportOptions,
    coverage: Coverage | None = None,
    *,
    alone: bool = False,
) -> None:
    """One state: what it is, its evidence, its coverage, its families and its kernels.

    Args:
        page: Where to write.
        item: The state.
        options: `summary` stops after the counts; `full` lists kernels too, as `--all` does.
        coverage: Which families exist for which architecture.
        alone: Stop after the coverage, which then names every family.
    """
    groups: dict[tuple[str, str], list[Kernel]] = {}
    for kernel in item.kernels:
        groups.setdefault((kernel.family, kernel.arch), []).append(kernel)
    archs = sorted({kernel.arch for kernel in item.kernels}, key=arch_order)
    families = {kernel.family for kernel in item.kernels}
    page.line((item.label, "bold"), (f"  {', '.join(map(_arch, archs))}", "dim"))
    page.line(
        f"{plural(len(item.kernels), 'kernel')} of {plural(len(families), 'family', 'families')}, "
        f"{size(sum(kernel.code_bytes or 0 for kernel in item.kernels))} of code"
        + (f", {plural(len(item.functions), 'device function')}" if item.functions else "")
    )
    for name, card in sorted(item.evidence.items()):
        unit = f" {card.unit}" if card.unit else ""
        page.paragraph(f"{evidence(card)}{unit}", indent=2, lead=(f"{name}: ", "bold"))
        if card.detail:
            page.paragraph(card.detail, indent=4, style="dim")
    for name, value in sorted(item.environment.items()):
        page.paragraph(scalar(value), indent=2, lead=(f"{name}: ", "dim"))
    if item.counts:
        seen = ", ".join(f"{name.replace('_', ' ')} {count(n)}" for name, n in item.counts.items())
        page.paragraph(seen, indent=2, lead=("seen: ", "dim"))
    if coverage is not None:
        release.coverage(page, coverage, options, whole=alone)
    if options.rendering == "summary" or alone:
        return
    _families(page, groups, options, with_arch=len(archs) > 1)
    _kernels(page, item.kernels, options, with_arch=len(archs) > 1)


def _place(item: tuple[tuple[str, str], Sequence[Kernel]]) -> tuple[str, tuple[str, int, str]]:
    (family, arch), _ = item
    return family, arch_order(arch)


def _families(
    page: Page,
    groups: Mapping[tuple[str, str], Sequence[Kernel]],
    options: ReportOptions,
    *,
    with_arch: bool,
) -> None:
    limit = len(groups) if options.all else options.limit or _ROWS
    rows: list[list[Cell]] = []
    for (family, arch), kernels in sorted(groups.items(), key=_place)[:limit]:
        total = _total(kernels, "sass")
        ptx = _total(kernels, "ptx")
        rows.append(
            [
                family,
                *([arch] if with_arch else []),
                count(len(kernels)),
                "-" if ptx is None else count(ptx),
                "-" if total is None else count(total),
                _span([kernel.resources.registers for kernel in kernels]),
                _span([kernel.resources.shared_bytes for kernel in kernels]),
                _span([kernel.resources.spill_store_bytes for kernel in kernels]),
            ]
        )
    page.blank()
    page.table(
        [
            Column("Families"),
            *([Column("arch")] if with_arch else []),
            *(
                Column(title, right=True)
                for title in ("kernels", "PTX", "SASS", "registers", "shared", "spilled")
            ),
        ],
        rows,
        indent=0,
    )
    rest = left_out(limit, len(groups), "families", "--all shows them, --family GLOB picks some")
    if rest:
        page.line((rest, "dim"))


def _total(kernels: Sequence[Kernel], layer: str) -> int | None:
    known = [
        census
        for kernel in kernels
        if (census := kernel.instructions.ptx if layer == "ptx" else kernel.instructions.sass)
        is not None
    ]
    return sum(sum(census.values()) for census in known) if known else None


def _span(values: Sequence[int | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "?"
    low, high = min(known), max(known)
    return count(low) if low == high else f"{count(low)}-{count(high)}"


def _arch(arch: str) -> str:
    """The architecture; PTX that stands alone says what it is for."""
    return f"{arch} (PTX fallback)" if arch.startswith("compute_") else arch


def _kernel_place(kernel: Kernel) -> tuple[str, tuple[str, int, str], str, str]:
    return kernel.family, arch_order(kernel.arch), kernel.name, kernel.id


def _kernels(
    page: Page, kernels: Sequence[Kernel], options: ReportOptions, *, with_arch: bool
) -> None:
    limit = len(kernels) if options.all else options.limit or _ROWS
    told = instances(kernels)
    rows: list[list[Cell]] = [
        [
            f"{kernel.name}  {told[kernel.id]}".rstrip(),
            (kernel.id, "dim"),
            *([kernel.arch] if with_arch else []),
            "-" if kernel.launch.warps is None else count(kernel.launch.warps),
            count(kernel.resources.registers),
            count(kernel.resources.shared_bytes),
            size(kernel.code_bytes) if kernel.code_bytes is not None else "-",
        ]
        for kernel in sorted(kernels, key=_kernel_place)[:limit]
    ]
    page.blank()
    page.table(
        [
            Column("Kernels"),
            Column("id"),
            *([Column("arch")] if with_arch else []),
            *(Column(title, right=True) for title in ("warps", "registers", "shared", "code")),
        ],
        rows,
        indent=0,
    )
    rest = left_out(limit, len(kernels), "kernels", "--all shows them")
    if rest:
        page.line((rest, "dim"))


def kernel_page(page: Page, report: Report, kernel: Kernel) -> None:
    """One kernel: facts, resources, census by category and opcode, and its code."""
    page.paragraph(kernel.name, style="bold")
    page.line((f"{kernel.id}  {kernel.family}  {kernel.arch}", "dim"))
    page.blank()
    for name, text in _facts(kernel):
        page.paragraph(text, indent=2, lead=(f"{name:<16}", "dim"))
    options = report.options
    for layer in ("ptx", "sass"):
        by_category = kernel.categories.ptx if layer == "ptx" else kernel.categories.sass
        by_opcode = kernel.instructions.ptx if layer == "ptx" else kernel.instructions.sass
        if options.layer not in {None, layer} or by_opcode is None:
            continue
        page.heading(f"{layer.upper()}", plural(sum(by_opcode.values()), "instruction"))
        _census(page, by_category or {}, "category")
        if options.rendering != "summary":
            page.blank()
            _census(page, by_opcode, "opcode")
    if report.lines is not None:
        source_lines(page, report.lines, options)
    if report.listing is not None:
        listing(page, report.listing)


def _census(page: Page, census: Mapping[str, int], title: str) -> None:
    ranked = sorted(census.items(), key=lambda item: (-item[1], item[0]))
    page.table(
        [Column(title), Column("count", right=True)],
        [[name, count(number)] for name, number in ranked],
    )


def _facts(kernel: Kernel) -> list[tuple[str, str]]:
    spec, launch, resources = kernel.specialization, kernel.launch, kernel.resources
    facts = [("symbol", kernel.symbol), ("digest", kernel.digest)]
    if spec.signature:
        facts.append(("signature", ", ".join(f"{k}: {v}" for k, v in spec.signature.items())))
    for name, values in (
        ("constants", spec.constants),
        ("divisible by", spec.divisibility),
        ("options", spec.options),
        ("metadata", kernel.metadata),
    ):
        if values:
            facts.append((name, ", ".join(f"{k}={scalar(v)}" for k, v in sorted(values.items()))))
    if spec.template_arguments:
        facts.append(("template", ", ".join(spec.template_arguments)))
    if spec.parameters:
        facts.append(("parameters", ", ".join(spec.parameters)))
    for name, dims in (
        ("block", launch.block),
        ("largest block", launch.max_block),
        ("cluster", launch.cluster),
    ):
        if dims is not None:
            facts.append((name, " x ".join(str(size_) for size_ in dims)))
    if launch.warps is not None:
        facts.append(("warps", count(launch.warps)))
    known = {name: getattr(resources, name) for name in resources.__struct_fields__}
    shown = ", ".join(
        f"{name.replace('_', ' ')} {count(value)}"
        for name, value in known.items()
        if value is not None
    )
    facts.append(("resources", shown or "unknown"))
    if kernel.code_bytes is not None:
        facts.append(("code", f"{count(kernel.code_bytes)} bytes"))
    for name, fact in sorted(kernel.facts.items()):
        facts.append((name, scalar(fact.value)))
        facts += [("", line) for line in fact.detail]
    facts += [("compiled by", _compiler(toolchain)) for toolchain in kernel.toolchains]
    if kernel.location is not None:
        facts.append(("defined in", location_text(kernel.location, parts=4)))
    facts += [("found in", f"{source.kind.value}: {source.path}") for source in kernel.sources]
    return facts


def _compiler(toolchain: Toolchain) -> str:
    parts = (
        toolchain.frontend,
        toolchain.ptxas and f"ptxas {toolchain.ptxas}",
        toolchain.ptx_version and f"PTX {toolchain.ptx_version}",
        toolchain.options,
    )
    return ", ".join(part for part in parts if part)
