# servers.bash - starts the servers of a scorecard, and always ends them.
#
# Sets   pid[NAME] and address[NAME] for sluice, nginx and nginx-copy (one
#        nginx process, two ports).
# Uses   $work (its temporary folder), $root (the files), $sluice, $nginx,
#        $server_cpu, $null; $sluice_template and $nginx_template in place of
#        sluice.conf and nginx.conf when they are set.
# shellcheck shell=bash disable=SC2154,SC2034

declare -A pid address
started=()

start_attempts_max=5
start_wait_tenths_max=50

end_servers() {
    local p
    for p in "${started[@]}"; do
        kill -TERM "$p" 2>/dev/null
    done
    sleep 0.2
    for p in "${started[@]}"; do
        kill -KILL "$p" 2>/dev/null
        wait "$p" 2>/dev/null
    done
    started=()
}

fill_in() { # TEMPLATE WORD=VALUE…
    local text word
    text=$(<"$1")
    shift
    for word in "$@"; do
        text=${text//@${word%%=*}@/${word#*=}}
    done
    printf '%s\n' "$text"
}

answers() { # HOST:PORT
    curl -s -o /dev/null --max-time 1 "http://$1/1k"
}

# Below the ephemeral ports, so that no client sits on it by chance.
random_port() {
    echo $((10000 + RANDOM % 20000))
}

try_nginx() { # NAME FOLDER
    local port copy_port i
    port=$(random_port)
    copy_port=$((port + 1))
    mkdir -p "$2"
    fill_in "${nginx_template:-$bench/nginx.conf}" "DIR=$2" "ROOT=$root" "PORT=$port" \
        "COPY_PORT=$copy_port" >"$2/nginx.conf"
    taskset -c "$server_cpu" "$nginx" -p "$2/" -e "$2/nginx.err" \
        -c "$2/nginx.conf" 2>"$2/stderr" </dev/null &
    pid[$1]=$!
    started+=("$!")
    address[$1]=127.0.0.1:$port
    address[$1-copy]=127.0.0.1:$copy_port
    pid[$1-copy]=${pid[$1]}
    for ((i = 0; i < start_wait_tenths_max; i++)); do
        kill -0 "${pid[$1]}" 2>/dev/null || return 1
        answers "${address[$1]}" && answers "${address[$1-copy]}" && return 0
        sleep 0.1
    done
    return 1
}

start_nginx() { # NAME
    local i
    for ((i = 0; i < start_attempts_max; i++)); do
        try_nginx "$1" "$work/$1" && return 0
    done
    cat "$work/$1/stderr" "$work/$1/nginx.err" >&2
    cannot "nginx does not start"
}

# For a program that says where it listens, as Sluice does.
start_listening() { # NAME COMMAND…
    local i line name=$1
    shift
    : >"$work/$name.out"
    taskset -c "$server_cpu" "$@" >"$work/$name.out" 2>"$work/$name.err" \
        </dev/null &
    pid[$name]=$!
    started+=("$!")
    for ((i = 0; i < start_wait_tenths_max; i++)); do
        line=$(grep -m1 '^listening on http://' "$work/$name.out")
        address[$name]=${line#listening on http://}
        address[$name]=${address[$name]%/}
        [[ -z $line ]] || return 0
        kill -0 "${pid[$name]}" 2>/dev/null || break
        sleep 0.1
    done
    cat "$work/$name.err" >&2
    cannot "$name does not start"
}

start_sluice() {
    if ((null)); then
        start_nginx sluice
        return
    fi
    fill_in "${sluice_template:-$bench/sluice.conf}" "ROOT=$root" \
        >"$work/sluice.conf"
    start_listening sluice "$sluice" serve -c "$work/sluice.conf"
    answers "${address[sluice]}" || cannot "Sluice does not answer"
}

# Processor time of all threads in nanoseconds. Exact when the process sleeps:
# the kernel brings it up to date when a thread leaves its core.
cpu_ns() { # PID
    local sum=0 ns rest task
    for task in /proc/"$1"/task/*/schedstat; do
        read -r ns rest <"$task" && sum=$((sum + ns))
    done
    echo "$sum"
}

pss_bytes() { # PID
    awk '/^Pss:/ { printf "%.0f\n", $2 * 1024 }' "/proc/$1/smaps_rollup"
}

# Waits until the process has been all but idle for half a second.
settle() { # PID
    local before now i
    now=$(cpu_ns "$1")
    for ((i = 0; i < settle_halves_max; i++)); do
        before=$now
        sleep 0.5
        now=$(cpu_ns "$1")
        ((now - before < 5000000)) && return 0
    done
    say "(${1}: still busy after $((settle_halves_max / 2)) seconds)"
}

settle_halves_max=60
