#!/bin/bash
# Large files past the page cache: the bytes, and what the cache learns.
. tests/curl/lib.sh || exit 1
plan 35

file_bytes=$((20 * MIB + 4321))
random "$www/file.bin" $file_bytes
random "$www/small.bin" $((MIB - 1))
random "$www/other.bin" $((8 * MIB))
base64 "$www/other.bin" >"$www/text.txt"
cp "$www/file.bin" "$work/original"
whole_sum=$(sum "$work/original")
configure "" "directio = 1m"
serve

# Takes a file out of the page cache.
chill() { # FILE
    sync "$1"
    dd of="$1" oflag=nocache conv=notrunc,fdatasync count=0 status=none
}

cached() { # FILE
    fincore -b -n -r -o RES "$1" | tr -d ' '
}

# Whether this file system reads past the cache, and the cache can be watched.
watched() {
    have fincore || return
    dd if="$www/file.bin" of=/dev/null bs=1M count=1 iflag=direct \
        status=none 2>/dev/null || return
    chill "$www/file.bin"
    [ "$(cached "$www/file.bin")" -lt $MIB ]
}
watching=
watched && watching=1

# SENTENCE FILE BYTES: at most so much of it is in the cache.
stays_cold() {
    if [ -n "$watching" ]; then
        ok "$1" [ "$(cached "$2")" -le "$3" ]
    else
        skip "the page cache cannot be watched here" "$1"
    fi
}

stays_warm() { # SENTENCE FILE
    if [ -n "$watching" ]; then
        ok "$1" [ "$(cached "$2")" -ge "$(size "$2")" ]
    else
        skip "the page cache cannot be watched here" "$1"
    fi
}

# Whole.

nearly=$((256 * 1024))
cat "$www/other.bin" >/dev/null
chill "$www/file.bin"
is "a cold file arrives whole" "$(get "$url/file.bin" | sum)" "$whole_sum"
stays_cold "and is not in the page cache after it" "$www/file.bin" $nearly
stays_warm "another file still is" "$www/other.bin"
is "it arrives a second time" "$(get "$url/file.bin" | sum)" "$whole_sum"
stays_cold "and the cache has still not learnt it" "$www/file.bin" $nearly
is "HTTP/1.0 has it, too" "$(get -0 "$url/file.bin" | sum)" "$whole_sum"
chill "$www/file.bin"
is "HEAD tells its length" \
    "$(get -I "$url/file.bin" | field content-length)" "$file_bytes"
stays_cold "and reads nothing" "$www/file.bin" 0

# Ranges of a cold file, where blocks and windows begin and end.

# shellcheck disable=SC2317
ranges() { # FIRST LENGTH, in pairs
    while [ $# -gt 0 ]; do
        get -r "$1-$(($1 + $2 - 1))" "$url/file.bin" |
            cmp - <(part "$work/original" "$1" "$2") || return
        shift 2
    done
}

ok "ranges inside one sector are these bytes" \
    ranges 0 1 1 1 511 1 512 1 513 100 4095 1 4096 1 12345 17
ok "ranges over borders are these bytes" \
    ranges 510 4 4095 2 131071 2 131072 1 $((MIB - 1)) 2 $((MIB - 5000)) 9999
ok "long ranges that begin anywhere are these bytes" \
    ranges 1 $((3 * MIB)) 4097 $((2 * MIB - 1)) $((5 * MIB + 77)) $((4 * MIB))
ok "the last bytes are these bytes" \
    ranges $((file_bytes - 1)) 1 $((file_bytes - 4321)) 4321 \
    $((file_bytes - 2 * MIB - 3)) $((2 * MIB + 3))
is "a suffix is the end" "$(get -r -100000 "$url/file.bin" | sum)" \
    "$(tail -c 100000 "$work/original" | sum)"
stays_cold "none of them is in the cache" "$www/file.bin" $nearly
get -r 0-1999999 "$url/file.bin" >"$work/resumed"
get -C - -o "$work/resumed" "$url/file.bin"
is "a download that was cut is resumed" "$(sum "$work/resumed")" "$whole_sum"

# What is in the cache leaves from there.

disk_bytes() {
    sed -n 's/^read_bytes: //p' "/proc/$server/io"
}

cat "$www/file.bin" >/dev/null
before=$(disk_bytes)
is "a warm file arrives whole" "$(get "$url/file.bin" | sum)" "$whole_sum"
stays_warm "and stays in the cache" "$www/file.bin"
is "and is not read from the disk" $(($(disk_bytes) - before)) 0
chill "$www/file.bin"
for at in 0 3 4 9; do
    dd if="$www/file.bin" of=/dev/null bs=1M skip=$at count=1 status=none
done
sleep 0.5 # for what the kernel reads ahead
[ -z "$watching" ] || held=$(cached "$www/file.bin")
is "a file that is there in part arrives whole" \
    "$(get "$url/file.bin" | sum)" "$whole_sum"
stays_cold "and not much more of it is there after it" "$www/file.bin" \
    $((${held:-0} + nearly))
chill "$www/small.bin"
is "a smaller file arrives whole" "$(get "$url/small.bin" | sum)" \
    "$(sum "$www/small.bin")"
stays_warm "and is in the cache: directio begins above it" "$www/small.bin"
chill "$www/text.txt"
is "a file that is compressed on the fly arrives whole" \
    "$(get --compressed "$url/text.txt" | sum)" "$(sum "$www/text.txt")"

# Several at a time, and those who leave.

# shellcheck disable=SC2317
together() {
    local i pids=() bad=0
    chill "$www/file.bin"
    for i in 1 2 3 4 5 6; do
        "${curl[@]}" -o "$work/body$i" "$url/file.bin" &
        pids+=($!)
    done
    wait "${pids[@]}"
    for i in 1 2 3 4 5 6; do
        cmp "$work/original" "$work/body$i" || bad=1
    done
    return "$bad"
}
ok "six downloads of one cold file are all whole" together

leave() {
    local i
    for i in 1 2 3 4 5 6 7 8 9; do
        "${curl[@]}" "$url/file.bin" 2>/dev/null | head -c $((i * 300000)) |
            wc -c
    done | sort -n | tr '\n' ' '
}
is "clients may leave in the midst" "$(leave)" \
    "300000 600000 900000 1200000 1500000 1800000 2100000 2400000 2700000 "
is "and the next one is served whole" "$(get "$url/file.bin" | sum)" \
    "$whole_sum"

# The file changes while it is sent slowly: what arrived is a part of what it
# was, and nobody takes it for all.

changed() { # COMMAND...
    local client code=0
    cp "$work/original" "$www/changing.bin"
    chill "$www/changing.bin"
    sleep 0.6
    rm -f "$work/body"
    "${curl[@]}" --limit-rate 4M -o "$work/body" "$url/changing.bin" \
        2>/dev/null &
    client=$!
    await 100 [ -s "$work/body" ]
    "$@"
    wait $client || code=$?
    cmp -s "$work/body" <(part "$work/original" 0 "$(size "$work/body")") ||
        echo "other bytes"
    [ $code = 0 ] && echo whole || echo "cut"
}

# shellcheck disable=SC2317
write_over() {
    head -c "$file_bytes" /dev/zero |
        dd of="$www/changing.bin" bs=1M conv=notrunc status=none
}

# shellcheck disable=SC2317
swap() {
    cp "$www/other.bin" "$work/next"
    mv "$work/next" "$www/changing.bin"
}

is "a file that is truncated ends the download" \
    "$(changed truncate -s 3000 "$www/changing.bin")" cut
is "a file that is written over ends it, too" "$(changed write_over)" cut
is "a file that is replaced is sent to its end" "$(changed swap)" whole
is "a file that grows is sent as long as it was" \
    "$(changed truncate -s +4096 "$www/changing.bin")" whole
is "the next download is of the file that is there now" \
    "$(cp "$www/other.bin" "$www/changing.bin" && sleep 0.6 &&
        get "$url/changing.bin" | sum)" "$(sum "$www/other.bin")"
stop
is "and no block was lost" "$(grep -c directio "$work/stderr")" 0

# Without the directive the cache has it.

configure
serve
chill "$www/file.bin"
get -o /dev/null "$url/file.bin"
stays_warm "without directio the file is in the cache" "$www/file.bin"
stop
finish
