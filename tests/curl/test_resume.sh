#!/bin/bash
# Downloads that were cut, or come in pieces: the same bytes in the end.
. tests/curl/lib.sh || exit 1
plan 28

bytes=$((48 * MIB + 321))
random "$www/file.bin" $bytes
configure "access_log = \"$work/access.log\""
serve

# MARK STATUS WANTED: whether the log has as many such answers to requests with
# that query. Each worker writes its lines when it sweeps.
# shellcheck disable=SC2317
answers() {
    [ "$(grep -c "?$1 .* $2 " "$work/access.log")" -ge "$3" ]
}

# shellcheck disable=SC2317
partial() {
    local held
    held=$(size "$1" 2>/dev/null || echo 0)
    [ "$held" -gt 0 ] && [ "$held" -lt "$bytes" ]
}

# curl.

out=$work/killed
"${curl[@]}" --limit-rate 4m -o "$out" "$url/file.bin" &
client=$!
await 100 partial "$out"
kill -KILL $client
wait $client 2>/dev/null
ok "a killed curl leaves a part" partial "$out"
get -C - -o "$out" "$url/file.bin"
is "curl -C - goes on" $? 0
ok "and has the file" cmp "$out" "$www/file.bin"

out=$work/late
code=
for _ in 1 2 3; do
    get -m 1 --limit-rate 6m -C - -o "$out" "$url/file.bin" 2>/dev/null
    code+="$? "
done
is "three tries run out of time" "$code" "28 28 28 "
ok "and leave a part" partial "$out"
get -C - -o "$out" "$url/file.bin"
ok "the fourth completes it" cmp "$out" "$www/file.bin"

out=$work/ended
"${curl[@]}" --limit-rate 4m -o "$out" "$url/file.bin" 2>/dev/null &
client=$!
await 100 partial "$out"
kill -INT "$server"
reap "$server"
is "SIGINT ends the server in mid-download" $? 0
code=0
wait $client || code=$?
like "curl sees that bytes are missing" "$code" '^(18|56)$'
serve
get -C - -o "$out" "$url/file.bin"
ok "the next server completes the file" cmp "$out" "$www/file.bin"

# The file of 5 GiB, of which only the end is looked at: what came before the
# cut was never there.

big_bytes=$((5 * GIB + 7))
sparse "$www/big.bin" $big_bytes
cut=$((4 * GIB + 700 * MIB))
truncate -s $cut "$work/big"
get -C - -o "$work/big" "$url/big.bin"
is "curl -C - goes on behind 4 GiB" $? 0
is "the file is as long as it should be" "$(size "$work/big")" $big_bytes
ok "and what was added is its end" \
    cmp <(tail -c +$((cut + 1)) "$work/big") <(tail -c +$((cut + 1)) \
        "$www/big.bin")

# wget.

if have wget; then
    fetch() {
        timeout "$seconds_max" wget --no-config --no-proxy -q "$@"
    }
    out=$work/wget
    fetch -O "$out" "$url/file.bin"
    ok "wget gets the file" cmp "$out" "$www/file.bin"
    part "$www/file.bin" 0 10000001 >"$out"
    fetch -c -O "$out" "$url/file.bin?wget"
    ok "wget -c completes it" cmp "$out" "$www/file.bin"
    ok "with a partial answer" await 50 answers wget 206 1
    fetch -c -O "$out" "$url/file.bin"
    is "wget -c of a complete file has nothing to do" $? 0
    ok "and leaves it alone" cmp "$out" "$www/file.bin"
else
    for _ in 1 2 3 4 5; do
        skip "no wget here" "wget -c assembles the same bytes"
    done
fi

# aria2c.

if have aria2c; then
    assemble() {
        timeout "$seconds_max" aria2c --no-conf -q --file-allocation=none \
            -d "$work" "$@"
    }
    assemble -x 8 -s 8 -k 1M -o eight "$url/file.bin?aria"
    is "aria2c -x 8 is content" $? 0
    ok "and has assembled the same bytes" cmp "$work/eight" "$www/file.bin"
    ok "from eight pieces, the first without a range" \
        await 50 answers aria 206 7
    timeout -s INT 2 aria2c --no-conf -q --file-allocation=none -d "$work" \
        -x 8 -s 8 -k 1M --max-overall-download-limit=8M -o nine \
        "$url/file.bin"
    ok "a stopped aria2c leaves what it has to do" test -s "$work/nine.aria2"
    assemble -c -x 8 -s 8 -k 1M -o nine "$url/file.bin"
    is "aria2c -c goes on" $? 0
    ok "and has the same bytes" cmp "$work/nine" "$www/file.bin"
else
    for _ in 1 2 3 4 5 6; do
        skip "no aria2c here" "aria2c assembles the same bytes"
    done
fi

# What was replaced in between is not glued together.

etag=$(get -I "$url/file.bin" | field etag)
part "$www/file.bin" 0 5000 >"$work/old"
random "$work/new" 9000
mv "$work/new" "$www/file.bin"
# SC2317: await calls it.
# shellcheck disable=SC2317
replaced() {
    [ "$(get -I "$url/file.bin" | field etag)" != "$etag" ]
}
ok "a replaced file has another entity tag within a second" await 10 replaced
get -C - -H "If-Range: $etag" -o "$work/old" "$url/file.bin" 2>/dev/null
is "curl -C - with the old tag cannot resume" $? 33
get -o "$work/old" "$url/file.bin"
ok "and starts anew" cmp "$work/old" "$www/file.bin"
is "nothing is logged but starts" \
    "$(grep -cv ' info ' "$work/stderr")" 0
stop
finish
