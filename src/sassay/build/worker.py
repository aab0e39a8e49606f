"""A compile worker: one Triton process that compiles job after job.

Jobs come in as JSON, one a line, on standard input; answers go out the same way. All that Triton,
LLVM and ptxas print is kept away from the answers.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, make_backend

from sassay.build.loader import Loader, MissingNameError, salt
from sassay.build.messages import explain, from_noise
from sassay.build.options import IDENTITY
from sassay.build.wire import FOLDER_PREFIX, Answer, Compiled, Failed, Job


def main() -> None:
    """Serves jobs until standard input ends."""
    threading.Thread(target=follow, args=(os.getppid(),), daemon=True).start()
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # standard error is a file that the parent reads if this process dies
    _serve(sys.stdin.buffer, answers)


def follow(parent: int) -> None:
    """Ends this process, its ptxas and its folder once the process that asked is gone."""
    while os.getppid() == parent:
        time.sleep(0.5)
    if Path.cwd().name.startswith(FOLDER_PREFIX):
        shutil.rmtree(Path.cwd(), ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def _serve(jobs: BinaryIO, answers: Any) -> None:
    decoder = msgspec.json.Decoder(Job)
    encoder = msgspec.json.Encoder()
    for line in jobs:
        os.ftruncate(2, 0)
        answers.write(encoder.encode(_answer(decoder.decode(line))) + b"\n")


def _answer(job: Job) -> Answer:
    functions: Any = {}
    try:
        loader = Loader(job.extraction)
        functions = loader.functions()
        return _compile(job, loader)
    except (MissingNameError, _OptionError) as error:
        return Failed(str(error))
    except Exception as error:  # noqa: BLE001 - whatever the compiler raises fails this kernel only
        failed = explain(error, functions)
        printed = from_noise(_printed())
        if (
            printed
            and printed not in failed.message
            and failed.message.startswith(("PassManager", "error encountered"))
        ):
            return Failed(f"{failed.message}: {printed}", failed.file, failed.line)
        return failed


class _OptionError(Exception):
    """The installed Triton does not know an option."""


def _compile(job: Job, loader: Any) -> Answer:
    target = GPUTarget("cuda", job.arch, 32)
    wanted = {"enable_fp_fusion": True, **job.options}
    settled = make_backend(target).parse_options(dict(wanted))
    known = {field.name for field in dataclasses.fields(settled)}
    unknown = [name for name in sorted(job.options) if name not in known]
    if unknown:
        raise _OptionError(f"Triton {triton.__version__} has no option {unknown[0]!r}")
    salt(loader.kernel, job.extraction.file)
    source = ASTSource(
        loader.kernel,
        {name: _tree(tree) for name, tree in job.signature},
        {path: loader.live(value) for path, value in job.constants},
        {path: [["tt.divisibility", divisor]] for path, divisor in job.divisibility},
    )
    compiled = triton.compile(source, target=target, options=wanted)
    names = sorted({*IDENTITY, *job.options})
    return Compiled(
        key=_folder(compiled),
        options={name: getattr(settled, name) for name in names if hasattr(settled, name)},
    )


def _tree(tree: Any) -> Any:
    """A type tree with tuples again, where JSON made lists."""
    return tuple(_tree(item) for item in tree) if isinstance(tree, list) else tree


def _folder(compiled: Any) -> str:
    """Name of the cache folder: the entry's files all lie in it."""
    paths = [str(path) for path in compiled.metadata_group.values()]
    return Path(paths[0]).parent.name


def _printed() -> str:
    """What Triton, LLVM and ptxas printed for this job."""
    sys.stdout.flush()
    sys.stderr.flush()
    return os.pread(2, 1 << 20, 0).decode("utf-8", "replace")


if __name__ == "__main__":
    main()
