"""`python -m sassay`: the same as the `sassay` script."""

from __future__ import annotations

from sassay.cli.main import run

if __name__ == "__main__":
    run()
