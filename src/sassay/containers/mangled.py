"""Symbol names without the parts that change from build to build.

nvcc marks what has internal linkage by `_INTERNAL_<hash>_<length>_<file>_<hash>[_<number>]` and
anonymous namespaces by `_GLOBAL__N__<the same>`; cudafe names static variables of the device
`__nv_static_<length>__<hash>_<length>_<file>_<hash>_<number>_<name>`. The hashes cover paths and
times of the build, the numbers its position in the preprocessed text.
"""

from __future__ import annotations

import re

_MARK = re.compile(r"(\d{0,6})(_INTERNAL_|_GLOBAL__N__)[0-9a-f]{6,16}_(\d{1,4})_")
_STATIC = re.compile(r"__nv_static_\d{1,4}__[0-9a-f]{6,16}_(\d{1,4})_")
_TAIL = re.compile(r"_[0-9a-f]{6,16}(?:_\d+)?")


def stable_symbol(symbol: str) -> str:
    """The symbol with every build-specific mark cut to its kind and its source file.

    Args:
        symbol: As it stands in the symbol table.

    Returns:
        The same for two builds of the same source; unchanged if it holds no mark.
    """
    if "__nv_static_" in symbol:
        symbol = _stable_static(symbol)
    if "_INTERNAL_" not in symbol and "_GLOBAL__N__" not in symbol:
        return symbol
    parts: list[str] = []
    position = 0
    while found := _MARK.search(symbol, position):
        digits, kind, length = found.groups()
        file = symbol[found.end() : found.end() + int(length)]
        kept, end = _extent(symbol, found, digits, found.end() + int(length))
        parts += (symbol[position : found.start()], kept, kind, file)
        position = end
    parts.append(symbol[position:])
    return "".join(parts)


def _stable_static(symbol: str) -> str:
    """Without the hashes and numbers of `__nv_static_` names; the file and the name stay."""
    parts: list[str] = []
    position = 0
    while found := _STATIC.search(symbol, position):
        end = found.end() + int(found[1])
        file = symbol[found.end() : end]
        rest = _TAIL.match(symbol, end)
        parts += (symbol[position : found.start()], "__nv_static_", file)
        position = rest.end() if rest else min(end, len(symbol))
    parts.append(symbol[position:])
    return "".join(parts)


def _extent(symbol: str, found: re.Match[str], digits: str, tail: int) -> tuple[str, int]:
    """Digits before the mark that are not its length, and where the mark ends.

    In a mangled name a count in front says how long the mark is: without it, the number at its end
    would run into digits that follow. Digits of what stands before may run into that count.
    """
    for cut in range(len(digits)):
        end = found.start(2) + int(digits[cut:])
        if digits[cut] != "0" and end <= len(symbol) and _TAIL.fullmatch(symbol, tail, end):
            return digits[:cut], end
    rest = _TAIL.match(symbol, tail)
    return digits, rest.end() if rest else min(tail, len(symbol))
