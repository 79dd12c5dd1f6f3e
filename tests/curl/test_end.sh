#!/bin/bash
# How a server ends: SIGTERM lets answers finish, SIGINT and a second SIGTERM
# do not. And what its access log says of it all.
. tests/curl/lib.sh || exit 1
plan 32

# More than the kernel's buffers hold on both sides.
bytes=$((48 * MIB))
random "$www/file.bin" $bytes
log=$work/access.log

# shellcheck disable=SC2317
begun() {
    [ -s "$work/got" ]
}

# A download that takes seconds, under way; sets $client.
download() { # RATE
    rm -f "$work/got"
    "${curl[@]}" --limit-rate "$1" -o "$work/got" "$url/file.bin" 2>/dev/null &
    client=$!
    await 100 begun
}

finished() { # sets $code to curl's
    code=0
    wait "$client" || code=$?
}

# SIGTERM.

configure "access_log = \"$log\""
serve
download 16m
"${curl[@]}" -N -o "$work/lines" "$url/lab/lines/15?interval=100ms" &
lines=$!
await 100 test -s "$work/lines"
kill -TERM "$server"
sleep 0.3
ok "after SIGTERM the server stays while an answer is under way" \
    alive "$server"
get -o /dev/null "$url/file.bin" 2>/dev/null
is "it takes no new connections" $? 7
finished
is "the download finishes" $code 0
ok "whole" cmp "$work/got" "$www/file.bin"
code=0
wait $lines || code=$?
is "the stream of lines finishes" "$code $(wc -l <"$work/lines")" "0 15"
code=0
reap "$server" || code=$?
is "then the server ends, with 0" $code 0

configure
serve
exec 9<>"/dev/tcp/127.0.0.1/$port"
printf 'GET /lab/bytes/5 HTTP/1.1\r\nHost: x\r\n\r\n' >&9
read -r -t "$seconds_max" line <&9
like "a connection is kept alive" "$line" '^HTTP/1.1 200'
sleep 0.2
kill -TERM "$server"
ok "an idle connection does not hold up the end" await 20 gone "$server"
exec 9>&-
code=0
reap "$server" || code=$?
is "which is well" $code 0

serve
download 4m
kill -TERM "$server"
sleep 0.3
ok "a slow download holds up the end" alive "$server"
kill -TERM "$server"
ok "a second SIGTERM does not wait for it" await 20 gone "$server"
code=0
reap "$server" || code=$?
is "that is an end as asked" $code 0
finished
like "the client sees that bytes are missing" $code '^(18|56)$'

configure
sed -i 's/^drain_timeout.*/drain_timeout = 1s/' "$work/sluice.conf"
serve
download 4m
kill -TERM "$server"
sleep 0.3
ok "drain_timeout gives it some time" alive "$server"
ok "and not more" await 30 gone "$server"
code=0
reap "$server" || code=$?
is "that is an end as asked, too" $code 0
finished
like "and the client knows" $code '^(18|56)$'

# SIGINT.

configure
serve
download 4m
kill -INT "$server"
ok "SIGINT ends at once" await 10 gone "$server"
code=0
reap "$server" || code=$?
is "with 0" $code 0
finished
like "and the client sees it" $code '^(18|56)$'

# The access log.

: >"$log"
configure "access_log = \"$log\""
serve
stamp='\[[0-3][0-9]/[A-Z][a-z]{2}/20[0-9]{2}:[0-9:]{8} \+0000\]'

# shellcheck disable=SC2317
logged() {
    line=$(grep -F "$1" "$log")
}

# SENTENCE MARK REGEX: there is one line with the mark, and it is so.
logs() {
    await 50 logged "$2"
    line=$(grep -F "$2" "$log")
    like "$1" "$line" "^127\.0\.0\.1 - - $stamp $3\$"
}

get -o /dev/null -A 'agent/1' -e 'http://from/' "$url/file.bin?one"
said='"http://from/" "agent/1"'
logs "a download's line has all that there is to say" '?one' \
    "\"GET /file.bin\?one HTTP/1\.1\" 200 $bytes $said [0-9]+\.[0-9]{3}"
get -o /dev/null -A '' -r 5-9 "$url/file.bin?two"
logs "a range's line has its bytes, and - for what was not said" '?two' \
    '"GET /file.bin\?two HTTP/1\.1" 206 5 "-" "-" [0-9.]+'
get -I -o /dev/null "$url/file.bin?three"
logs "HEAD has no bytes" '?three' \
    '"HEAD /file.bin\?three HTTP/1\.1" 200 0 "-" "curl.*" [0-9.]+'
get -0 -o /dev/null "$url/none?four"
logs "an error has its status" '?four' \
    '"GET /none\?four HTTP/1\.0" 404 [0-9]+ "-" "curl.*" [0-9.]+'
get -o /dev/null -A $'a"b\\c\303' "$url/?five"
logs "nobody forges a line" '?five' \
    '"GET /\?five HTTP/1\.1" [0-9]+ [0-9]+ "-" "a\\x22b\\x5cc\\xc3" [0-9.]+'
get -o /dev/null -T "$www/file.bin" "$url/lab/sink?six"
logs "an upload is a PUT" '?six' \
    '"PUT /lab/sink\?six HTTP/1\.1" 200 [0-9]+ "-" "curl.*" [0-9.]+'
get -o /dev/null "$url/lab/lines/3?interval=400ms&seven"
logs "the last field is the seconds it took" '&seven' \
    '"GET /lab/lines/3.*" 200 [0-9]+ "-" "curl.*" (0\.[89]|1\.).*'
get -o /dev/null --limit-rate 16m "$url/file.bin?eight"
logs "a download that took seconds says so" '?eight' \
    "\"GET /file.bin\?eight HTTP/1\.1\" 200 $bytes \"-\" \"curl.*\" [1-9]\..*"
get -m 1 -o /dev/null --limit-rate 1m "$url/file.bin?nine" 2>/dev/null
await 50 logged '?nine'
sent=$(awk '/\?nine/ { print $10 }' "$log")
ok "one that was cut has fewer bytes than the file" \
    test "${sent:-$bytes}" -lt $bytes
stop
is "the end writes what was left: one line a request" \
    "$(grep -c -e one -e two -e three -e four -e five -e six -e seven \
        -e eight -e nine "$log")" 9
whole="$stamp \"[A-Z]+ .* HTTP/1\.[01]\" [0-9]{3} [0-9]+ \".*\" \".*\""
is "every line is whole" \
    "$(grep -vE "^127\.0\.0\.1 - - $whole [0-9]+\.[0-9]{3}\$" "$log")" ""
finish
