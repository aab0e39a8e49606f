#!/usr/bin/env bash
# Installs sassay, as this action holds it, into an environment of its own.
#
# In:  PYTHON (interpreter), TRITON (pip requirement)
# Out: the environment on PATH for the later steps
set -euo pipefail

environment="$RUNNER_TEMP/sassay/venv"
"$PYTHON" -m venv "$environment"
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check \
  "$GITHUB_ACTION_PATH" "$TRITON"
echo "$environment/bin" >> "$GITHUB_PATH"
