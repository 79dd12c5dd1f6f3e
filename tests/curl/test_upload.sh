#!/bin/bash
# Uploads to the lab: counted and hashed, or sent back as they arrive.
. tests/curl/lib.sh || exit 1
plan 30

bytes=$((2 * GIB))
[ -z "$sanitizer" ] || bytes=$((64 * MIB))
small=$((3 * MIB + 77))
sparse "$work/big.bin" $bytes
random "$work/small.bin" $small
big_sum=$(sum "$work/big.bin")
small_sum=$(sum "$work/small.bin")
configure
cat >>"$work/sluice.conf" <<END
route "/small/" {
    lab = true
    body_bytes_max = 1m
}
END
serve

# What the sink said: bytes and sum.
said() {
    echo "$(json bytes <<<"$1") $(json sha256 <<<"$1")"
}

# 2 GiB from a pipe: curl cannot know the length, so it sends chunks.

seen=$(get -T - "$url/lab/sink" < <(cat "$work/big.bin"))
is "-T - of 2 GiB from a pipe reaches the sink whole" "$(said "$seen")" \
    "$bytes $big_sum"
is_json "the sink speaks JSON" <<<"$seen"
is "-T - of 2 GiB comes back from echo as it was" \
    "$(get -T - "$url/lab/echo" < <(cat "$work/big.bin") | sum)" "$big_sum"

# With a length, and with a question before the body.

get -v -T "$work/small.bin" "$url/lab/sink" >"$work/seen" 2>"$work/talk"
is "-T FILE reaches the sink whole" "$(said "$(cat "$work/seen")")" \
    "$small $small_sum"
like "it has a Content-Length" "$(cat "$work/talk")" \
    "> Content-Length: $small"
like "curl asks whether it may send" "$(cat "$work/talk")" \
    '> Expect: 100-continue'
like "and is told to go on" "$(cat "$work/talk")" '< HTTP/1.1 100 Continue'
is "the answer comes after that" \
    "$(get -T "$work/small.bin" -o /dev/null -w '%{http_code}' \
        "$url/lab/sink")" 200
is "-T FILE comes back from echo as it was" \
    "$(get -T "$work/small.bin" "$url/lab/echo" | sum)" "$small_sum"
is "echo gives the length back when it has one" \
    "$(get -T "$work/small.bin" -D - -o /dev/null "$url/lab/echo" |
        field content-length)" $small

# What may not be sent is refused before it is.

get -v -T "$work/small.bin" -o /dev/null "$url/file" 2>"$work/talk"
like "a PUT of a file is not allowed" "$(cat "$work/talk")" '< HTTP/1.1 405 '
is "and nothing of it was asked for" \
    "$(grep -c '< HTTP/1.1 100' "$work/talk")" 0
is "and less than the file was sent" \
    "$(get -T "$work/small.bin" -o /dev/null -w '%{size_upload}' \
        "$url/file")" 0

get -v -T "$work/small.bin" -o /dev/null "$url/small/sink" 2>"$work/talk"
like "more than the route takes is 413" "$(cat "$work/talk")" '< HTTP/1.1 413 '
is "before it was sent" "$(grep -c '< HTTP/1.1 100' "$work/talk")" 0
is "in chunks it is 413 as well" \
    "$(get -H 'Expect:' -T - -o /dev/null -w '%{http_code}' "$url/small/sink" \
        <"$work/small.bin" 2>/dev/null)" 413

# POST.

is "--data-binary comes back as it was" \
    "$(get --data-binary @"$work/small.bin" "$url/lab/echo" | sum)" \
    "$small_sum"
is "--data of a few bytes" "$(get --data 'a=1&b=2' "$url/lab/echo")" 'a=1&b=2'
is "its type comes back with it" \
    "$(get --json '{"a":1}' -o /dev/null -w '%{content_type}' \
        "$url/lab/echo")" application/json
is "a POST in chunks" \
    "$(said "$(get -H 'Transfer-Encoding: chunked' \
        --data-binary @"$work/small.bin" "$url/lab/sink")")" \
    "$small $small_sum"
get -v -F "f=@$work/small.bin" -o "$work/seen" "$url/lab/sink" 2>"$work/talk"
is "a form with a file arrives whole" "$(json bytes <"$work/seen")" \
    "$(tr -d '\r' <"$work/talk" | sed -n 's/^> Content-Length: //p')"
is "an empty upload is zero bytes" \
    "$(get -T - "$url/lab/sink" </dev/null | json bytes)" 0
is "an empty POST too" "$(get -d '' "$url/lab/sink" | json bytes)" 0
is "a POST that says nothing of a body is told to" \
    "$(status -X POST "$url/lab/sink")" 411
is "HTTP/1.0 uploads with a length" \
    "$(said "$(get -0 -T "$work/small.bin" "$url/lab/sink")")" \
    "$small $small_sum"
is "HTTP/1.0 gets it back until the end of the connection" \
    "$(get -0 -T "$work/small.bin" "$url/lab/echo" | sum)" "$small_sum"

# One connection, and many.

is "an upload leaves the connection usable" \
    "$(get -T "$work/small.bin" -o /dev/null -w '%{num_connects}' \
        "$url/lab/sink" -T "$work/small.bin" -o /dev/null "$url/lab/sink")" 10
mkdir "$work/got"
get --no-progress-meter --parallel --parallel-max 40 --parallel-immediate \
    --data-binary @"$work/small.bin" -o "$work/got/#1" \
    "$url/lab/echo?[1-40]"
is "40 parallel echoes" \
    "$(cat "$work"/got/* | sum)" \
    "$(for _ in {1..40}; do cat "$work/small.bin"; done | sum)"

# An echo whose client is slow to read holds the sender back, not the memory.

memory() {
    awk '/^VmHWM/ { print $2 }' "/proc/$server/status"
}
before=$(memory)
get -m 3 --limit-rate 1m -T "$work/big.bin" -o /dev/null "$url/lab/echo" \
    2>/dev/null
after=$(memory)
ok "a slow echo costs no more than 2 MiB" test $((after - before)) -lt 2048
stop
finish
