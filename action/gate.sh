#!/usr/bin/env bash
# Turns the verdict into the job's status, after everything was uploaded.
#
# In: VERDICT, FAIL_ON (fail or review), ALLOW_UNKNOWN
set -euo pipefail

case "$FAIL_ON" in
  fail | review) ;;
  *)
    echo "::error::sassay: 'fail-on' is none, fail or review, not '$FAIL_ON'"
    exit 2
    ;;
esac
case "$VERDICT" in
  PASS) exit 0 ;;
  REVIEW) [[ "$FAIL_ON" == fail ]] && exit 0 ;;
  UNKNOWN)
    [[ "$ALLOW_UNKNOWN" == true ]] && exit 0
    echo "::error::sassay: UNKNOWN, evidence is missing; the report says what"
    exit 2
    ;;
esac
echo "::error::sassay: $VERDICT"
exit 1
