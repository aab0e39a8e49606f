#!/usr/bin/env bash
# Finds the two commits and lays the base out beside the checkout.
#
# In:  BASE (a commit, possibly not fetched yet), MANIFEST or COMMAND, ARCH, NAME
# Out: base, head, base-capture (folder), cache-key
set -euo pipefail

if [[ -z "$MANIFEST" && -z "$COMMAND" ]]; then
  echo "::error::sassay needs a 'manifest' to compile, or a 'command' to record"
  exit 2
fi
if [[ -n "$MANIFEST" && ! -f "$MANIFEST" ]]; then
  echo "::error::sassay: there is no manifest '$MANIFEST' in this checkout"
  exit 2
fi
if [[ -z "$BASE" || "$BASE" =~ ^0+$ ]]; then
  echo "::error::sassay: no commit to compare with; set the input 'base'"
  exit 2
fi
if [[ ! "$NAME" =~ ^[A-Za-z0-9_.-]{1,60}$ ]]; then
  echo "::error::sassay: 'name' is letters, digits, '.', '_' and '-', at most 60, not '$NAME'"
  exit 2
fi
if [[ "$BASE" == -* ]]; then
  echo "::error::sassay: '$BASE' is no commit"
  exit 2
fi

head=$(git rev-parse --verify HEAD)
if ! git cat-file -e "$BASE^{commit}" 2>/dev/null; then
  git fetch --quiet --no-tags --depth=1 origin "$BASE"
  # A name of the remote, such as main, is known here only as what was just fetched.
  git cat-file -e "$BASE^{commit}" 2>/dev/null || BASE=FETCH_HEAD
fi
base=$(git rev-parse --verify "$BASE^{commit}")
# Where the change started, and not what the base branch has become since. A shallow checkout may
# not reach it: fetch more, and compare with the base itself where even that has no answer.
if ! start=$(git merge-base "$base" "$head"); then
  if [[ $(git rev-parse --is-shallow-repository) == true ]]; then
    git fetch --quiet --no-tags --unshallow origin "$base" "$head" || git fetch --quiet --unshallow
  fi
  start=$(git merge-base "$base" "$head") || start=$base
fi
if [[ "$start" == "$head" ]]; then
  echo "::notice::sassay: the base and this checkout are the same commit, $head"
fi

sources="$RUNNER_TEMP/sassay/base-sources"
rm -rf "$sources"
git worktree prune
git worktree add --quiet --detach "$sources" "$start"

# What a capture of the base depends on. The compiler is part of it: both sides must use one.
inputs=$(
  {
    echo "$COMMAND"
    echo "$ARCH"
    [[ -z "$MANIFEST" ]] || cat "$MANIFEST"
    sassay --version
    python -m pip list --disable-pip-version-check --format freeze | grep -iE '^(triton|nvidia-)' || true
    [[ -z "$COMMAND" ]] || nvidia-smi --query-gpu=name,driver_version --format=csv,noheader || true
  } | git hash-object --stdin
)
{
  echo "base=$start"
  echo "head=$head"
  echo "base-capture=$RUNNER_TEMP/sassay/base.sassay"
  echo "cache-key=sassay-$NAME-$start-$inputs"
} >> "$GITHUB_OUTPUT"
