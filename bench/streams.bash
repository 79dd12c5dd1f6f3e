# streams.bash - the servers of the benchmarks of live streams.
#
# Uses   what servers.bash uses, $bare (build/bench/bare_fanout), and below
#        what Sluice's configuration is filled in with.
# shellcheck shell=bash disable=SC2154,SC2034

stream_bytes=16m
slow_reader=disconnect
slow_after=10s

# The folder of the modules is where this nginx was built to find them.
nchan_module() {
    local folder
    folder=$("$nginx" -V 2>&1 | sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p')
    echo "${folder:-/usr/lib/nginx/modules}/ngx_nchan_module.so"
}

start_nchan() { # NAME
    nginx_template=$work/nchan.template
    fill_in "$bench/nchan.conf" "MODULE=$(nchan_module)" >"$nginx_template"
    start_nginx "$1"
    # It aborts when it is told to end: nobody needs to hear of it.
    disown "${pid[$1]}"
    unset nginx_template
}

start_bare() { # NAME [OPTION]
    start_listening "$1" "$bare" "${@:2}"
}

start_stream_sluice() {
    sluice_template=$work/streams.template
    fill_in "$bench/streams.conf" "STREAM_BYTES=$stream_bytes" \
        "SLOW_READER=$slow_reader" "SLOW_AFTER=$slow_after" \
        >"$sluice_template"
    start_sluice
}

create_stream() { # SERVER PATH TYPE [HEADER]…
    local words=() header
    for header in "${@:4}"; do
        words+=(-H "$header")
    done
    curl -q -s -S -f -o /dev/null --max-time 5 -X PUT -H "Content-Type: $3" \
        "${words[@]}" "http://${address[$1]}$2" || cannot "$1 creates no $2"
}

# A load that takes its orders line by line, on the load's core.
declare -A orders replies

start_load() { # NAME COMMAND…
    local name=$1 to from
    shift
    mkfifo "$work/$name.orders" "$work/$name.replies"
    "$@" <"$work/$name.orders" >"$work/$name.replies" 2>"$work/$name.load" &
    started+=("$!")
    exec {to}>"$work/$name.orders" {from}<"$work/$name.replies"
    orders[$name]=$to
    replies[$name]=$from
}

# Sets $reply to the lines up to the one that is, or begins with, LAST.
await() { # NAME LAST SECONDS
    local line
    reply=
    while read -r -t "$3" -u "${replies[$1]}" line; do
        reply+=$line$'\n'
        [[ $line != "$2"* ]] || return 0
    done
    cat "$work/$1.load" >&2
    cannot "the load on $1 ended or hangs"
}

order() { # NAME LINE SECONDS
    echo "$2" >&"${orders[$1]}"
    await "$1" end "$3"
}

end_load() { # NAME
    local to=${orders[$1]} from=${replies[$1]}
    exec {to}>&- {from}<&-
    rm -f "$work/$1.orders" "$work/$1.replies"
    unset "orders[$1]" "replies[$1]"
}
