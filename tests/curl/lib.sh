# shellcheck shell=bash
# lib.sh - what the curl tests share. Run from the repository's root with
# SLUICE naming the program and SLUICE_SANITIZER what it was built with.
#
#   plan N                     N results will follow
#   ok SENTENCE COMMAND...     passes when the command does
#   is SENTENCE SEEN WANTED    passes when the two are the same
#   like SENTENCE SEEN REGEX   passes when SEEN matches
#   is_json SENTENCE <TEXT     passes when TEXT is JSON
#   skip REASON SENTENCE       counts as a result that nobody looked at
#   configure [TOP [ROUTE]]    writes $work/sluice.conf, which serves $www with
#                              $workers, 2 unless set
#   serve [ARGUMENT...]        starts the server; sets $url, $port and $server
#   stop                       one result: SIGTERM ends it with exit code 0
#   finish                     the last line of every test
#
# Everything lies in $work, which the exit removes with whatever still runs.
set -uo pipefail

export LC_ALL=C.UTF-8
SLUICE=${SLUICE:-$PWD/build/sluice}
sanitizer=${SLUICE_SANITIZER:-}
unset http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy ALL_PROXY

work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-curl.XXXXXX") || exit 1
www=$work/www
mkdir "$www"

# shellcheck disable=SC2034 # not every test needs all of them
MIB=$((1 << 20))
GIB=$((1 << 30))
seconds_max=60
[ -z "$sanitizer" ] || seconds_max=240

planned=0
results=0
failures=0
server=
url=
port=

# Sums and streams.

# A file's or standard input's SHA-256; openssl's is several times as fast.
sum() {
    if command -v openssl >/dev/null; then
        openssl dgst -sha256 -r "$@"
    else
        sha256sum "$@"
    fi | cut -c 1-64
}

size() {
    stat -c %s "$1"
}

random() { # FILE BYTES
    head -c "$2" /dev/urandom >"$1"
}

# FILE BYTES: as big as asked, and different in many places, but mostly holes.
# Around 4 GiB it is dense.
sparse() {
    local at
    truncate -s "$2" "$1"
    for ((at = 0; at < $2; at += $2 / 300)); do
        scatter "$1" $((at / 65536)) 1
    done
    [ "$2" -le $((4 * GIB)) ] ||
        scatter "$1" $((4 * GIB / 65536 - 32)) 64
    scatter "$1" $(($2 / 65536 - 1)) 1
}

scatter() { # FILE BLOCK BLOCKS, of 64 KiB
    dd if=/dev/urandom of="$1" bs=64k seek="$2" count="$3" conv=notrunc \
        iflag=fullblock status=none
}

# FILE FIRST LENGTH
part() {
    { tail -c +$(($2 + 1)) "$1" || :; } 2>/dev/null | head -c "$3"
}

# Clients.

# curl, bounded and deaf to the user's own settings. In the background, where
# its process is to be had, as: "${curl[@]}" ... &
curl=(curl -q -sS -m "$seconds_max")

get() {
    "${curl[@]}" "$@"
}

status() {
    get -o /dev/null -w '%{http_code}' "$@"
}

# One field of an answer's head, from standard input.
field() {
    tr -d '\r' | sed -n "s/^$1: //Ip"
}

# One value of a flat JSON object, from standard input.
json() {
    sed -n 's/.*"'"$1"'":"\{0,1\}\([^",}]*\).*/\1/p'
}

have() {
    command -v "$1" >/dev/null
}

curl_can() {
    curl -q -V | grep -qiw "$1"
}

# Tenths of a second, then a command that will become true.
await() {
    local left=$1
    shift
    [ -z "$sanitizer" ] || left=$((left * 4))
    while ! "$@"; do
        [ $((left -= 1)) -gt 0 ] || return 1
        sleep 0.1
    done
}

# Results.

plan() {
    planned=$1
    echo "1..$1"
}

passed() {
    echo "ok $((results += 1)) - $1"
}

failed() { # SENTENCE DIAGNOSIS...
    echo "not ok $((results += 1)) - $1"
    shift
    printf '%s\n' "$@" | head -c 4096 | sed 's/^/# /'
    failures=$((failures + 1))
}

skip() {
    echo "ok $((results += 1)) - $2 # SKIP $1"
}

ok() {
    local sentence=$1 said code=0
    shift
    said=$("$@" 2>&1 </dev/null | tr -d '\0' | tail -c 4096) || code=$?
    if [ $code = 0 ]; then
        passed "$sentence"
    else
        failed "$sentence" "exit code $code of: $*" "$said"
    fi
}

is() {
    if [ "$2" = "$3" ]; then
        passed "$1"
    else
        failed "$1" "seen:   $2" "wanted: $3"
    fi
}

like() {
    if [[ $2 =~ $3 ]]; then
        passed "$1"
    else
        failed "$1" "seen: $2" "must match: $3"
    fi
}

is_json() { # SENTENCE <TEXT
    local said code=0
    if have jq; then
        said=$(jq -e . 2>&1 >/dev/null) || code=$?
    elif have python3; then
        said=$(python3 -c 'import json, sys; json.load(sys.stdin)' 2>&1) ||
            code=$?
    else
        skip "neither jq nor python3 here" "$1"
        return
    fi
    if [ $code = 0 ]; then
        passed "$1"
    else
        failed "$1" "$said"
    fi
}

finish() {
    [ $results = "$planned" ] ||
        echo "# $results results, but $planned were planned"
    [ $results = "$planned" ] && [ $failures = 0 ]
    exit
}

# The server.

configure() {
    cat >"$work/sluice.conf" <<END
listen = {"127.0.0.1:0"}
workers = ${workers:-2}
drain_timeout = 20s
${1:-}
route "/" {
    files = "www"
    browse = true
    ${2:-}
}
route "/lab/" {
    lab = true
}
END
}

alive() {
    kill -0 "$1" 2>/dev/null
}

gone() {
    ! alive "$1"
}

# Reads $url from what the server prints.
listening() {
    url=$(sed -n 's/^listening on //p' "$work/stdout" | head -n 1)
    [ -n "$url" ] || gone "$server"
}

# Without arguments it serves what configure wrote.
serve() {
    [ $# -gt 0 ] || set -- serve -c "$work/sluice.conf"
    : >"$work/stdout"
    "$SLUICE" "$@" >"$work/stdout" 2>"$work/stderr" &
    server=$!
    await 100 listening
    # shellcheck disable=SC2034
    port=${url##*:}
    [ -n "$url" ] && return
    echo "Bail out! the server does not listen"
    sed 's/^/# /' "$work/stderr"
    exit 1
}

# PID: waits, ends it the hard way when it does not end; the result is its code.
reap() {
    await "${2:-150}" gone "$1" || kill -KILL "$1" 2>/dev/null
    wait "$1"
}

stop() {
    local code=0
    kill -TERM "$server"
    reap "$server" || code=$?
    if [ $code = 0 ]; then
        passed "the server ends well"
    else
        failed "the server ends well" "exit code $code" \
            "$(tail -n 60 "$work/stderr")"
    fi
    server=
}

cleanup() {
    local pid
    for pid in $(jobs -p); do
        kill -KILL "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    rm -rf "$work"
}

trap cleanup EXIT
trap 'exit 130' INT TERM HUP
