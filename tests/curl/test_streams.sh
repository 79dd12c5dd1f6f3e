#!/bin/bash
# Live streams with real curl: the lines that the manual and the configuration
# show, endless publishers, back-pressure from end to end, events, ranges.
. tests/curl/lib.sh || exit 1
plan 50

big=$((20 * MIB))
rate=10
[ -z "$sanitizer" ] || { big=$((4 * MIB)) rate=2; }
random "$work/big.bin" $big
big_sum=$(sum "$work/big.bin")

# The tokens that the configuration shows.
sed -n 's/^    #     \(publish \|read \)/\1/p' conf/sluice.conf >"$work/tokens"
token=$(sed -n 's/^publish *\([^ ]*\) .*/\1/p' "$work/tokens")

configure
cat >>"$work/sluice.conf" <<END
route "/s/" {
    streams = "friendly"
}
route "/pipe/" {
    streams = "friendly"
    policy = "block"
    stream_bytes = 1m
    slow_after = 2s
}
route "/guarded/" {
    streams = "friendly"
    tokens = "tokens"
}
route "/v1/stream/" {
    streams = "strict"
}
END
chmod 600 "$work/tokens"
serve

holds() { # FILE TEXT
    grep -qF -- "$2" "$1" 2>/dev/null
}

# FILE BYTES: it has grown to that.
grown() {
    [ -f "$1" ] && [ "$(size "$1")" -ge "$2" ]
}

# PID: sets $code to how it ended.
end_of() {
    code=0
    reap "$1" 100 || code=$?
}

close_stream() {
    get -H 'Stream-Closed: true' -d '' "$1"
}

# A line of a document, as a user would type it, at our address.
typed() {
    bash -c 'curl() { command curl -q -sS -m 60 "$@"; }
'"${1//http:\/\/127.0.0.1:8080/$url}"
}

lines_of() { # FILE PATTERN
    sed 's/^# *//' "$1" | grep -E "^$2" | grep /s/ | sed 's/ *&\{0,1\}  *# .*//'
}

# The lines of the manual and of the configuration.

for file in docs/streams.md conf/sluice.conf README.md; do
    reader_line=$(lines_of $file 'curl -N ' | head -n 1)
    writer_line=$(lines_of $file 'curl -d ' | head -n 1)
    like "$file shows a reader" "$reader_line" '^curl -N .*/s/news'
    like "$file shows a publisher" "$writer_line" '^curl -d .*/s/news'
    typed "$reader_line" >"$work/news" &
    reader=$!
    sleep 0.3
    is "the publisher of $file is taken" \
        "$(typed "$writer_line" 2>&1)" ""
    ok "the reader of $file, who came before, gets it" \
        await 30 holds "$work/news" hello
    close_stream "$url/s/news"
    end_of $reader
    is "and ends with the stream" "$code" 0
    is "with nothing else" "$(cat "$work/news")" hello
    get -X DELETE "$url/s/news"
done

endless=$(lines_of docs/streams.md 'tail -f app.log')
like "docs/streams.md shows an endless publisher" "$endless" 'curl -T - '
echo before >"$work/app.log"
(cd "$work" && typed "$endless") 2>/dev/null &
tail_pid=$!
"${curl[@]}" -N "$url/s/app.log?live=raw&from=start&wait=10s" >"$work/seen" &
reader=$!
ok "what the file had is published" await 50 holds "$work/seen" before
echo after >>"$work/app.log"
ok "what is appended to it follows" await 50 holds "$work/seen" after
for pid in $(ps -o pid= --ppid "$tail_pid") $tail_pid; do
    for child in $(ps -o pid= --ppid "$pid"); do
        kill "$child" 2>/dev/null
    done
    kill "$pid" 2>/dev/null
done
close_stream "$url/s/app.log"
end_of $reader
is "its reader ends well" "$code" 0

# An endless publisher, piece by piece.

mkfifo "$work/pipe"
"${curl[@]}" -N "$url/s/live?live=raw&from=start&wait=10s" >"$work/seen" &
reader=$!
"${curl[@]}" -T - -o /dev/null -w '%{http_code}' "$url/s/live" <"$work/pipe" \
    >"$work/code" &
writer=$!
exec 3>"$work/pipe"
echo one >&3
ok "a line of -T - is there before the next" await 50 holds "$work/seen" one
echo two >&3
ok "and the next" await 50 holds "$work/seen" two
exec 3>&-
end_of $writer
is "the publisher ends well" "$code $(cat "$work/code")" "0 204"
is "the stream does not end with it" "$(alive $reader && echo open)" open
close_stream "$url/s/live"
end_of $reader
is "the reader ends well when it is closed" "$code" 0
is "and has every line" "$(cat "$work/seen")" $'one\ntwo'

# Back-pressure: the reader's rate is the publisher's.

memory() {
    awk '/^VmHWM/ { print $2 }' "/proc/$server/status"
}
before=$(memory)
"${curl[@]}" -N --limit-rate ${rate}m "$url/pipe/a?live=raw&from=start&wait=10s" \
    >"$work/got" &
reader=$!
started=${EPOCHREALTIME/./}
is "policy block takes all of a large body" \
    "$(get -T - -H 'Stream-Closed: true' -o /dev/null -w '%{http_code}' \
        "$url/pipe/a" <"$work/big.bin")" 204
took=$(((${EPOCHREALTIME/./} - started) / 1000))
end_of $reader
is "the slow reader ends well" "$code" 0
is "and has every byte" "$(sum "$work/got")" "$big_sum"
ok "its publisher was held for that long" test $took -ge 600
[ -n "$sanitizer" ] && slack=65536 || slack=6144
ok "the memory stays flat" test $(($(memory) - before)) -lt "$slack"

# Who comes while it flows may find that the first bytes are gone.
head -c 1 "$work/big.bin" | get --data-binary @- "$url/pipe/b"
"${curl[@]}" -N "$url/pipe/b?live=raw&from=start" >"$work/got" &
reader=$!
"${curl[@]}" -N --limit-rate 1 -o /dev/null "$url/pipe/b?live=raw" &
stalled=$!
sleep 0.3
is "policy block goes on when one of two readers stalls" \
    "$(get -T - -H 'Stream-Closed: true' -o /dev/null -w '%{http_code}' \
        "$url/pipe/b" < <(tail -c +2 "$work/big.bin"))" 204
end_of $reader
is "the other one ends well" "$code" 0
is "and has every byte too" "$(sum "$work/got")" "$big_sum"
like "the log says who was evicted" "$(cat "$work/stderr")" \
    'stream "b": no progress while a publisher waits'
kill $stalled 2>/dev/null
wait $stalled 2>/dev/null

# Events.

get -H 'Content-Type: text/plain' -d 'first' "$url/s/ev"
get -d $'second\nline' "$url/s/ev"
close_stream "$url/s/ev"
is "events end with the stream" \
    "$(get -N -H 'Accept: text/event-stream' "$url/s/ev?from=start" |
        grep -v '^id' | grep .)" \
    $'data: first\ndata: second\ndata: line\nevent: closed\n'"data: \
{\"offset\":\"0000000000000000_0000000000000016\"}"
is "Last-Event-ID goes on behind the event" \
    "$(get -N -H 'Accept: text/event-stream' \
        -H 'Last-Event-ID: 0000000000000000_0000000000000005' "$url/s/ev" |
        grep -c first)" 0

# Ranges.

get -d 0123456789 "$url/s/r"
is "-r of a stretch" "$(get -r 2-4 "$url/s/r")" 234
is "-r with an open end gets what is there" "$(get -r 7- "$url/s/r")" 789
"${curl[@]}" -N -r 8-9007199254740991 "$url/s/r" >"$work/seen" &
reader=$!
ok "-r to the end of all numbers begins there" await 50 grown "$work/seen" 2
get -d abc "$url/s/r"
close_stream "$url/s/r"
end_of $reader
is "and follows" "$code $(cat "$work/seen")" "0 89abc"
printf 01234 >"$work/part"
get -C - -o "$work/part" "$url/s/r"
is "-C - goes on with a download" "$(cat "$work/part")" 0123456789abc

# JSON, strictly and in lines; tokens.

status -X PUT -H 'Content-Type: application/json' "$url/v1/stream/j" >/dev/null
get --json '[{"a":1},{"a":2}]' "$url/v1/stream/j"
is "JSON is read as an array" "$(get "$url/v1/stream/j")" '[{"a":1},{"a":2}]'
get -X POST -H 'Stream-Closed: true' "$url/v1/stream/j"
is "and line by line" "$(get -N "$url/s/j?live=ndjson&from=start")" \
    $'{"a":1}\n{"a":2}'

is "the token that conf/sluice.conf shows publishes" \
    "$(status --oauth2-bearer "$token" -d x "$url/guarded/sensors/a")" 204
is "nobody else does" "$(status -d x "$url/guarded/sensors/a")" 401
is "everybody may read" "$(get "$url/guarded/sensors/a")" x
stop
finish
