#!/bin/bash
# Parts of files: single, suffix, several, none, and beyond 4 GiB.
. tests/curl/lib.sh || exit 1
plan 33

text_bytes=20000
random "$work/raw" 15000
base64 -w 0 "$work/raw" >"$www/text.txt"
gzip -9 -k "$www/text.txt"
random "$www/file.bin" $((MIB + 13))
file_bytes=$(size "$www/file.bin")
big_bytes=$((5 * GIB + 7))
sparse "$www/big.bin" $big_bytes
configure
serve

# RANGE FIRST LENGTH FILE: the answer's code and field, and whether the bytes
# are these.
single() {
    local file=$4 seen='other bytes'
    local code
    code=$(get -r "$1" -D "$work/head" -o "$work/body" -w '%{http_code}' \
        "$url/$file")
    part "$www/$file" "$2" "$3" | cmp -s - "$work/body" && seen='the bytes'
    echo "$code $(field content-range <"$work/head") $seen"
}

whole=$file_bytes
is "-r 100-199 is these 100 bytes" "$(single 100-199 100 100 file.bin)" \
    "206 bytes 100-199/$whole the bytes"
is "-r 0-0 is the first byte" "$(single 0-0 0 1 file.bin)" \
    "206 bytes 0-0/$whole the bytes"
is "-r 1000000- is the rest" \
    "$(single 1000000- 1000000 $((whole - 1000000)) file.bin)" \
    "206 bytes 1000000-$((whole - 1))/$whole the bytes"
is "-r -500 is the last 500" "$(single -500 $((whole - 500)) 500 file.bin)" \
    "206 bytes $((whole - 500))-$((whole - 1))/$whole the bytes"
is "-r -9999999 of a shorter file is all of it" \
    "$(single -9999999 0 "$whole" file.bin)" \
    "206 bytes 0-$((whole - 1))/$whole the bytes"
is "an end behind the file's is the file's" \
    "$(single 1048000-9999999 1048000 $((whole - 1048000)) file.bin)" \
    "206 bytes 1048000-$((whole - 1))/$whole the bytes"

# Beyond what 32 bits hold.

at=$((4 * GIB - 8))
is "a range over the 4 GiB border" \
    "$(single $at-$((at + 15)) $at 16 big.bin)" \
    "206 bytes $at-$((at + 15))/$big_bytes the bytes"
at=$((4 * GIB + 1000))
is "a range of 1 MiB behind the border" \
    "$(single $at-$((at + MIB - 1)) $at $MIB big.bin)" \
    "206 bytes $at-$((at + MIB - 1))/$big_bytes the bytes"
at=$((big_bytes - 65536))
is "a suffix of 5 GiB" "$(single -65536 $at 65536 big.bin)" \
    "206 bytes $at-$((big_bytes - 1))/$big_bytes the bytes"
at=$((4 * GIB - MIB))
is "a long range on both sides of the border" \
    "$(single $at-$((at + 2 * MIB - 1)) $at $((2 * MIB)) big.bin)" \
    "206 bytes $at-$((at + 2 * MIB - 1))/$big_bytes the bytes"

# Several: each part's field and bytes, one a line. The text has no line ends,
# so the parts' borders do.
several() {
    local boundary
    get -r "$1" -D "$work/head" -o "$work/body" "$url/text.txt"
    boundary=$(field content-type <"$work/head" |
        sed -n 's/^multipart\/byteranges; *boundary="\{0,1\}\([^"]*\).*/\1/p')
    [ -n "$boundary" ] || {
        echo "no boundary"
        return
    }
    tr -d '\r' <"$work/body" | awk -v border="--$boundary" '
        $0 == border || $0 == border "--" { inside = 1; ended = /--$/ }
        $0 == border "--" { print "end" }
        tolower($1) == "content-range:" { range = $3 }
        $0 == "" && inside { inside = 0; getline; print range, $0 }'
}

parts() { # FIRST LENGTH, in pairs
    while [ $# -gt 0 ]; do
        echo "$1-$(($1 + $2 - 1))/$text_bytes" \
            "$(part "$www/text.txt" "$1" "$2")"
        shift 2
    done
    echo end
}

seen=$(several 0-99,1000-1099,-50)
is "three ranges are three parts with their bytes" "$seen" \
    "$(parts 0 100 1000 100 $((text_bytes - 50)) 50)"
is "their Content-Length is what arrives" \
    "$(field content-length <"$work/head")" "$(size "$work/body")"
like "the whole has no Content-Range" \
    "$(field content-range <"$work/head")" '^$'
is "the parts come as they were asked, back to front" \
    "$(several 15000-15009,5-14)" "$(parts 15000 10 5 10)"
is "what cannot be had is left out" "$(single 5-9,30000-30001 5 5 text.txt)" \
    "206 bytes 5-9/$text_bytes the bytes"
is "what overlaps is sent once" "$(single 0-99,50-149 0 150 text.txt)" \
    "206 bytes 0-149/$text_bytes the bytes"
many=$(seq -s , 0 2 2000 | sed 's/\([0-9]*\)/\1-\1/g')
like "thousands of ranges are not thousands of parts" \
    "$(get -r "$many" -o "$work/body" -w '%{http_code} %{size_download}' \
        "$url/text.txt")" "^(200 $text_bytes|416 .*)\$"

# None.

past=$((file_bytes + 5))
is "a range behind the end is 416" \
    "$(status -r $past- -D "$work/head" "$url/file.bin")" 416
is "and says how long the file is" "$(field content-range <"$work/head")" \
    "bytes */$file_bytes"
get -f -r $past- "$url/file.bin" >/dev/null 2>&1
is "curl -f takes it as an error" $? 22
is "a unit that is unknown is ignored" \
    "$(status -H 'Range: lines=1-2' "$url/file.bin")" 200
is "a range that makes no sense is ignored" \
    "$(status -H 'Range: bytes=9-2' "$url/file.bin")" 200
is "HEAD has no ranges" "$(status -I -H 'Range: bytes=0-9' "$url/file.bin")" 200

# Only of the file that is meant.

etag=$(get -I "$url/file.bin" | field etag)
is "If-Range with its entity tag holds" \
    "$(status -r 1-2 -H "If-Range: $etag" "$url/file.bin")" 206
is "If-Range with another sends all" \
    "$(get -r 1-2 -H 'If-Range: "other"' -o /dev/null \
        -w '%{http_code} %{size_download}' "$url/file.bin")" "200 $whole"
touch -d '2024-01-02 03:04:05 UTC' "$www/text.txt"
sleep 0.6
since='If-Range: Tue, 02 Jan 2024 03:04:05 GMT'
is "If-Range with its date holds" \
    "$(status -r 1-2 -H "$since" "$url/text.txt")" 206
is "If-Range with a later date sends all" \
    "$(status -r 1-2 -H "${since/:05/:06}" "$url/text.txt")" 200

# Codings.

base64 -w 0 "$work/raw" >"$www/plain.txt"
is "a range is never of gzip made on the fly" \
    "$(get -r 10-19 -H 'Accept-Encoding: gzip' "$url/plain.txt")" \
    "$(part "$www/plain.txt" 10 10)"
get -r 10-19 -H 'Accept-Encoding: gzip' -D "$work/head" -o "$work/body" \
    "$url/text.txt"
is "a range may be of the .gz beside the file" \
    "$(field content-encoding <"$work/head")" gzip
ok "and has that file's bytes" \
    cmp "$work/body" <(part "$www/text.txt.gz" 10 10)

# The lab has ranges of what it makes.

get "$url/lab/bytes/100k?seed=9" >"$work/lab"
get -r 70000-70999 "$url/lab/range/100k?seed=9" >"$work/body"
ok "a range of generated bytes is part of the whole" \
    cmp "$work/body" <(part "$work/lab" 70000 1000)
is "and 416 where there are none" \
    "$(status -r 102400- "$url/lab/range/100k")" 416
stop
finish
