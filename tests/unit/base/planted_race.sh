#!/bin/sh
# planted_race.sh PROGRAM: the program's race is reported under the suppressions that all tests run with. Answers in TAP.
set -u
export TSAN_OPTIONS="exitcode=66:suppressions=$HOLDFAST_SOURCE/tests/tsan.suppressions"
[ -f "$HOLDFAST_SOURCE/tests/tsan.suppressions" ] || { echo "Bail out! tests/tsan.suppressions is missing"; exit 1; }
report=$("$1" 2>&1)
code=$?
echo "1..1"
case $code:$report in
66:*"data race"*planted_race.c*) echo "ok 1 - a race of ours is seen" ;;
*) echo "not ok 1 - a race of ours is seen (ended with $code)"; echo "$report" | sed 's/^/# /' ;;
esac
