#!/usr/bin/env bash
# Captures one side: compiles the manifest, or records the command.
#
# In:  $1 (base or head), MANIFEST or COMMAND, ARCH, REVISION
# Out: complete (true unless some kernels did not compile), the capture in $RUNNER_TEMP/sassay
set -euo pipefail

side=$1
capture="$RUNNER_TEMP/sassay/$side.sassay"
sources=$PWD
[[ "$side" == head ]] || sources="$RUNNER_TEMP/sassay/base-sources"
rm -rf "$capture"

read -ra archs <<< "${ARCH//$'\n'/ }"
status=0
if [[ -n "$MANIFEST" ]]; then
  # This checkout's manifest for both sides, so that both compile the same variants; a kernel that
  # one side does not have is what the diff is there to show.
  sassay compile "$MANIFEST" --root "$sources" -o "$capture" --label "$side" --allow-missing \
    --env "git_revision=$REVISION" "${archs[@]/#/--arch=}" || status=$?
else
  (cd "$sources" && sassay record -o "$capture" --label "$side" -- bash -c "$COMMAND") || status=$?
fi
if [[ ! -d "$capture" ]]; then
  echo "::error::sassay: nothing was captured of the $side (exit status $status)"
  exit 2
fi
if [[ $status -ne 0 ]]; then
  echo "::warning::sassay: the capture of the $side is not complete (exit status $status); see the log"
fi
echo "complete=$([[ $status -eq 0 ]] && echo true || echo false)" >> "$GITHUB_OUTPUT"
