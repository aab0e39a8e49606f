# ruff: noqa: INP001, T201 - a script; it prints what it wrote
"""Writes a manifest for the Triton kernels of an unpacked wheel, with guessed signatures.

    python examples/sglang_manifest.py UNPACKED_WHEEL -o engine.toml --arch sm_90
    sassay compile engine.toml --root UNPACKED_WHEEL -o engine.sassay

Types are guessed from the names of parameters and constants from a table of usual names, so the
kernels are plausible instances, not the ones that a server would launch.
"""

from __future__ import annotations

import argparse
import ast
import re
from pathlib import Path

from sassay.build.extract import Extractor, jit_functions
from sassay.build.modules import ModuleFinder
from sassay.build.names import defaults, parameters
from sassay.errors import CompileError

POINTER = re.compile(
    r"(_ptrs?$|_ptr_|^ptr_|_buffer$|_buf$|_out$|_output$|^(output|out|x|y|q|k|v|o|a|b|c|input|weight|bias|mask)$|_cache$"
    r"|_indices$|_indptr$|_loc$|_ids$|_lens?$|_table$|_pool$|^(Q|K|V|O|A|B|C|X|Y|W|Out|Output|Mid_O|L|Lse|logits)$)",
    re.IGNORECASE,
)
NUMBER = re.compile(
    r"(^stride|_stride|^(n|m|k|h|s|d|t|num|size|len|max|min|total|batch|seq|dim|block)_|_(size|num|dim|len|elements|tokens"
    r"|heads|rows|cols|stride|id|offset|start|end|count|limit|rank)$|^[A-Z]$|^(n|m|k|size|numel|rows|cols|hidden)$)",
)
INDEX = re.compile(
    r"(ind(ices|ex|ptr)|_ids?(_|$)|loc|_lens?(_|$)|slot|page|table|offset|count|start|position|seg|mapping)"
)
REAL = re.compile(
    r"(eps|scale|scaling|alpha|beta|cap|limit_f|temperature|theta|factor|threshold)", re.IGNORECASE
)
BYTES8 = re.compile(r"(fp8|_q8|quant)", re.IGNORECASE)
FLAG = re.compile(
    r"(^(is|has|use|need|enable|do|apply|with|return|store|load|even|no|keep|inplace|causal|reverse|transpose)_"
    r"|_enabled$|^IS_|^HAS_|^USE_|^EVEN_|MASK|CAUSAL|VARLEN)",
    re.IGNORECASE,
)
POWERS = re.compile(
    r"(block|tile|_pow2|_p2|padded|chunk|^B[A-Z]$|^B[MNKTCVSDR]$|size|dim|^D$|group)", re.IGNORECASE
)
DTYPE = re.compile(r"(dtype|_type$|^compute_type$|^out_type$)", re.IGNORECASE)


def constant(name: str) -> str:
    """A usual value for a compile-time constant, as TOML."""
    low = name.lower()
    if DTYPE.search(name):
        return '"tl.bfloat16"'
    if FLAG.search(name):
        return "false"
    if low in {"num_stages", "num_warps"}:
        return "2"
    if "top" in low and "k" in low:
        return "8"
    if "head" in low and ("dim" in low or "size" in low):
        return "128"
    if "rank" in low or POWERS.search(name):
        return "64"
    if "eps" in low:
        return "1e-6"
    if "scale" in low or "cap" in low:
        return "1.0"
    return "16"


def run_time_type(name: str, annotation: str, pointers: set[str]) -> str:
    """A plausible type of a run-time parameter."""
    if name in pointers or (POINTER.search(name) and not re.match(r"(stride|num_|n_)", name)):
        if INDEX.search(name.lower()):
            return "*i64" if "loc" in name.lower() else "*i32"
        if BYTES8.search(name):
            return "*fp8e4nv"
        return "*fp32" if "scale" in name.lower() or "lse" in name.lower() else "*bf16"
    if "float" in annotation or (REAL.search(name) and not NUMBER.search(name)):
        return "fp32"
    return "i32"


def loaded_names(function: ast.FunctionDef) -> set[str]:
    """Parameters that the function loads from or stores to, directly or through a sum."""
    found: set[str] = set()
    wanted = {item.arg for item in parameters(function)}
    carriers: dict[str, set[str]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign | ast.AugAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name):
                carriers.setdefault(target.id, set()).update(_leftmost(node.value))
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if name in {"load", "store"} or name.startswith("atomic_"):
                found |= _closure(_leftmost(node.args[0]), carriers)
    return found & wanted


def _leftmost(node: ast.expr) -> set[str]:
    while isinstance(node, ast.BinOp | ast.Subscript | ast.Call):
        if isinstance(node, ast.BinOp):
            node = node.left
        elif isinstance(node, ast.Subscript):
            node = node.value
        elif isinstance(node.func, ast.Attribute) and node.func.attr in {"to", "cast"}:
            node = node.func.value
        else:
            return set()
    return {node.id} if isinstance(node, ast.Name) else set()


def _closure(names: set[str], carriers: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    while names - found:
        name = min(names - found)
        found.add(name)
        names = names | carriers.get(name, set())
    return found


def called_names(functions: list[tuple[str, ast.FunctionDef]]) -> set[str]:
    """Names that the functions of one file call."""
    return {
        node.func.id
        for _, function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


def is_entry(function: ast.FunctionDef, called: set[str]) -> bool:
    """Whether it looks like a kernel: it returns nothing and no function of its file calls it."""
    returns = (node for node in ast.walk(function) if isinstance(node, ast.Return))
    return function.name not in called and all(node.value is None for node in returns)


def kernel_table(file: str, name: str, function: ast.FunctionDef) -> str:
    """The `[[kernel]]` table of one function."""
    pointers = loaded_names(function)
    given = defaults(function)
    signature, constants = [], []
    for item in parameters(function):
        note = ast.unparse(item.annotation) if item.annotation else ""
        if "constexpr" in note:
            if item.arg not in given:
                constants.append(f"{item.arg} = {constant(item.arg)}")
        elif item.arg not in given or item.arg in pointers:
            signature.append(f'{item.arg} = "{run_time_type(item.arg, note, pointers)}"')
    lines = ["[[kernel]]", f'file = "{file}"', f'function = "{name}"']
    lines += [f"signature = {{ {', '.join(signature)} }}"] if signature else []
    lines += [f"constants = {{ {', '.join(constants)} }}"] if constants else []
    return "\n".join(lines) + "\n"


def main() -> None:
    """Writes the manifest and says how many functions were found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--arch", action="append", default=[])
    options = parser.parse_args()
    root = options.folder.resolve()
    extractor = Extractor(ModuleFinder(root, []))
    archs = ", ".join(f'"{arch}"' for arch in options.arch or ["sm_90"])
    tables = [f'label = "guessed"\n\n[defaults]\narch = [{archs}]\ndivisibility = {{ "*" = 16 }}\n']
    found = unread = 0
    for path in sorted(root.rglob("*.py")):
        file = path.relative_to(root).as_posix()
        try:
            scanned = extractor.scan(extractor.finder.by_file(file))
        except CompileError:
            unread += 1
            continue
        functions = jit_functions(scanned)
        called = called_names(functions)
        for name, function in functions:
            found += 1
            if is_entry(function, called):
                tables.append(kernel_table(file, name, function))
    options.output.write_text("\n".join(tables), encoding="utf-8")
    print(f"{found} jit functions, {len(tables) - 1} kernels written, {unread} files not read")


if __name__ == "__main__":
    main()
