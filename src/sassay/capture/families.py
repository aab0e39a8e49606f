"""Which family a kernel belongs to: the source function that it comes from, in words.

Design: "Identity, family, matching". The names here carry nothing that changes from build to
build, so that two states agree on them.
"""

from __future__ import annotations

import operator
import re
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from sassay.capture.demangle import demangle
from sassay.capture.names import FunctionName, parse_name, template_arguments, type_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sassay.model.kernel import Kernel
    from sassay.model.state import State

GENERIC_WRAPPERS: tuple[str, ...] = (
    "cutlass::device_kernel",
    "cutlass::Kernel",
    "cutlass::Kernel2",
    "cutlass::kernel_launch",
    "cub::detail::for_each::static_kernel",
    "cub::detail::for_each::dynamic_kernel",
    "cub::detail::transform::transform_kernel",
    "cub::detail::EmptyKernel",
    "cub::EmptyKernel",
    "thrust::cuda_cub::core::_kernel_agent",
    "thrust::cuda_cub::core::detail::_kernel_agent",
    "thrust::cuda_cub::detail::_kernel_agent",
    "at::native::vectorized_elementwise_kernel",
    "at::native::unrolled_elementwise_kernel",
    "at::native::elementwise_kernel",
    "at::native::reduce_kernel",
)
"""Functions whose name tells nothing: the first template argument that is a type names them."""

PASS_THROUGH_TYPES: tuple[str, ...] = ("cutlass::gemm::device::DefaultGemmConfiguration",)
"""Types that only wrap the type that names the kernel."""

_ARCH_GUARD = re.compile(r"(?:^|::)enable_\w*sm\d+\w*$")
"""`enable_sm90`, `enable_3x_kernel_for_sm90_or_later`: guards of CUTLASS users, wrappers too."""

_INDUCTOR = re.compile(r"(triton_[a-z]{2,12}_(?:fused|unknown)\w*?)_\d+")
_LITERAL = re.compile(r"-?\d+(?:\.\d+)?(?:u|l|ul|ll|ull|f)?|true|false|\(.*\)-?\d+")
QUALIFIER = "@"
"""Stands between a Triton function's name and the file that tells it from its namesakes."""


@lru_cache(maxsize=1 << 16)
def parsed_name(symbol: str) -> FunctionName:
    """The parts of a symbol's demangled name."""
    return parse_name(demangle(symbol))


@lru_cache(maxsize=1 << 16)
def cxx_family(symbol: str, wrappers: frozenset[str] = frozenset(GENERIC_WRAPPERS)) -> str:
    """The family of a kernel that a C++ compiler emitted.

    Args:
        symbol: The kernel's symbol.
        wrappers: Generic wrappers, by qualified name.

    Returns:
        The qualified name; for a wrapper with the first type among its template arguments. The
        symbol itself where it is no C++ name.
    """
    if not symbol.startswith("_Z"):
        return symbol
    name = parsed_name(symbol)
    if name.qualified not in wrappers:
        return name.qualified
    inner = _first_type(name.template_arguments)
    while inner is not None and _passes_through(type_name(inner)):
        inner = _first_type(template_arguments(inner))
    return name.qualified if inner is None else f"{name.qualified}<{type_name(inner)}>"


def _passes_through(name: str) -> bool:
    return name in PASS_THROUGH_TYPES or _ARCH_GUARD.search(name) is not None


def _first_type(arguments: Iterable[str]) -> str | None:
    return next((item for item in arguments if not _LITERAL.fullmatch(item)), None)


def unwrap_families(state: State, wrappers: Iterable[str]) -> State:
    """Name the kernels of further generic wrappers after their first template argument.

    Args:
        state: Any state, also one read from a capture.
        wrappers: Qualified names of functions whose own name tells nothing.
    """
    names = frozenset(wrappers)
    if not names:
        return state
    known = names | frozenset(GENERIC_WRAPPERS)
    kernels = [
        msgspec.structs.replace(kernel, family=cxx_family(kernel.symbol, known))
        if kernel.family in names
        else kernel
        for kernel in state.kernels
    ]
    return msgspec.structs.replace(state, kernels=tuple(sorted(kernels, key=kernel_order)))


def triton_family(name: str) -> str:
    """The family of a Triton kernel: its function's name, Inductor's without the index."""
    match = _INDUCTOR.fullmatch(name)
    return match.group(1) if match else name


def is_inductor(name: str) -> bool:
    """Whether Inductor generated the function of this name."""
    return _INDUCTOR.fullmatch(name) is not None


def qualify_families(states: Sequence[State]) -> tuple[State, ...]:
    """Name families alike in all states, with the file where one state has namesakes.

    Two Triton functions of one name in different files of one state are two families. Each gets
    the shortest end of its path that tells the files of every state apart. States that were
    qualified before are named afresh.

    Args:
        states: All states that will be compared.
    """
    bases = [[_base(kernel) for kernel in state.kernels] for state in states]
    depths: dict[str, int] = {}
    for state, names in zip(states, bases, strict=True):
        files: dict[str, set[str]] = {}
        for kernel, base in zip(state.kernels, names, strict=True):
            if (
                kernel.location is not None
                and _from_triton(kernel)
                and not is_inductor(kernel.name)
            ):
                files.setdefault(base, set()).add(_posix(kernel.location.file))
        for base, distinct in files.items():
            if len(distinct) > 1:
                depths[base] = max(depths.get(base, 1), _telling_depth(distinct))
    return tuple(_renamed(state, names, depths) for state, names in zip(states, bases, strict=True))


def _base(kernel: Kernel) -> str:
    """The family without a file."""
    if QUALIFIER not in kernel.family:
        return kernel.family
    name, mark, file = kernel.family.rpartition(QUALIFIER)
    if mark and kernel.location is not None and _posix(kernel.location.file).endswith(file):
        return name
    return kernel.family


def _from_triton(kernel: Kernel) -> bool:
    return bool(kernel.specialization.options or kernel.specialization.signature)


def _posix(file: str) -> str:
    return file.replace("\\", "/")


def _telling_depth(files: set[str]) -> int:
    """How many path parts, counted from the end, tell all files apart."""
    parts = [file.split("/") for file in files]
    deepest = max(len(item) for item in parts)
    for depth in range(1, deepest):
        if len({tuple(item[-depth:]) for item in parts}) == len(parts):
            return depth
    return deepest


def _renamed(state: State, names: Sequence[str], depths: dict[str, int]) -> State:
    families = _qualified(state, names, depths)
    kernels = [
        kernel if family == kernel.family else msgspec.structs.replace(kernel, family=family)
        for kernel, family in zip(state.kernels, families, strict=True)
    ]
    order = list(map(_ORDER, kernels))
    if not all(map(operator.le, order, order[1:])):
        kernels.sort(key=_ORDER)
    elif all(map(operator.is_, kernels, state.kernels)):
        return state
    return msgspec.structs.replace(state, kernels=tuple(kernels))


def _qualified(state: State, names: Sequence[str], depths: dict[str, int]) -> Sequence[str]:
    """The family of each kernel, with the file where its name alone is shared."""
    if not depths:
        return names
    families = []
    for kernel, base in zip(state.kernels, names, strict=True):
        family = base
        depth = depths.get(base)
        if depth is not None and kernel.location is not None and _from_triton(kernel):
            end = "/".join(_posix(kernel.location.file).split("/")[-depth:])
            family = f"{base}{QUALIFIER}{end}"
        families.append(family)
    return families


_ORDER = operator.attrgetter("family", "arch", "name", "id")


def kernel_order(kernel: Kernel) -> tuple[str, str, str, str]:
    """The order of kernels in a state."""
    order: tuple[str, str, str, str] = _ORDER(kernel)
    return order
