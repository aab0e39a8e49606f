#!/usr/bin/env bash
# Compares the two captures under the policy and writes every report.
#
# In:  POLICY (file or preset), EVIDENCE (lines), NAME, COMMENT (changes or always)
# Out: verdict, report (folder), captures (folder); the job's summary
set -euo pipefail

home="$RUNNER_TEMP/sassay"
report="$home/report"
rm -rf "$report" "$home/captures"
mkdir -p "$report" "$home/captures"

# The base's policy: a pull request cannot rewrite the rule that it breaks. A policy that is new
# in this change is taken from it, and the log says so.
rules=$POLICY
if [[ -f "$home/base-sources/$POLICY" ]]; then
  rules="$home/base-sources/$POLICY"
elif [[ -f "$POLICY" ]]; then
  echo "::notice::sassay: '$POLICY' is new in this change; from the next on, the base's is used"
fi

arguments=(--policy "$rules" --allow-unknown --fail-on fail)
while IFS= read -r line; do
  [[ -z "${line// /}" ]] || arguments+=(--evidence "$line")
done <<< "$EVIDENCE"

status=0
sassay check "$home/base.sassay" "$home/head.sassay" "${arguments[@]}" \
  --markdown "$report/comment.md" --html "$report/report.html" --json "$report/report.json" \
  --sarif "$report/sassay.sarif" --junit "$report/sassay.xml" || status=$?
if [[ $status -gt 1 ]]; then
  echo "::error::sassay could not judge (exit status $status)"
  exit "$status"
fi

# One marker a use, so that each finds its own comment; and whether it is worth starting one.
verdict=$(
  python - "$report" "$NAME" "$COMMENT" << 'PYTHON'
import json
import pathlib
import sys

folder, name, when = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
check = json.loads((folder / "report.json").read_text("utf-8"))
moved = any(pair[kind] for pair in check["pairs"] for kind in ("changed", "added", "removed"))
if when == "changes" and not moved and not check["findings"]:
    (folder / "quiet").touch()
comment = folder / "comment.md"
text = comment.read_text("utf-8").replace("<!-- sassay -->", f"<!-- sassay:{name} -->", 1)
comment.write_text(text, "utf-8")
print(check["verdict"])
PYTHON
)

mv "$home/head.sassay" "$home/captures/head.sassay"
cp -R "$home/base.sassay" "$home/captures/base.sassay"
cat "$report/comment.md" >> "$GITHUB_STEP_SUMMARY"
{
  echo "verdict=$verdict"
  echo "report=$report"
  echo "captures=$home/captures"
} >> "$GITHUB_OUTPUT"
