#!/bin/bash
# The command line: commands, exit codes, and messages that say what to do.
. tests/curl/lib.sh || exit 1
plan 57

# Sets $code, $out and $err.
run() {
    code=0
    timeout "$seconds_max" "$SLUICE" "$@" >"$work/out" 2>"$work/err" || code=$?
    out=$(cat "$work/out")
    err=$(cat "$work/err")
}

# SENTENCE CODE REGEX ARGUMENT...: ends so, and says so on stderr.
refuses() {
    local sentence=$1 wanted=$2 regex=$3
    shift 3
    run "$@"
    if [ $code = "$wanted" ] && [[ $err =~ $regex ]] && [ -z "$out" ]; then
        passed "$sentence"
    else
        failed "$sentence" "exit code $code, wanted $wanted" \
            "stderr: $err" "must match: $regex" "stdout: $out"
    fi
}

# Help.

run --help
is "--help is asked for, so it is no error" "$code $err" "0 "
for word in serve files check --listen --browse -c SIGTERM 'Exit codes'; do
    like "help speaks of $word" "$out" "$(printf '%s' "$word")"
done
run --version
like "--version names itself and its libraries" "$code $out" \
    '^0 sluice [0-9]+\.[0-9]+.*libevent [0-9].*llhttp [0-9].*zlib [0-9]'
run directives
is "directives prints each directive of the source" \
    "$(grep -c '^| `' <<<"$out")" \
    "$(grep -c '^DIRECTIVE(' httpd/config/directives.def)"
code=0
"$SLUICE" --help >/dev/full 2>"$work/err" || code=$?
is "a full disk is noticed" "$code $(grep -c 'No space' "$work/err")" "1 1"

# Wrong usage is 2 and says where help is.

refuses "no command" 2 'sluice --help'
refuses "an unknown command" 2 '"srve".*sluice --help' srve
refuses "an unknown option" 2 -- files . --brwose
refuses "files without a folder" 2 'one folder' files
refuses "files of two folders" 2 'one folder' files . ..
refuses "files of no folder" 2 "$work/none: No such file" files "$work/none"
refuses "files of a file" 2 'no folder' files Makefile
refuses "a --listen that is no address" 2 '"8080".*HOST:PORT' \
    files . --listen 8080
refuses "a --listen without its value" 2 -- files . --listen
refuses "serve with a word too many" 2 '"conf".*-c' serve conf
refuses "check without a file" 2 'one file' check

# Configuration.

run check conf/sluice.conf
is "the shipped configuration is right" "$code $err" "0 "
cp "$work/out" "$work/again.conf"
run check "$work/again.conf"
is "what check prints is a configuration that means the same" \
    "$code $out" "0 $(cat "$work/again.conf")"
is "every directive is in it" \
    "$(sed -n 's/^DIRECTIVE([A-Z]*, [A-Z_]*, \([a-z_]*\),.*/\1/p' \
        httpd/config/directives.def | while read -r name; do
        grep -q "^ *$name = " "$work/again.conf" || echo "$name"
    done)" ""

# SENTENCE REGEX TEXT: the message begins with the file.
wrong() {
    printf '%s\n' "$3" >"$work/wrong.conf"
    refuses "$1" 3 "^$work/wrong.conf:$2" check "$work/wrong.conf"
}

lab='route "/lab/" { lab = true }'
wrong "a misspelt directive" '2: .*listn; did you mean listen' \
    $'# the second line\nlistn = {"127.0.0.1:0"}\n'"$lab"
wrong "a number that is none" '1: workers: "many".*auto' \
    $'workers = many\n'"$lab"
wrong "a number out of bounds" '3: gzip_level: 11 .*1 to 9' \
    $'route "/" {\nlab = true\ngzip_level = 11\n}'
wrong "a size that is none" '1: head_bytes_max: "1x".*64k' \
    $'head_bytes_max = 1x\n'"$lab"
wrong "a time that is none" '1: head_timeout: "soon".*10s' \
    $'head_timeout = soon\n'"$lab"
wrong "a truth that is none" '1: lab: "maybe".*true or false' \
    'route "/" { lab = maybe }'
wrong "an address that is none" '1: listen: "localhost".*HOST:PORT' \
    $'listen = {"localhost"}\n'"$lab"
wrong "a brace that stays open" '1: .*never closed' 'route "/" {'
wrong "a prefix that is none" '1: route "x".*begins and ends with' \
    'route "x" { lab = true }'
wrong "a route that does nothing" '1: route "/" has no handler; .*files = ' \
    'route "/" { browse = true }'
wrong "the same prefix twice" '2: route "/lab/" is there twice' \
    "$lab"$'\n'"$lab"
wrong "no route at all" ' no route; add one' 'workers = 1'
refuses "a file that is not there" 3 "^$work/none: .*No such file" \
    serve -c "$work/none"

# What cannot run is 1.

configure
serve
refuses "a port in use" 1 \
    "cannot listen on 127.0.0.1:$port: Address already in use" \
    files "$www" --listen "127.0.0.1:$port"
stop
sed "s|\"www\"|\"gone\"|" "$work/sluice.conf" >"$work/gone.conf"
refuses "a folder that has gone" 3 'files ".*gone": No such file' \
    serve -c "$work/gone.conf"
configure "access_log = \"$work/none/access.log\""
refuses "a log that cannot be written" 1 "access_log $work/none/access.log" \
    serve -c "$work/sluice.conf"

# Sharing a folder.

echo hello >"$www/hello.txt"
serve files "$www" --listen 127.0.0.1:0 --browse --listen 127.0.0.1:0
is "port 0 picks a port for each --listen" \
    "$(sed -n 's/^listening on //p' "$work/stdout" | sort -u | wc -l)" 2
is "the folder is served on both" \
    "$(sed -n 's/^listening on //p' "$work/stdout" | while read -r at; do
        get "$at/hello.txt"
    done)" $'hello\nhello'
is "--browse lists it" "$(get "$url/")" hello.txt
is "there is no lab" "$(status "$url/lab/")" 404
stop
serve files "$www" --listen 127.0.0.1:0
is "without --browse it is not listed" \
    "$(status "$url/") $(status "$url/hello.txt")" "403 200"
stop
if [ -e /proc/sys/net/ipv6/conf/lo/disable_ipv6 ] &&
    [ "$(cat /proc/sys/net/ipv6/conf/lo/disable_ipv6)" = 0 ]; then
    serve files "$www" --listen '[::1]:0'
    is "IPv6 is served" "${url%:*} $(get -g "$url/hello.txt")" \
        "http://[::1] hello"
    kill -TERM "$server"
    reap "$server"
else
    skip "no IPv6 here" "IPv6 is served"
fi

# Workers.

random "$www/file.bin" $((8 * MIB))
for workers in 1 2; do
    configure
    serve
    if [ "$sanitizer" = thread ]; then
        skip "its sanitizer has a thread of its own" "workers = $workers"
    else
        is "workers = $workers is as many threads as loops" \
            "$(find "/proc/$server/task" -mindepth 1 -maxdepth 1 | wc -l)" \
            "$workers"
    fi
    for i in {1..20}; do
        echo "url = $url/file.bin"
        echo "output = $work/part.$i"
    done >"$work/urls"
    get --no-progress-meter --parallel --parallel-immediate -K "$work/urls"
    is "workers = $workers answers twenty at once" \
        "$(for i in {1..20}; do
            cmp "$work/part.$i" "$www/file.bin" && echo same
        done | grep -c same)" 20
    stop
done
finish
