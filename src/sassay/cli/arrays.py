"""How numpy is loaded by commands that only read."""

from __future__ import annotations

import os
import sys

_THREADS = "OPENBLAS_NUM_THREADS"
_SAID = (_THREADS, "GOTO_NUM_THREADS", "OMP_NUM_THREADS")
"""What its library looks at; whoever sets one of them is obeyed."""


def load_numpy_alone() -> None:
    """Load numpy without the threads of its linear algebra.

    Reading code multiplies no matrices, and the library starts a thread for each core, which spins:
    a third of the time that loading it takes. The library looks at the environment once, when it is
    loaded; programs that are run later see what the user set.
    """
    if "numpy" in sys.modules or any(name in os.environ for name in _SAID):
        return
    os.environ[_THREADS] = "1"
    try:
        import numpy as np

        del np
    finally:
        del os.environ[_THREADS]
