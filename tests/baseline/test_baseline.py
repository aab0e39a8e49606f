from __future__ import annotations

import itertools
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from sassay.baseline import Baseline, read_baseline, teach_tiers, write_baseline
from sassay.baseline.digests import ptx_tier, sass_tier, tier_digests
from sassay.build import compile_manifest, load_manifest
from sassay.capture import CodeArchive, build_state
from sassay.diff import DiffOptions, compare
from sassay.errors import FormatError
from sassay.isa import ptx, sass
from sassay.isa.sass import Disassembler

if TYPE_CHECKING:
    from collections.abc import Callable

    from sassay.model.kernel import Kernel
    from sassay.model.layers import Tier
    from sassay.model.state import State

FUNCTIONS = {
    "_expert_offsets_kernel", "_moe_combine_kernel", "_router_rmsnorm_kernel",
    "_topk_softmax_scale_kernel",
}  # fmt: skip
EXAMPLES = Path(__file__).parents[2] / "examples" / "router"


class Built:
    """Two states of the router example, and their code."""

    def __init__(self, folder: Path) -> None:
        self.store = CodeArchive()
        self.disassembler = Disassembler(folder / "cache")
        self.states = {name: self._build(name, folder) for name in ("base", "pre_revert")}

    def _build(self, name: str, folder: Path) -> State:
        manifest = load_manifest(EXAMPLES / f"{name}.toml", archs=("sm_90",))
        variants = tuple(each for each in manifest.variants if each.function in FUNCTIONS)
        manifest = msgspec.structs.replace(manifest, variants=variants)
        run = compile_manifest(manifest, archs=("sm_90",), cache_dir=folder / name)
        return build_state(
            str(run.caches), label=name, store=self.store, disassembler=self.disassembler
        )

    def text(self, name: str) -> str:
        return write_baseline(self.states[name], self.store, self.disassembler)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(tmp_path_factory.mktemp("router"))


def read(text: str, folder: Path) -> Baseline:
    path = folder / "kernels.baseline"
    path.write_text(text)
    return read_baseline(path)


def test_a_state_made_of_the_text_compares_as_the_state_itself(
    built: Built, tmp_path: Path
) -> None:
    base, head = built.states["base"], built.states["pre_revert"]
    reference = read(built.text("base"), tmp_path)
    known = teach_tiers(reference, head, built.store, built.disassembler, tmp_path / "memo")
    nowhere = CodeArchive()  # holds no code at all
    by_text = compare(
        (known, head), nowhere, built.disassembler, DiffOptions(cache_dir=tmp_path / "memo")
    )
    by_code = compare((base, head), built.store, built.disassembler)
    assert [(c.family, c.status, c.tier, c.ptx_tier, c.deltas) for c in by_text.changes] == [
        (c.family, c.status, c.tier, c.ptx_tier, c.deltas) for c in by_code.changes
    ]
    assert [p.tiers for p in by_text.pairs] == [p.tiers for p in by_code.pairs]
    assert [(f.family, f.status) for f in by_text.families] == [
        (f.family, f.status) for f in by_code.families
    ]


def test_tiers_by_digest_are_the_tiers_by_code(built: Built) -> None:
    """Every pair of kernels of one multiset of opcodes, in both layers."""
    kernels = {k.id: k for state in built.states.values() for k in state.kernels}
    digests = tier_digests(tuple(kernels.values()), built.store, built.disassembler)
    seen: set[Tier] = set()
    pairs = itertools.combinations(kernels.values(), 2)
    alike = [(one, other) for one, other in pairs if one.instructions.ptx == other.instructions.ptx]
    for one, other in alike[:: max(1, len(alike) // 40)]:
        if one.instructions.sass == other.instructions.sass and one.code.sass != other.code.sass:
            assert one.code.sass is not None
            assert other.code.sass is not None
            by_code = sass.tier(
                built.store.sass(one.code.sass), built.store.sass(other.code.sass),
                built.disassembler,
            )  # fmt: skip
            assert sass_tier(digests[one.id], digests[other.id]) == by_code, (one.name, other.name)
            seen.add(by_code)
        by_text = ptx.tier(entry(one, built), entry(other, built))
        assert ptx_tier(digests[one.id], digests[other.id]) == by_text
    assert seen


def entry(kernel: Kernel, built: Built) -> ptx.PtxFunction:
    assert kernel.code.ptx is not None
    module = ptx.read_module(built.store.ptx(kernel.code.ptx), artifact=kernel.name)
    return next(each for each in module.entries if each.name == kernel.symbol)


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (["MOV R1, R2 ;", "IADD3 R1, R1, R3 ;"], ["MOV R5, R1 ;", "IADD3 R5, R5, R0 ;"], True),
        (["MOV R1, R2 ;", "MOV R1, R1 ;"], ["MOV R1, R2 ;", "MOV R1, R2 ;"], False),
        (["MOV R1, UR2 ;"], ["MOV R1, R2 ;"], False),
        (["LDG.E.64 R2, [R4] ;", "MOV R3, R9 ;"], ["LDG.E.64 R6, [R4] ;", "MOV R7, R9 ;"], True),
        (["LDG.E.64 R2, [R4] ;", "MOV R3, R9 ;"], ["LDG.E.64 R6, [R4] ;", "MOV R8, R9 ;"], False),
        (["@P0 EXIT ;", "@!P0 EXIT ;"], ["@P1 EXIT ;", "@!P1 EXIT ;"], True),
        (["@P0 EXIT ;", "@!P0 EXIT ;"], ["@P1 EXIT ;", "@!P0 EXIT ;"], False),
    ],
)
def test_the_canonical_form_of_registers_says_what_renaming_says(
    before: list[str], after: list[str], same: bool
) -> None:
    from sassay.baseline.digests import canonical_registers
    from sassay.isa.sass.renaming import renamed

    assert renamed(before, after) is same
    assert (canonical_registers(before) == canonical_registers(after)) is same


def test_the_text_does_not_depend_on_order_and_merges_as_git_merges(
    built: Built, tmp_path: Path
) -> None:
    """Two branches change different families; git joins them without a conflict."""
    base, head = built.text("base"), built.text("pre_revert")
    assert base == built.text("base")
    blocks_base, blocks_head = blocks(base), blocks(head)
    changed = [name for name in blocks_base if blocks_base[name] != blocks_head.get(name)]
    assert len(changed) >= 2
    ours = {**blocks_base, changed[0]: blocks_head[changed[0]]}
    theirs = {**blocks_base, changed[-1]: blocks_head[changed[-1]]}
    files = {}
    for name, content in (("base", blocks_base), ("ours", ours), ("theirs", theirs)):
        files[name] = tmp_path / name
        files[name].write_text(joined(content))
    done = subprocess.run(
        ["git", "merge-file", "-p", files["ours"], files["base"], files["theirs"]],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, "conflicts"
    assert done.stdout == joined({**ours, changed[-1]: blocks_head[changed[-1]]})


def blocks(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for block in text.split("\n\n"):
        found[block.split("\n")[0]] = block
    return found


def joined(content: dict[str, str]) -> str:
    return "\n\n".join(content.values())


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda text: "x" + text, "line 1: no stored reference"),
        (lambda text: text.replace("\n\n", "\n<<<<<<< HEAD\n", 1), "an unresolved merge"),
        (lambda text: text.replace('"code"', '"cod"', 1), "contains unknown field"),
        (lambda text: text + "nonsense\n", "expected a heading"),
        (lambda text: text.replace('"registers": ', '"registers": "x', 1), "not a line of"),
    ],
)
def test_a_damaged_file_is_refused_by_line(
    built: Built, tmp_path: Path, edit: Callable[[str], str], said: str
) -> None:
    with pytest.raises(FormatError, match=said) as error:
        read(edit(built.text("base")), tmp_path)
    assert "line" in str(error.value)


def test_lines_that_a_merge_left_twice_count_once(built: Built, tmp_path: Path) -> None:
    text = built.text("base")
    line = next(row for row in text.splitlines() if row.startswith("{"))
    doubled = text.replace(line, f"{line}\n{line}", 1)
    assert len(read(doubled, tmp_path).state.kernels) == len(built.states["base"].kernels)
