#!/bin/bash
# buffers/README.md: every program in it is one of buffers/examples/, does what
# the page says, and builds with nothing but what make install-buffers installs.
. tests/curl/lib.sh || exit 1

build=${SLUICE_BUILD:-$(dirname "$SLUICE")}
programs=$build/buffers/examples
page=buffers/README.md

# A link names the program; the ```c behind it is its text, ```output what it
# prints.
mkdir "$work/text" "$work/output"
awk -v work="$work" '
/^\[examples\/[a-z_]*\.c\]/ { name = $0; sub(/^\[examples\//, "", name); sub(/\.c\].*/, "", name) }
/^```/ && to { close(to); to = ""; next }
/^```c$/ { to = work "/text/" name ".c"; print name; printf "" > to; next }
/^```output$/ { to = work "/output/" name; printf "" > to; next }
/^```/ { to = "/dev/null"; next }
to { print > to }
' "$page" >"$work/names"
mapfile -t names <"$work/names"
plan $((2 * ${#names[@]} + 15))

for name in "${names[@]}"; do
    ok "$name.c is as the page shows it" \
        cmp "$work/text/$name.c" "buffers/examples/$name.c"
    timeout "$seconds_max" "$programs/$name" >"$work/said" 2>&1 </dev/null
    is "$name prints what the page says" "$? $(cat "$work/said")" \
        "0 $(cat "$work/output/$name")"
done

named() {
    local file
    for file in buffers/examples/*.c; do
        grep -q "](examples/${file##*/})" "$page" || {
            echo "$file"
            return 1
        }
    done
}
ok "no example is missing in the page" named
is "and there are as many as the page has had" "$((${#names[@]} >= 15))" 1

# The larger examples.

seq 1 200000 >"$work/lines"
is "what is published arrives" \
    "$(timeout "$seconds_max" "$programs/shm_publish" <"$work/lines" | sum)" \
    "$(sum <"$work/lines")"
is "records arrive in order" \
    "$(timeout "$seconds_max" "$programs/shm_publish" 200000)" \
    "200000 records, all in order"

mkfifo "$work/fifo"
"$programs/shm_publish" <"$work/fifo" >"$work/got" 2>"$work/said" &
publisher=$!
exec 9>"$work/fifo"
echo published >&9
ok "the reader does not wait for more" await 100 grep -q published "$work/got"
kill -KILL $publisher
wait $publisher 2>/dev/null
ok "the reader notices that the publisher died" \
    await 100 grep -q 'publisher is gone' "$work/said"
exec 9>&-

"$programs/shm_publish" 1000000000 >"$work/got" 2>&1 &
publisher=$!
reader_of() {
    reader=$(ps -o pid= --ppid "$1" | tr -d ' ')
    [ -n "$reader" ]
}
await 100 reader_of $publisher
kill -KILL "$reader"
reap $publisher
is "the publisher notices that the reader died" $? 1

is "lines of a file are counted" "$("$programs/map_lines" "$work/lines")" \
    "200000 lines"
"$programs/map_lines" -w "$work/lines" <"$work/fifo" >"$work/got" &
counter=$!
exec 9>"$work/fifo"
mapped() {
    grep -q "$work/lines" "/proc/$counter/maps" 2>/dev/null
}
await 100 mapped
truncate -s 4096 "$work/lines"
echo go on >&9
reap $counter
is "a file that is cut while it is mapped is told" $? 3
like "with what was counted by then" "$(cat "$work/got")" \
    '^[0-9]+ lines, then the file was cut$'
exec 9>&-

# Alone.

root=$work/root
run_make() {
    env -u MAKEFLAGS -u MAKELEVEL timeout 300 make --no-print-directory \
        BUILD="$build" SANITIZE="$sanitizer" "$@" >"$work/make" 2>&1 ||
        { cat "$work/make" && false; }
}
ok "make install-buffers works" run_make install-buffers PREFIX="$root"
alone() {
    local flags
    flags=$(PKG_CONFIG_PATH=$root/lib/pkgconfig pkg-config --cflags --libs \
        sluice-buffers) || return
    [ -z "$sanitizer" ] || flags="-fsanitize=$sanitizer $flags"
    # shellcheck disable=SC2086 # flags are several words
    (cd "$root" && ${CC:-cc} -o example "$1" $flags)
}
if have pkg-config; then
    ok "a program builds with what was installed" alone "$work/text/blocks.c"
    is "and runs" "$("$root/example" 2>&1)" "$(cat "$work/output/blocks")"
    rm -f "$root/example"
else
    skip "no pkg-config here" "a program builds with what was installed"
    skip "no pkg-config here" "and runs"
fi
ok "make uninstall-buffers works" run_make uninstall-buffers PREFIX="$root"
is "nothing is left" "$(find "$root" ! -type d)" ""
finish
