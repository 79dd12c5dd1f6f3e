#!/bin/bash
# With few descriptors the server still starts, says what it can do, and serves.
. tests/curl/lib.sh || exit 1
plan 5

echo hello >"$www/a.txt"
workers=1
configure
ulimit -n 64
serve
is "a file is served" "$(get "$url/a.txt")" hello
like "the log tells what the limit allows" "$(cat "$work/stderr")" \
    'limit of open files .*allows [0-9]+ connections'

# More clients than there are descriptors; each ends by itself.
clients=()
for ((i = 0; i < 80; i++)); do
    "${curl[@]}" -m 20 -o /dev/null -w '%{http_code}\n' "$url/a.txt" \
        >>"$work/codes" 2>/dev/null &
    clients+=($!)
done
wait "${clients[@]}"
ok "clients are answered, with the file or with a clear refusal" \
    test "$(grep -cE '^(200|503)$' "$work/codes")" -ge 40
is "it serves on afterwards" "$(get "$url/a.txt")" hello
stop
finish
