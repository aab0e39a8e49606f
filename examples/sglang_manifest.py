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
import json
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


class Usage:
    """How the body of a function uses its parameters, as far as its text shows.

    Attributes:
        pointers: Loaded from or stored to.
        integers: Part of an address, a range, a remainder, a shift or a bit operation.
        tables: Pointers whose elements are such integers.
        addresses: Pointers whose elements are pointers.
        flags: Constants that stand alone in a condition.
        words: Constants that are compared with a string or a number, with the first of those.
    """

    def __init__(self, function: ast.FunctionDef) -> None:
        self.pointers: set[str] = set()
        self.integers: set[str] = set()
        self.tables: set[str] = set()
        self.addresses: set[str] = set()
        self.flags: set[str] = set()
        self.words: dict[str, str] = {}
        self._values: dict[str, list[ast.expr]] = {}
        self._nodes = [node for statement in function.body for node in ast.walk(statement)]
        for node in self._nodes:
            if isinstance(node, ast.Assign | ast.AugAssign):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                if isinstance(target, ast.Name):
                    self._values.setdefault(target.id, []).append(node.value)
        for node in self._nodes:
            self._visit(node)
        self._spread()

    def _visit(self, node: ast.AST) -> None:
        match node:
            case ast.Call():
                self._call(node)
            case ast.BinOp(op=ast.FloorDiv() | ast.Mod() | ast.LShift() | ast.RShift()):
                self._whole(node)
            case ast.BinOp(op=ast.BitXor()):
                self._whole(node)
            case ast.If(test=test) | ast.IfExp(test=test):
                self._condition(test)
            case ast.Compare(left=ast.Name(id=name), ops=[ast.Eq()], comparators=[value]):
                if isinstance(value, ast.Constant) and isinstance(value.value, str | int):
                    self.words.setdefault(name, json.dumps(value.value))
            case _:
                pass

    def _call(self, node: ast.Call) -> None:
        name = called(node)
        if node.args and (name in {"load", "store"} or name.startswith("atomic_")):
            place, *rest = node.args
            self.pointers |= _closure(_leftmost(place), self._bases())
            self._address(place)
            for item in (*rest, *(word.value for word in node.keywords)):
                if name != "store" or item is not rest[0]:
                    self._mask(item)
        elif name in {"range", "arange", "static_range"}:
            for item in node.args:
                self._whole(item)
        elif name == "to" and "pointer_type" in ast.unparse(node):
            owner = node.func.value if isinstance(node.func, ast.Attribute) else None
            self._elements(owner, self.addresses)

    def _bases(self) -> dict[str, set[str]]:
        return {
            name: set().union(*(_leftmost(value) for value in values))
            for name, values in self._values.items()
        }

    def _address(self, place: ast.expr) -> None:
        """All of an address but its base is whole numbers."""
        while isinstance(place, ast.BinOp):
            self._whole(place.right)
            place = place.left

    def _mask(self, mask: ast.expr) -> None:
        for node in ast.walk(mask):
            if isinstance(node, ast.Compare):
                for item in (node.left, *node.comparators):
                    self._whole(item)

    def _whole(self, node: ast.expr) -> None:
        """An expression that is whole numbers: its names are, and what it loads from holds them."""
        match node:
            case ast.Name(id=name):
                self.integers.add(name)
            case ast.BinOp(left=left, right=right):
                self._whole(left)
                self._whole(right)
            case ast.UnaryOp(operand=item) | ast.Subscript(value=item):
                self._whole(item)
            case ast.Call(func=ast.Attribute(value=owner, attr="to")):
                self._whole(owner)
            case ast.Call() if called(node) == "load":
                self._elements(node, self.tables)
            case ast.Call(args=items) if called(node) in {
                "minimum",
                "maximum",
                "min",
                "cdiv",
                "where",
            }:
                for item in items:
                    self._whole(item)
            case _:
                pass

    def _elements(self, load: ast.expr | None, into: set[str]) -> None:
        if isinstance(load, ast.Call) and called(load) == "load" and load.args:
            into |= _closure(_leftmost(load.args[0]), self._bases())

    def _condition(self, test: ast.expr) -> None:
        match test:
            case ast.Name(id=name):
                self.flags.add(name)
            case ast.UnaryOp(op=ast.Not(), operand=item):
                self._condition(item)
            case ast.BoolOp(values=items):
                for item in items:
                    self._condition(item)
            case _:
                pass

    def _spread(self) -> None:
        """What is assigned to a name of whole numbers is whole numbers, too."""
        seen: set[str] = set()
        while self.integers - seen:
            name = min(self.integers - seen)
            seen.add(name)
            if name not in self.pointers:
                for value in self._values.get(name, []):
                    self._whole(value)


def called(node: ast.AST) -> str:
    """The last name of what a call calls."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def through_calls(
    function: ast.FunctionDef, others: dict[str, tuple[ast.FunctionDef, Usage]], own: Usage
) -> None:
    """What the jit functions of the same file do with the parameters that they are given."""
    for node in ast.walk(function):
        if not isinstance(node, ast.Call) or called(node) not in others:
            continue
        callee, usage = others[called(node)]
        names = [item.arg for item in parameters(callee)]
        given = [*zip(names, node.args, strict=False)]
        given += [(word.arg, word.value) for word in node.keywords if word.arg]
        for name, value in given:
            for mine in _leftmost(value):
                for theirs, ours in (
                    (usage.pointers, own.pointers),
                    (usage.tables, own.tables),
                    (usage.integers - usage.pointers, own.integers),
                ):
                    if name in theirs:
                        ours.add(mine)


def constant(name: str, usage: Usage) -> str:
    """A usual value for a compile-time constant, as TOML."""
    low = name.lower()
    if name in usage.words:
        return usage.words[name]
    if DTYPE.search(name):
        return '"tl.bfloat16"'
    if name in usage.flags or FLAG.search(name):
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
    if name not in usage.integers and ("scale" in low or "cap" in low):
        return "1.0"
    return "16"


def run_time_type(name: str, annotation: str, usage: Usage) -> str:
    """A plausible type of a run-time parameter."""
    low = name.lower()
    loose = POINTER.search(name) and not re.match(r"(stride|num_|n_)", name)
    if name in usage.pointers or (loose and name not in usage.integers):
        if name in usage.addresses:
            return "*u64"
        if name in usage.tables or INDEX.search(low):
            return "*i64" if "loc" in low else "*i32"
        if BYTES8.search(name):
            return "*fp8e4nv"
        exact = any(word in low for word in ("scale", "lse", "amax", "absmax", "state", "mean"))
        return "*fp32" if exact else "*bf16"
    if name in usage.integers:
        return "i32"
    if "float" in annotation or (REAL.search(name) and not NUMBER.search(name)):
        return "fp32"
    return "i32"


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


def kernel_table(file: str, name: str, function: ast.FunctionDef, usage: Usage) -> str:
    """The `[[kernel]]` table of one function."""
    given = defaults(function)
    signature, constants = [], []
    for item in parameters(function):
        note = ast.unparse(item.annotation) if item.annotation else ""
        if "constexpr" in note:
            if item.arg not in given:
                constants.append(f"{item.arg} = {constant(item.arg, usage)}")
        elif item.arg not in given or item.arg in usage.pointers:
            signature.append(f'{item.arg} = "{run_time_type(item.arg, note, usage)}"')
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
    tables = [f'[defaults]\narch = [{archs}]\ndivisibility = {{ "*" = 16 }}\n']
    found = unread = 0
    for path in sorted(root.rglob("*.py")):
        if b"triton" not in path.read_bytes():
            continue
        file = path.relative_to(root).as_posix()
        try:
            scanned = extractor.scan(extractor.finder.by_file(file))
        except CompileError:
            unread += 1
            continue
        functions = jit_functions(scanned)
        names = called_names(functions)
        uses = {name: (function, Usage(function)) for name, function in functions}
        for name, function in functions:
            found += 1
            if is_entry(function, names):
                through_calls(function, uses, uses[name][1])
                tables.append(kernel_table(file, name, function, uses[name][1]))
    options.output.write_text("\n".join(tables), encoding="utf-8")
    print(f"{found} jit functions, {len(tables) - 1} kernels written, {unread} files not read")


if __name__ == "__main__":
    main()
