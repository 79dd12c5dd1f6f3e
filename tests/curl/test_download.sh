#!/bin/bash
# Big files, and many of them: what leaves the disk is what arrives.
. tests/curl/lib.sh || exit 1
plan 17

big_bytes=$((5 * GIB))
[ -z "$sanitizer" ] || big_bytes=$((64 * MIB))
sparse "$www/big.bin" "$big_bytes"
random "$www/mid.bin" $((8 * MIB))
random "$www/long.bin" $((64 * MIB))
: >"$www/empty.txt"
mkdir "$www/many"
for i in {1..200}; do
    random "$www/many/$i.bin" $((MIB / 2 + i * 1000))
done
configure
serve

# One big file.

sum "$www/big.bin" >"$work/big.sum"
head=$(get -I "$url/big.bin")
is "HEAD of the big file names its length" \
    "$(field content-length <<<"$head")" "$big_bytes"
like "and promises ranges" "$(field accept-ranges <<<"$head")" '^bytes$'
is "a file of 5 GiB arrives with the sum it has on disk" \
    "$(get -m 300 "$url/big.bin" | sum)" "$(cat "$work/big.sum")"
is "curl counts as many bytes as HEAD promised" \
    "$(get -r 0- -o /dev/null -w '%{http_code} %{size_download}' \
        "$url/mid.bin")" "206 $((8 * MIB))"

# Old and small.

get -0 -D "$work/old" -o "$work/old.bin" "$url/long.bin"
ok "HTTP/1.0 gets the same bytes" cmp "$work/old.bin" "$www/long.bin"
is "HTTP/1.0 gets no chunks" "$(field transfer-encoding <"$work/old")" ""
is "HTTP/1.0 may keep its connection when it asks" \
    "$(get -0 -H 'Connection: keep-alive' -o /dev/null -o /dev/null \
        -w '%{num_connects}' "$url/mid.bin" "$url/mid.bin")" 10
is "HTTP/1.0 does not keep it otherwise" \
    "$(get -0 -o /dev/null -o /dev/null -w '%{num_connects}' \
        "$url/mid.bin" "$url/mid.bin")" 11
is "five files come over one connection" \
    "$(get -o /dev/null -w '%{num_connects}' "$url/many/[1-5].bin")" 10000
is "an empty file is 200 and no bytes" \
    "$(get -o /dev/null -w '%{http_code} %{size_download}' "$url/empty.txt")" \
    "200 0"

# 200 at once.

mkdir "$work/got"
get -S --no-progress-meter --parallel --parallel-max 200 --parallel-immediate \
    -o "$work/got/#1.bin" "$url/many/[1-200].bin" 2>"$work/said"
is "200 parallel downloads succeed" "$? $(cat "$work/said")" "0 "
is "there are 200 files" "$(find "$work/got" -type f | wc -l)" 200
ok "each of the 200 files has the right bytes" \
    diff -r "$www/many" "$work/got"

# A slow reader beside fast ones: one worker, so that they share its loop. Curl
# takes some 10 MB before it looks at its limit, so the file is far longer.

stop
workers=1 configure
serve
"${curl[@]}" --limit-rate 1m -o "$work/slow" "$url/long.bin" &
slow=$!
sleep 0.5
fast=0
for i in 1 2 3 4; do
    get "$url/long.bin" | cmp - "$www/long.bin" || fast=1
done
alive $slow || fast="$fast, and the slow reader was done before them"
is "four fast readers are done while a slow one still reads" "$fast" 0
code=0
kill $slow && wait $slow 2>/dev/null || code=$?
is "the slow reader was still at it" $code $((128 + 15))
stop
finish
