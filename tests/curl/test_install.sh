#!/bin/bash
# make install: what is installed serves, and make uninstall takes it away.
. tests/curl/lib.sh || exit 1
plan 14

# What is tested was built already, so make has only to copy it.
build=${SLUICE_BUILD:-$(dirname "$SLUICE")}
root=$work/root
run_make() {
    env -u MAKEFLAGS -u MAKELEVEL timeout 300 make --no-print-directory \
        BUILD="$build" SANITIZE="$sanitizer" "$@" >"$work/make" 2>&1
}

ok "make install to DESTDIR works" run_make install DESTDIR="$root"
installed=$root/usr/local/bin/sluice
ok "the program is there, and it is the one that was built" \
    cmp "$installed" "$SLUICE"
is "anyone may run it" "$(stat -c %a "$installed")" 755
conf=$root/etc/sluice/sluice.conf
ok "so is a configuration" test -s "$conf"
ok "its folder of pages is where it says" test -d \
    "$root$(sed -n 's/^ *files = "\(.*\)"/\1/p' "$conf")"
ok "the unit starts what was installed" grep -q \
    '^ExecStart=/usr/local/bin/sluice serve' \
    "$root/usr/local/lib/systemd/system/sluice.service"
is "no file is named by the folder it was built to" \
    "$(grep -rlI "$root" "$root")" ""

# It serves; only its port and where the root is are changed.

sed -e 's|"127.0.0.1:8080"|"127.0.0.1:0"|' \
    -e "s|\"/usr/local|\"$root/usr/local|" "$conf" >"$conf.test"
SLUICE=$installed
serve serve -c "$conf.test"
like "the installed server answers with its page" "$(get "$url/")" '<html'
is "and types come from what was installed with it" \
    "$(get -I "$url/style.css" | field content-type | cut -d ';' -f 1)" text/css
is "the lab is open" "$(get "$url/lab/bytes/1000" | wc -c)" 1000
stop
rm "$conf.test"

# A configuration that was changed stays.

echo '# mine' >>"$conf"
run_make install DESTDIR="$root"
is "another install keeps the operator's configuration" \
    "$(tail -n 1 "$conf")" "# mine"
ok "make uninstall works" run_make uninstall DESTDIR="$root"
is "nothing is left but the operator's configuration" \
    "$(cd "$root" && find . ! -type d)" ./etc/sluice/sluice.conf
finish
