#!/bin/bash
# The lab, as curl sees it: streams that are right, and faults that curl names
# by its exit codes.
. tests/curl/lib.sh || exit 1
plan 71

configure
serve
lab=$url/lab

# Curl's exit code, and how many bytes it got.
ends() {
    local bytes code=0
    bytes=$(get -o /dev/null -w '%{size_download}' "$@" 2>/dev/null) || code=$?
    echo "$code $bytes"
}

now() {
    date +%s%3N
}

# Tenths of a second that a command took, in $took.
timed() {
    local start
    start=$(now)
    "$@"
    took=$((($(now) - start) / 100))
}

# How often curl says that it tries again, told to do so once. It waits a
# second, or as long as Retry-After says.
again() {
    get --no-silent --no-progress-meter --retry 1 -o /dev/null "$@" 2>&1 |
        grep -c 'Will retry'
}

# The pages.

get "$lab/" >"$work/index"
is "every endpoint of the source is in the index" \
    "$(sed -n 's/^ENDPOINT([a-z_]*, "\([^"]*\)".*/\1/p' \
        httpd/sources/lab_endpoints.def | while read -r name; do
        grep -q "^$name" "$work/index" || echo "$name"
    done)" ""
tried=$(sed -n "s/^  curl .*'\{0,1\}\(http:[^']*\)'\{0,1\}\$/\1/p" \
    "$work/index" | grep -c "$url")
is "each of them has a line for curl with this server's address" \
    "$tried" "$(grep -c '^ENDPOINT' httpd/sources/lab_endpoints.def)"
like "a browser gets a page" \
    "$(get -H 'Accept: text/html' "$lab/")" '<html'
is "what the lab has not is 404" "$(status "$lab/nothing")" 404
like "what is asked wrongly is 400 and says what would be right" \
    "$(get -w '%{http_code}' "$lab/bytes/many")" 'bytes.*400$|many.*400$'

# Bytes.

get -o "$work/bytes" "$lab/bytes/3m?seed=7"
is "bytes/3m are 3 MiB" "$(size "$work/bytes")" $((3 * MIB))
is "they are the same every time" "$(get "$lab/bytes/3m?seed=7" | sum)" \
    "$(sum "$work/bytes")"
like "another seed gives others" \
    "$(cmp "$work/bytes" <(get "$lab/bytes/3m?seed=8" 2>/dev/null) 2>&1)" differ
is "stream-bytes are these bytes, in chunks" \
    "$(get "$lab/stream-bytes/3m?seed=7&chunk=5000" | sum)" \
    "$(sum "$work/bytes")"
is "the chunks are as long as asked" \
    "$(get --raw "$lab/stream-bytes/10?chunk=4" | tr -d '\r' | grep -a -c \
        -e '^4$' -e '^2$' -e '^0$')" 4
is "HTTP/1.0 gets them without chunks" \
    "$(get -0 "$lab/stream-bytes/3m?seed=7" | sum)" "$(sum "$work/bytes")"
is "4 GiB and more are counted right" \
    "$(get -I "$lab/bytes/5g" | field content-length)" $((5 * GIB))
is "bytes/0 is an empty body" "$(ends "$lab/bytes/0")" "0 0"

# Chunks as asked.

get --raw -o "$work/raw" "$lab/chunks?sizes=1,16,300"
is "chunks of 1, 16 and 300 are so on the wire" \
    "$(size "$work/raw")" $((3 + 1 + 2 + 4 + 16 + 2 + 5 + 300 + 2 + 5))
is "curl reads them as one body" "$(ends "$lab/chunks?sizes=1,16,300")" "0 317"
is "no sizes are refused" "$(status "$lab/chunks?sizes=0")" 400

# Time.

get -N "$lab/lines/4?interval=400ms" | while IFS= read -r _; do
    now
done >"$work/times"
mapfile -t at <"$work/times"
is "there are as many lines as asked" ${#at[@]} 4
ok "they come one by one, as curl -N shows" \
    test $((at[3] - at[0])) -ge 1000
get "$lab/lines/3?format=json&interval=0" >"$work/lines"
is "lines in JSON are three" "$(wc -l <"$work/lines")" 3
is_json "each line is JSON" < <(head -n 1 "$work/lines")
timed get -o "$work/drip" "$lab/drip?bytes=12&duration=1s&delay=500ms"
is "drip has as many stars as asked" "$(cat "$work/drip")" "************"
ok "and takes its time" test "$took" -ge 14
is "drip with a code" "$(status "$lab/drip?bytes=1&duration=0&code=503")" 503
for code in 204 205 304; do
    is "drip refuses $code, which has no body" \
        "$(status "$lab/drip?bytes=1&duration=0&code=$code")" 400
done
timed get -o /dev/null "$lab/delay/700ms"
ok "delay/700ms takes that long" test "$took" -ge 7
get -m 1 -o /dev/null "$lab/delay/30" 2>/dev/null
is "delay/30 is longer than curl -m 1 bears" $? 28

# Answers.

for code in 200 204 304 404 418 503; do
    is "status/$code" "$(status "$lab/status/$code")" "$code"
done
is "retry= sends Retry-After" \
    "$(get -I "$lab/status/503?retry=5" | field retry-after)" 5
get -f -o /dev/null "$lab/status/500" 2>/dev/null
is "curl -f takes status/500 as an error" $? 22
is "curl --retry comes back after a 503" "$(again "$lab/status/503")" 1
is "redirect/3 -L ends where it should" \
    "$(get -L -o /dev/null -w '%{num_redirects} %{http_code}' \
        "$lab/redirect/3")" "3 200"
is "redirect/1 is 302" "$(status "$lab/redirect/1")" 302
is "redirect/1?code=307 is 307" "$(status "$lab/redirect/1?code=307")" 307
is "absolute=1 names the host" \
    "$(get -I "$lab/redirect/1?absolute=1" | field location | cut -c 1-7)" \
    http://
get -L --max-redirs 2 -o /dev/null "$lab/redirect/3" 2>/dev/null
is "more of them than curl follows" $? 47
get -H 'X-Test: one' -H 'X-Test: two' "$lab/headers" >"$work/headers"
is_json "headers is JSON" <"$work/headers"
is "it has what was sent, each line of it" \
    "$(grep -c '"X-Test","value":"\(one\|two\)"' "$work/headers")" 2
is "gzip is gzip, asked for or not" \
    "$(get "$lab/gzip?bytes=50k" | gzip -dc | wc -c)" 51200
is "--compressed reads it" \
    "$(get --compressed "$lab/gzip?bytes=50k" | wc -c)" 51200

# Trailers.

get -D "$work/head" -o "$work/body" "$lab/trailers?bytes=2k"
is "a trailer has the body's sum" \
    "$(field x-content-sha256 <"$work/head")" \
    "$(sum "$work/body")"
like "it was announced" "$(field trailer <"$work/head")" 'X-Content-SHA256'
is "on the wire it follows the last chunk" \
    "$(get --raw "$lab/trailers?bytes=2k" | tr -d '\r' |
        grep -A 1 '^0$' | tail -n 1)" "X-Content-Length: 2048"
is "with HTTP/1.0 there is none" \
    "$(get -0 -D - "$lab/trailers" | grep -c SHA256)" 0
get -H 'Transfer-Encoding: chunked' -H 'Trailer: X-Sum' --data-binary abc \
    "$lab/echo" >"$work/body"
is "a request that announces a trailer is read" "$(cat "$work/body")" abc

long_type=text/$(printf 'x%.0s' {1..2000})
is "echo does not repeat a Content-Type without end" \
    "$(get -D - -o /dev/null -H "Content-Type: $long_type" -d abc "$lab/echo" |
        field content-type)" application/octet-stream

# WebSocket, as far as curl goes without knowing it.

upgrade=(-N -H 'Connection: Upgrade' -H 'Upgrade: websocket'
    -H 'Sec-WebSocket-Version: 13'
    -H 'Sec-WebSocket-Key: c2x1aWNlIHNheXMgaGV5IQ==')
get "${upgrade[@]}" -D "$work/head" -o "$work/body" "$lab/websocket?close=1000"
is "a WebSocket is opened with the proof for the key" \
    "$(field sec-websocket-accept <"$work/head")" \
    K9IWEy+L1NkordIyKaVGul145Vw=
is "and closed with the code asked, in one frame" \
    "$(od -An -tx1 -N 4 "$work/body" | tr -d ' ')" 880e03e8
is "without Upgrade it is 426" "$(status "$lab/websocket")" 426
is "and names the version" "$(get -D - -o /dev/null "$lab/websocket" |
    field sec-websocket-version)" 13

# Faults, and what curl says of them.

is "truncate: 18, the rest is missing" \
    "$(ends "$lab/truncate?bytes=10k")" "18 10240"
is "truncate with a length: 18" \
    "$(ends "$lab/truncate?length=10k&bytes=3k")" "18 3072"
is "reset after 4 KiB: 56, and these bytes arrived" \
    "$(ends "$lab/reset?after=4k")" "56 4096"
is "reset at once: 56" "$(ends "$lab/reset")" "56 0"
is "stall: 28 by -m, with what came before" \
    "$(ends -N -m 1 "$lab/stall?after=1k&duration=1m")" "28 1024"
is "stall: 28 by --speed-limit too" \
    "$(ends --speed-limit 100 --speed-time 1 "$lab/stall?after=1k")" "28 1024"
is "a stall that ends: 18, the rest is missing" \
    "$(ends "$lab/stall?after=1k&bytes=4k&duration=300ms")" "18 1024"
for kind in size end sign huge; do
    is "badchunk $kind: 56 behind a good chunk" \
        "$(ends "$lab/badchunk?kind=$kind" | cut -d ' ' -f 1)" 56
done
is "badchunk data: 18" \
    "$(ends "$lab/badchunk?kind=data" | cut -d ' ' -f 1)" 18
is "curl --retry-all-errors tries a reset again" \
    "$(again --retry-all-errors "$lab/reset")" 1
is "after all that it still answers" "$(status "$lab/status/200")" 200
stop
finish
