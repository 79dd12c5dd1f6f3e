# shellcheck shell=bash
# lib.sh - what the conformance scripts share, besides tests/curl/lib.sh.
#
#   STREAMS_URL=http://...     names a server that runs already; without it
#                              $SLUICE is started
#   need_node                  ends the script, failing, when Node or the
#                              modules of package-lock.json are not there
#   serve_streams              sets STREAMS_URL
#   tap SECONDS NAME COMMAND... runs a program that prints its plan and TAP, and
#                              makes its results ours; one that dies, hangs or
#                              says less than its plan is one failure more
#   finish_streams             stops what serve_streams started; the last line
. tests/curl/lib.sh

here=$PWD/tests/conformance
given=${STREAMS_URL:-}
long_poll_ms=2000
scale=1
[ -z "$sanitizer" ] || scale=3

need_node() {
    local why=
    if ! have node; then
        why="there is no node"
    elif ! (cd "$here" && sha256sum --quiet -c node_modules/.lock.sha256 \
        >/dev/null 2>&1); then
        why="node_modules is not what package-lock.json says"
    else
        return 0
    fi
    plan 1
    failed "$1" "$why; run: tools/install-deps test"
    finish
}

configure_streams() {
    cat >"$work/sluice.conf" <<END
listen = {"127.0.0.1:0"}
workers = 2
route "/" {
    files = "$PWD/www"
}
route "/v1/stream/" {
    streams = "strict"
    long_poll = ${long_poll_ms}ms
}
route "/s/" {
    streams = "friendly"
}
route "/small/" {
    streams = "friendly"
    stream_bytes = 64k
}
END
}

serve_streams() {
    [ -z "$given" ] || return 0
    configure_streams
    serve
    STREAMS_URL=$url
}

tap() {
    local seconds=$(($1 * scale)) name=$2 code=0 line rest wanted='' seen=0
    local before=$failures
    shift 2
    export STREAMS_URL LONG_POLL_MS=$long_poll_ms VITE_CACHE=$work/vite
    exec 3< <(
        timeout -k 5 $seconds "$@" 2>&1
        echo "exit code $?"
    )
    while IFS= read -r line <&3; do
        rest=${line#* - }
        case $line in
        'ok '[0-9]*)
            passed "$rest"
            seen=$((seen + 1))
            ;;
        'not ok '[0-9]*)
            failed "$rest" "says $name"
            seen=$((seen + 1))
            ;;
        1..[0-9]*) wanted=${line#1..} ;;
        'exit code '[0-9]*) code=${line#exit code } ;;
        *) echo "# ${line#\# }" ;;
        esac
    done
    exec 3<&-
    planned=$((planned + ${wanted:-0}))
    [ "$code" = 0 ] || [ "$failures" != "$before" ] || seen="$seen (all well)"
    if [ "$seen" != "${wanted:-0}" ] || [ "$seen" = 0 ] || [ "$code" -gt 1 ]; then
        failed "$name runs to its end" "exit code $code," \
            "$seen results of ${wanted:-a plan that was never told}"
        planned=$results
    fi
}

finish_streams() {
    if [ -z "$given" ]; then
        planned=$((planned + 1))
        stop
    fi
    echo "1..$planned"
    finish
}
