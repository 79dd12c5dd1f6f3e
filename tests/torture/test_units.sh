#!/bin/bash
# test_units.sh - every allocation of the buffers' and streams' unit
# tests fails once.
#
# A test may fail then, by an assertion of its own: it was promised memory. What
# must not happen is a crash, an assertion of the library, or a hang. Leaks and
# results are looked at by the other programs here, which know what to expect.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

programs=("${SLUICE_BUILD:-build}"/tests/torture/units/test_*)
runs_max=400 # of one program: what makes more allocations repeats itself
seconds_max=4
unused=90

# Runs with the Nth failing; says what went wrong, or nothing.
fault() { # PROGRAM N
    local output status=0
    output=$(FAIL_NTH=$2 CMOCKA_MESSAGE_OUTPUT=TAP ASAN_OPTIONS=detect_leaks=0 \
        timeout -k 5 30 "$1" 2>&1) || status=$?
    case $status in
    124 | 137) echo "hangs" ;;
    $unused) return 1 ;;
    *)
        grep -am1 -E 'Test failed with exception|Assertion .* failed|AddressSanitizer|runtime error|ThreadSanitizer' <<<"$output"
        ((status < 128)) || echo "signal $((status - 128))"
        ;;
    esac
    return 0
}

n=0
failed=0
echo "1..${#programs[@]}"
for program in "${programs[@]}"; do
    n=$((n + 1))
    begun=$SECONDS
    what=
    for ((i = 1; i <= runs_max && SECONDS - begun < seconds_max; i++)); do
        what=$(fault "$program" $i) || break
        [ -z "$what" ] || break
    done
    if [ -z "$what" ]; then
        echo "ok $n - ${program##*/} survives $((i - 1)) failing allocations"
    else
        echo "not ok $n - ${program##*/}, allocation $i: $what"
        failed=1
    fi
done
exit $failed
