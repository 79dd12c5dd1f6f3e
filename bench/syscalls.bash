# syscalls.bash - the system calls of a small keep-alive request, counted.
# shellcheck shell=bash disable=SC2154,SC2034

counted_requests=2000
attach_wait_tenths_max=50
# Between the tracer's hold on a thread and the first call it counts.
attach_grace_seconds=1

# Traces every thread of the server while one connection asks.
trace() { # SERVER
    local i tracer
    strace -c -f -q -o "$work/strace" -p "${pid[$1]}" 2>/dev/null &
    tracer=$!
    started+=("$tracer")
    for ((i = 0; i < attach_wait_tenths_max; i++)); do
        all_traced "${pid[$1]}" && break
        sleep 0.1
    done
    sleep "$attach_grace_seconds"
    "$load" requests "${address[$1]}" /1k -n "$counted_requests" -l 1024 \
        -w -u "$load_cpu" >"$work/load" || cannot "$1 fails at requests"
    kill -INT "$tracer"
    wait "$tracer"
}

all_traced() { # PID
    ! grep -l '^TracerPid:[[:space:]]*0$' /proc/"$1"/task/*/status >/dev/null
}

# The calls column has no other number behind it but errors.
list_calls() { # SERVER
    awk -v n="$counted_requests" -v server="$1" '
        $1 ~ /^[0-9.]+$/ && NF >= 5 && $NF != "total" {
            printf "| %s | %s | %d | %.3f |\n", server, $NF, $4, $4 / n
        }' "$work/strace"
}

calls_per_request() { # PATTERN
    awk -v n="$counted_requests" -v pattern="^($1)\$" '
        $1 ~ /^[0-9.]+$/ && NF >= 5 && $NF ~ pattern { sum += $4 }
        END { printf "%.3f\n", sum / n }' "$work/strace"
}

count_calls() { # SERVER
    local reads writes verdict
    progress "syscalls: $1"
    trace "$1"
    progress ""
    say "$(list_calls "$1")"
    reads=$(calls_per_request "read|readv|recvfrom|recvmsg|pread64|preadv")
    writes=$(calls_per_request "write|writev|sendto|sendmsg|sendfile")
    [[ $1 == sluice ]] || { totals+="| $1 | $reads | $writes | |"$'\n'; return; }
    verdict=$(mark "$(calc "($reads > $writes) ? $reads : $writes")" "≤ 1.01")
    [[ $verdict == met && $reads != 0.000 ]] || missed=1
    totals+="| $1 | $reads | $writes | $verdict |"$'\n'
}

syscalls() {
    local server totals=""
    command -v strace >/dev/null || cannot "strace is not installed"
    make_file 1k 1024
    start_sluice
    start_nginx nginx
    say "| server | call | calls | a request |"
    say "|---|---|---|---|"
    for server in sluice nginx nginx-copy; do
        count_calls "$server"
    done
    say ""
    say "| server | reads a request | writes a request | one of each |"
    say "|---|---|---|---|"
    say "${totals%$'\n'}"
    say ""
    say "$counted_requests requests for 1 KiB on one kept connection."
}
