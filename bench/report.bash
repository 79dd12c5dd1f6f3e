# report.bash - what every benchmark does with its figures.
#
# Uses   $work (a temporary folder; what is said is kept in $work/report),
#        $server_cpu, $load_cpu, figures[KEY] (numbers, one word list), and the
#        script's own usage().
# shellcheck shell=bash disable=SC2154

say() {
    printf '%s\n' "$*" | tee -a "$work/report"
}

progress() {
    [[ -t 2 ]] && printf '\r\033[K%s' "$1" >&2
}

bounded() { # TEXT MAX
    [[ $1 =~ ^(0|[1-9][0-9]{0,5})$ ]] || usage
    (($1 <= $2)) || usage
    echo "$1"
}

describe_machine() {
    say "- $(date -u '+%Y-%m-%d %H:%M UTC'), $(uname -sr) $(uname -m)," \
        "$(nproc --all) × $(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo |
            head -1), $(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' \
            /proc/meminfo)"
}

describe_set_up() {
    say "- congestion control" \
        "$(cat /proc/sys/net/ipv4/tcp_congestion_control), somaxconn" \
        "$(cat /proc/sys/net/core/somaxconn), $(ulimit -n) descriptors"
    say "- servers on core $server_cpu, load on core $load_cpu, load average" \
        "before it: $(cut -d' ' -f1 /proc/loadavg)"
}

value_of() { # KEY, in the load's key=value lines on stdin
    awk -F= -v key="$1" '$1 == key { print $2 }'
}

calc() { # EXPRESSION
    awk "BEGIN { printf \"%.6g\\n\", $1 }"
}

quantile() { # median|min|max NUMBER…
    local which=$1
    shift
    printf '%s\n' "$@" | sort -g | awk -v which="$which" '
        { v[NR] = $1 }
        END {
            if (NR == 0) print "nan"
            else if (which == "min") print v[1]
            else if (which == "max") print v[NR]
            else print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2
        }'
}

pretty() { # NUMBER
    awk -v x="$1" 'BEGIN { printf(x >= 100 ? "%.0f" : "%.4f", x) }'
}

mebibytes() { # BYTES
    awk -v b="$1" 'BEGIN { printf "%.1f MiB", b / 1048576 }'
}

# The median and its spread, as one cell.
cell() { # KEY
    local -a all
    read -ra all <<<"${figures[$1]:-}"
    ((${#all[@]})) || { echo "none"; return; }
    printf '%s [%s … %s]' "$(pretty "$(quantile median "${all[@]}")")" \
        "$(pretty "$(quantile min "${all[@]}")")" \
        "$(pretty "$(quantile max "${all[@]}")")"
}

median_of() { # NUMBERS, one word list
    local -a all
    read -ra all <<<"$1"
    quantile median "${all[@]}"
}

mark() { # RATIO TARGET
    local sign=${2%% *} limit=${2##* }
    if awk -v r="$1" -v t="$limit" -v sign="$sign" \
        'BEGIN { exit !(sign == "≥" ? r >= t : r <= t) }'; then
        echo "met"
    else
        echo "MISSED"
    fi
}
