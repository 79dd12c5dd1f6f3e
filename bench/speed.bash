# speed.bash - processor time per request and per gigabyte, side by side.
#
# Rounds are interleaved and turn their order each time, so that whatever else
# the machine does hurts all servers alike; figures are medians of the rounds.
# shellcheck shell=bash disable=SC2154,SC2034

cases=(small small8 small128 small16 big big4)
declare -A title=(
    [small]="1 KiB, 32 connections"
    [small8]="1 KiB, 8 connections"
    [small128]="1 KiB, 128 connections"
    [small16]="1 KiB, 32 connections, pipelined by 16"
    [big]="1 GiB, 1 connection"
    [big4]="1 GiB, 4 connections"
)
declare -A load_arguments=(
    [small]="requests ADDRESS /1k -c 32 -p 1 -l 1024"
    [small8]="requests ADDRESS /1k -c 8 -p 1 -l 1024"
    [small128]="requests ADDRESS /1k -c 128 -p 1 -l 1024"
    [small16]="requests ADDRESS /1k -c 32 -p 16 -l 1024"
    [big]="download ADDRESS /1g -c 1 -w -l 1073741824"
    [big4]="download ADDRESS /1g -c 4 -w -l 1073741824"
)
declare -A rivals=(
    [small]="nginx nginx-copy"
    [small8]="nginx nginx-copy"
    [small128]="nginx nginx-copy"
    [small16]="nginx nginx-copy"
    [big]="nginx"
    [big4]="nginx"
)
# Sluice's figure over nginx's: at least, or at most. nginx-copy is shown, not
# judged.
declare -A target=([small]="≥ 1.40" [small8]="≥ 1.40" [small128]="≥ 1.40"
    [small16]="≥ 4.00" [big]="≤ 1.00" [big4]="≤ 1.00")
# What the rounds gave, by "case server".
declare -A figures busy p99 faults

# One round: the load's lines, and the server's time while it ran.
measure() { # CASE SERVER
    local key="$1 $2" words before after out
    words=${load_arguments[$1]/ADDRESS/${address[$2]}}
    before=$(cpu_ns "${pid[$2]}")
    # shellcheck disable=SC2086
    out=$("$load" $words -s "$seconds" -u "$load_cpu" 2>&1)
    sleep 0.1
    after=$(cpu_ns "${pid[$2]}")
    record "$key" "$((after - before))" "$out"
}

record() { # KEY NANOSECONDS LINES
    local requests bytes took errors
    requests=$(value_of requests <<<"$3")
    bytes=$(value_of bytes <<<"$3")
    took=$(value_of seconds <<<"$3")
    errors=$(value_of errors <<<"$3")
    if [[ $errors != 0 || ${requests:-0} == 0 ]]; then
        faults[$1]+="$(tr '\n' ' ' <<<"$3")"
        return
    fi
    if [[ $1 == small* ]]; then
        figures[$1]+=" $(calc "$requests / ($2 / 1e9)")"
    else
        figures[$1]+=" $(calc "($2 / 1e9) / ($bytes / 1e9)")"
    fi
    busy[$1]+=" $(calc "100 * $2 / 1e9 / $took")"
    p99[$1]+=" $(value_of p99_us <<<"$3")"
}

run_case() { # CASE
    local round server order
    for ((round = 1; round <= rounds; round++)); do
        order="sluice ${rivals[$1]}"
        ((round % 2)) || order=$(tr ' ' '\n' <<<"$order" | tac)
        for server in $order; do
            progress "$1: round $round of $rounds, $server"
            measure "$1" "$server"
        done
    done
    progress ""
}

row() { # CASE RIVAL
    local ratio verdict ours theirs goal=${target[$1]}
    [[ $2 == nginx ]] || goal=–
    ours=$(median_of "${figures[$1 sluice]:-}")
    theirs=$(median_of "${figures[$1 $2]:-}")
    if [[ -n ${faults[$1 sluice]:-}${faults[$1 $2]:-} || $ours == 0 ]]; then
        ratio="–" verdict="FAULTS"
    else
        ratio=$(calc "$ours / $theirs")
        verdict=–
        [[ $goal == – ]] || verdict=$(mark "$ratio" "$goal")
        ratio=$(printf '%.2f' "$ratio")
    fi
    [[ $verdict == met || $verdict == – ]] || missed=1
    say "| ${title[$1]} | $2 | $(cell "$1 sluice") | $(cell "$1 $2") | $ratio |" \
        "$goal | $verdict |"
}

# Whether the servers had enough to do, and how long answers took.
note() { # CASE SERVER
    say "| ${title[$1]} | $2 | $(printf '%.0f %%' "$(median_of "${busy[$1 $2]:-0}")")" \
        "| $(printf '%.1f' "$(calc "$(median_of "${p99[$1 $2]:-0}") / 1000")") |"
}

report_speed() { # CASE…
    local c server
    say "| load | against | Sluice | nginx | ratio | target | |"
    say "|---|---|---|---|---|---|---|"
    for c in "$@"; do
        for server in ${rivals[$c]}; do
            row "$c" "$server"
        done
    done
    say ""
    say "Small files: requests per CPU-second of the server. Big file:"
    say "CPU-seconds of the server per 10⁹ bytes. Medians of $rounds rounds of"
    say "$seconds s, [lowest … highest]; nginx-copy is nginx with \`sendfile off\`."
    say ""
    say "| load | server | its core busy | p99, ms |"
    say "|---|---|---|---|"
    for c in "$@"; do
        for server in sluice ${rivals[$c]}; do
            note "$c" "$server"
        done
    done
    report_faults
}

report_faults() {
    local key
    for key in "${!faults[@]}"; do
        say ""
        say "FAULTS, $key: ${faults[$key]}"
    done
}

# Both serve the same bytes, whole and pipelined, before anything is timed.
check_answers() { # FILE SERVER…
    local file=$1 server
    shift
    for server in "$@"; do
        curl -s --max-time 60 "http://${address[$server]}/$file" |
            cmp -s - "$root/$file" || cannot "$server does not serve $file"
        "$load" requests "${address[$server]}" /1k -n 64 -p 16 -l 1024 \
            >/dev/null || cannot "$server fails at pipelined requests"
    done
}

speed() { # CASE…
    local c
    make_file 1k 1024
    case "$*" in *big*) make_file 1g 1073741824 ;; esac
    start_sluice
    start_nginx nginx
    check_answers 1k sluice nginx nginx-copy
    [[ ! -e $root/1g ]] || check_answers 1g sluice nginx
    for c in "$@"; do
        run_case "$c"
    done
    report_speed "$@"
}
