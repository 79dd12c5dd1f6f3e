# memory.bash - what a connection costs the server's process.
#
# PSS before and with the clients, over their number. Each case has a server of
# its own, since freed memory stays with a process. The kernel's socket
# buffers are not in it.
# shellcheck shell=bash disable=SC2154,SC2034

idle_clients=10000
stuck_clients=2000
queue_high_bytes=65536
warm_requests=2000
hold_wait_tenths_max=600

# Holds the clients until stop_clients; $held is how many there are.
hold_clients() { # SERVER MODE PATH COUNT
    local i
    mkfifo "$work/leash"
    "$load" "$2" "${address[$1]}" "$3" -c "$4" -u "$load_cpu" \
        <"$work/leash" >"$work/held" 2>&1 &
    holder=$!
    started+=("$holder")
    exec {leash}>"$work/leash"
    for ((i = 0; i < hold_wait_tenths_max; i++)); do
        held=$(value_of held <"$work/held")
        [[ -z $held ]] || return 0
        kill -0 "$holder" 2>/dev/null || break
        sleep 0.1
    done
    cat "$work/held" >&2
    cannot "the clients could not connect to $1"
}

stop_clients() {
    exec {leash}>&-
    wait "$holder"
    open=$(value_of open <"$work/held")
    rm -f "$work/leash"
}

kernel_bytes() {
    awk '$1 == "TCP:" { for (i = 2; i < NF; i++)
        if ($i == "mem") printf "%.0f\n", $(i + 1) * 4096 }' /proc/net/sockstat
}

memory_case() { # SERVER MODE PATH COUNT LIMIT
    local before with each verdict kernel held open
    progress "memory: $2, $1"
    "start_${1}" "$1"
    "$load" requests "${address[$1]}" /1k -c 32 -n "$warm_requests" >/dev/null
    settle "${pid[$1]}"
    before=$(pss_bytes "${pid[$1]}")
    kernel=$(kernel_bytes)
    hold_clients "$1" "$2" "$3" "$4"
    settle "${pid[$1]}"
    with=$(pss_bytes "${pid[$1]}")
    kernel=$(($(kernel_bytes) - kernel))
    stop_clients
    end_servers
    each=$(((with - before) / $4))
    verdict="–"
    [[ $1 != sluice ]] || verdict=$(mark "$each" "≤ $5")
    [[ $open == "$4" ]] || verdict="FAULTS: $open of $4 stayed open"
    [[ $verdict == met || $1 != sluice ]] || missed=1
    progress ""
    say "| $4 $2 on $3 | $1 | $(mebibytes "$before") | $(mebibytes "$with") |" \
        "$each B | < $5 B | $verdict | $(mebibytes "$kernel") |"
}

memory() {
    local lab_limit=$((queue_high_bytes + 8192))
    make_file 1k 1024
    make_file 1g 1073741824
    say "| clients | server | PSS before | PSS with them | each | target | |" \
        "kernel's TCP memory |"
    say "|---|---|---|---|---|---|---|---|"
    memory_case sluice idle /1k "$idle_clients" 1024
    memory_case nginx idle /1k "$idle_clients" 1024
    memory_case sluice stuck /1g "$stuck_clients" 8192
    memory_case nginx stuck /1g "$stuck_clients" 8192
    ((null)) || memory_case sluice stuck /lab/bytes/10g "$stuck_clients" \
        "$lab_limit"
    say ""
    say "The target is Sluice's. The last column is what the kernel holds for"
    say "both ends of the connections; it is in no process's PSS."
}
