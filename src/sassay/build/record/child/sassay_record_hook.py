"""Tells `sassay record` what a process compiles: runs inside the command, standard library only.

Once Triton is imported, its `compile` is wrapped, and every compilation leaves one line of JSON in
a file of its process below `SASSAY_RECORD_EVENTS`. `compile` is what `@triton.jit` launches,
Inductor and ahead-of-time code all go through. Triton's own `jit_post_compile_hook` is not used:
while one is set, Triton serializes every constant as JSON, so that a kernel with a constant that
JSON does not know would fail to launch; it belongs to whoever sets it last; and Inductor's kernels
do not pass it.

Whatever fails here is told in the same file, never to the command.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib.abc
import importlib.machinery
import json
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

EVENTS = "SASSAY_RECORD_EVENTS"
"""Environment variable: the folder that takes the events."""

_PACKAGES = (
    "torch",
    "triton",
    "pytorch-triton",
    "sglang",
    "sgl-kernel",
    "vllm",
    "flashinfer-python",
    "flashinfer-cubin",
    "flashinfer-jit-cache",
    "deep-gemm",
    "deep_ep",
    "flash-attn",
    "flash_attn_3",
    "xformers",
    "transformers",
    "transformer-engine",
    "tilelang",
    "apache-tvm-ffi",
    "nvidia-cutlass-dsl",
    "quack-kernels",
    "flash-linear-attention",
    "liger-kernel",
    "bitsandbytes",
    "torchao",
    "tensorrt-llm",
    "nvidia-cuda-nvcc",
    "nvidia-cuda-nvcc-cu12",
    "cuda-bindings",
)
_MAX_TEXT = 4096
_state = threading.local()
_descended: set[str] = set()
_defaults: dict[str, dict[str, Any]] = {}


def install() -> None:
    """Arrange for the patches below to be applied as their modules are imported."""
    sys.meta_path.insert(0, _AfterImport())
    if os.environ.get("SASSAY_RECORD_LIBRARIES"):
        atexit.register(_guarded(_log_libraries))


def log(event: str, **fields: Any) -> None:
    """Append one event; each process has a file, so that lines never mix."""
    folder = os.environ.get(EVENTS)
    if not folder:
        return
    record = {"event": event, **fields}
    line = json.dumps(record, default=str, separators=(",", ":")) + "\n"
    # Opened for every event: a forked child must not write to its parent's file, and programs
    # close file descriptors that they do not know.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
    handle = os.open(os.path.join(folder, f"{os.getpid()}.jsonl"), flags, 0o600)
    try:
        os.write(handle, line.encode("utf-8", "surrogatepass"))
    finally:
        os.close(handle)


def _guarded(function: Callable[..., None]) -> Callable[..., None]:
    """The same function, whose failures become events."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - recording never breaks the command
            _fail(function.__name__, error)

    return call


def _fail(place: str, error: Exception) -> None:
    with contextlib.suppress(Exception):  # a full disk: there is nobody left to tell
        log("failed", place=place, error=f"{type(error).__name__}: {error}"[:_MAX_TEXT])


class _AfterImport(importlib.abc.MetaPathFinder):
    """Finds a module as if it were not there, and patches it once it has run."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        patch = _PATCHES.get(fullname)
        if patch is None:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is None:
                continue
            loader = spec.loader
            run = getattr(loader, "exec_module", None)
            if run is not None:
                # Set on the loader itself, so that the module's spec and loader stay what they are.
                loader.exec_module = functools.partial(_run_and_patch, run, patch)  # type: ignore[union-attr, method-assign]  # it has one: `run`
            return spec
        return None


def _run_and_patch(
    run: Callable[[ModuleType], None], patch: Callable[[ModuleType], None], module: ModuleType
) -> None:
    run(module)
    _guarded(patch)(module)


def _patch_compiler(module: Any) -> None:
    """`triton.compiler.compiler`: everything that Triton compiles passes `compile`."""
    original = module.compile
    _log_process()

    @functools.wraps(original)
    def compile(src: Any, target: Any = None, options: Any = None, **more: Any) -> Any:  # noqa: A001 - Triton's name
        # Triton adds to the dictionary that it is given.
        asked = dict(options) if isinstance(options, dict) else {}
        kernel = original(src, target=target, options=options, **more)
        try:
            _log_compilation(module, src, kernel, asked)
        except Exception as error:  # noqa: BLE001 - recording never breaks the command
            _fail("compile", error)
        return kernel

    module.compile = compile


def _log_compilation(module: Any, src: Any, kernel: Any, asked: dict[str, Any]) -> None:
    started = time.perf_counter()
    paths = [str(path) for path in (getattr(kernel, "metadata_group", None) or {}).values()]
    target = kernel.metadata.target
    event: dict[str, Any] = {
        "hash": kernel.hash,
        "folder": os.path.dirname(paths[0]) if paths else None,
        "backend": target.backend,
        "arch": target.arch,
        "language": type(src).__name__,
        "benchmark": bool(getattr(_state, "benchmark", 0)),
    }
    function = getattr(src, "fn", None)
    if function is None or type(src).__name__ != "ASTSource":
        log("compiled", name=str(getattr(src, "name", "")), **event)
        return
    event.update(_function(function))
    event["signature"] = {str(name): _type(kind) for name, kind in src.signature.items()}
    event["parameters"] = list(function.arg_names)
    event["constants"] = [[list(path), _value(value)] for path, value in src.constants.items()]
    event["attributes"] = [[list(path), _plain(value)] for path, value in src.attrs.items()]
    event["options"] = _options(module, target, asked)
    event["globals"] = _globals(function)
    event["micros"] = round((time.perf_counter() - started) * 1e6)
    log("compiled", **event)


def _function(function: Any) -> dict[str, Any]:
    plain = function.fn
    return {
        "name": function.__name__,
        "qualname": plain.__qualname__,
        "module": plain.__module__,
        "file": os.path.abspath(plain.__code__.co_filename),
        "line": plain.__code__.co_firstlineno,
    }


def _options(module: Any, target: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """What a launch asks for beyond what the compiler would take by itself."""
    key = f"{target.backend}:{target.arch}"
    # Named because Triton warns of a change of this default where it is left out.
    base = {"enable_fp_fusion": True}
    if key not in _defaults:
        _defaults[key] = dict(module.make_backend(target).parse_options(dict(base)).__dict__)
    settled = module.make_backend(target).parse_options({**base, **asked}).__dict__
    named = ("num_warps", "num_stages")
    return {
        name: _plain(value)
        for name, value in settled.items()
        if name in named or value != _defaults[key].get(name)
    }


def _globals(function: Any) -> dict[str, Any]:
    """Module-level values that the function and all that it calls used."""
    found: dict[str, Any] = {}
    clashes: set[str] = set()
    used = getattr(function, "used_global_vals", None) or {}
    for (name, _), (value, _) in used.items():
        told = _value(value)
        if name in found and found[name] != told:
            clashes.add(name)  # two modules use one name for different things
        found[name] = told
    return {name: value for name, value in found.items() if name not in clashes}


def _type(kind: Any) -> Any:
    if isinstance(kind, (tuple, list)):
        return [_type(part) for part in kind]
    return str(kind)


def _value(value: Any) -> Any:
    """A constant as tagged JSON; `unknown` where it has no such form."""
    if value is None:
        return {"none": True}
    if isinstance(value, bool):
        return {"bool": value}
    if type(value) is int:
        return {"int": str(value)}
    if type(value) is float:
        return {"float": value.hex()}
    if type(value) is str:
        return {"text": value[:_MAX_TEXT]}
    if isinstance(value, (tuple, list)):
        return {"tuple": [_value(part) for part in value]}
    name = type(value).__name__
    if name == "constexpr":
        return _value(value.value)
    if name == "dtype" and type(value).__module__.startswith("triton."):
        return {"dtype": str(value.name)}
    if name == "JITFunction":
        return {"function": value.__name__, "file": os.path.abspath(value.fn.__code__.co_filename)}
    for plain in (int, float, str):  # an enumeration's member, numpy's scalars
        if isinstance(value, plain):
            return _value(plain(value))
    return {"unknown": f"{type(value).__module__}.{name}"}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (tuple, list)):
        return [_plain(part) for part in value]
    return str(value)


def _patch_autotuner(module: Any) -> None:
    """`triton.runtime.autotuner`: which compilations were only tried; no launch is slowed down."""
    tuner = module.Autotuner
    bench, start = tuner._bench, tuner.__init__  # noqa: SLF001 - no public place tells trials apart

    @functools.wraps(start)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        start(self, *args, **kwargs)
        self.cache = _Choices(self.cache)

    @functools.wraps(bench)
    def _bench(self: Any, *args: Any, config: Any, **kwargs: Any) -> Any:
        with _benchmark(), _watched(self.fn, self.cache, config):
            return bench(self, *args, config=config, **kwargs)

    tuner.__init__, tuner._bench = init, _bench  # noqa: SLF001 - as above


class _Choices(dict):  # type: ignore[type-arg]  # in children of Python 3.8 too
    """An autotuner's choices: a configuration by tuning key.

    Attributes:
        tried: Kernel of each configuration that was timed last, by the configuration's identity.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.tried: dict[int, str] = {}

    def __setitem__(self, key: Any, config: Any) -> None:
        super().__setitem__(key, config)
        digest = self.tried.get(id(config))
        if digest is not None:
            _guarded(log)("kept", hash=digest)


@contextlib.contextmanager
def _watched(function: Any, choices: Any, config: Any) -> Iterator[None]:
    """Note which kernel a configuration launches while it is timed."""
    run, own = function.run, vars(function).get("run")

    def noting(*args: Any, **kwargs: Any) -> Any:
        kernel = run(*args, **kwargs)
        digest = getattr(kernel, "hash", None)
        if isinstance(digest, str) and isinstance(choices, _Choices):
            choices.tried[id(config)] = digest
        return kernel

    function.run = noting
    try:
        yield
    finally:
        if own is not None:
            function.run = own
        else:
            vars(function).pop("run", None)


def _patch_inductor(module: Any) -> None:
    """`torch._inductor.runtime.triton_heuristics`: the launcher that a tuned kernel keeps."""
    tuner = module.CachingAutotuner
    choose, descend = tuner.autotune_to_one_config, tuner.coordinate_descent_tuning

    @functools.wraps(choose)
    def autotune_to_one_config(self: Any, *args: Any, **kwargs: Any) -> Any:
        tried = _hashes(self.launchers)
        result = choose(self, *args, **kwargs)
        _guarded(log)("tuned", tried=tried, kept=_hashes(self.launchers))
        return result

    @functools.wraps(descend)
    def coordinate_descent_tuning(self: Any, launcher: Any, *args: Any, **kwargs: Any) -> Any:
        with _benchmark():  # it compiles one neighbour after another
            result = descend(self, launcher, *args, **kwargs)
        # Called at every launch of what is not tuned so: most calls choose nothing.
        if result is not launcher or self.fn.__name__ not in _descended:
            _descended.add(self.fn.__name__)
            _guarded(log)("tuned", tried=_hashes([launcher]), kept=_hashes([result]))
        return result

    tuner.autotune_to_one_config = autotune_to_one_config
    tuner.coordinate_descent_tuning = coordinate_descent_tuning


def _hashes(launchers: Any) -> list[str]:
    found = (getattr(launcher, "cache_hash", None) for launcher in launchers)
    return [str(digest) for digest in found if digest]


@contextlib.contextmanager
def _benchmark() -> Iterator[None]:
    """What this thread compiles meanwhile is only tried."""
    _state.benchmark = getattr(_state, "benchmark", 0) + 1
    try:
        yield
    finally:
        _state.benchmark -= 1


def _patch_templates(module: Any) -> None:
    """`torch._inductor.autotune_process`: modules that are written only to be timed."""
    request = module.TritonBenchmarkRequest
    original = request.__init__

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        _guarded(log)("candidate", file=str(self.module_path))

    request.__init__ = init


def _log_process() -> None:
    """The interpreter and the versions of packages that decide what is compiled, once a run."""
    folder = os.environ.get(EVENTS)
    if not folder:
        return
    marker = os.path.join(folder, "packages")
    try:
        os.close(os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
    _guarded(_log_packages)()


def _log_packages() -> None:
    from importlib import metadata  # noqa: PLC0415 - slow, and only needed once

    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    version = ".".join(map(str, sys.version_info[:3]))
    log("process", python=version, executable=sys.executable, packages=found)


def _log_libraries() -> None:
    """Shared objects that are mapped as the process ends."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as lines:
        paths = {line.split(None, 5)[5].rstrip("\n") for line in lines if ".so" in line}
    log("libraries", paths=sorted(path for path in paths if path.startswith("/")))


_PATCHES: dict[str, Callable[[Any], None]] = {
    "triton.compiler.compiler": _patch_compiler,
    "triton.runtime.autotuner": _patch_autotuner,
    "torch._inductor.runtime.triton_heuristics": _patch_inductor,
    "torch._inductor.autotune_process": _patch_templates,
}
