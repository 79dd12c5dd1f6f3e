#!/bin/bash
# What a file is sent as, and whether it is sent at all.
. tests/curl/lib.sh || exit 1
plan 54

seq 1 40000 >"$www/text.txt"
echo short >"$www/short.txt"
random "$www/noise.bin" 300000
ln -s text.txt "$www/inside.txt"
ln -s /etc/passwd "$www/outside.txt"
echo secret >"$www/.hidden"
echo secret >"$work/secret.txt"
mkdir "$www/sub" "$www/home" "$www/.well-known" "$www/.git"
echo open >"$www/.well-known/open.txt"
echo secret >"$www/.git/config"
echo '<h1>home</h1>' >"$www/home/index.html"
echo deep >"$www/sub/a & b's <c>.txt"
echo deep >"$www/sub/ünï.txt"

# Beside the file, each with another text, to tell them apart.
seq 1 3000 >"$www/site.css"
echo "from gz" | gzip -c >"$www/site.css.gz"
! have zstd || echo "from zst" | zstd -cq >"$www/site.css.zst"
! have brotli || echo "from br" | brotli -c >"$www/site.css.br"
configure
serve

# Compression on the fly.

get --compressed -D "$work/head" -o "$work/body" "$url/text.txt"
is "--compressed gets gzip" "$(field content-encoding <"$work/head")" gzip
is "which says what it depends on" \
    "$(field vary <"$work/head")" Accept-Encoding
ok "and decodes to the file" cmp "$work/body" "$www/text.txt"
seen=$(get -H 'Accept-Encoding: gzip' -o /dev/null -w '%{size_download}' \
    "$url/text.txt")
ok "fewer bytes go over the wire" test "$seen" -lt 120000
get -H 'Accept-Encoding: gzip' -o "$work/text.gz" "$url/text.txt"
ok "gzip itself takes it" gzip -t "$work/text.gz"
is "without --compressed nothing is" \
    "$(get -D - -o "$work/body" "$url/text.txt" | field content-encoding)" ""
ok "and the bytes are the file's" cmp "$work/body" "$www/text.txt"
is "gzip;q=0 is taken at its word" \
    "$(get -H 'Accept-Encoding: gzip;q=0, *' -D - -o /dev/null \
        "$url/text.txt" | field content-encoding)" ""
is "what is small is not compressed" \
    "$(get --compressed -D - -o /dev/null "$url/short.txt" |
        field content-encoding)" ""
is "what is noise is not compressed" \
    "$(get --compressed -D - -o /dev/null "$url/noise.bin" |
        field content-encoding)" ""

# What lies beside the file.

get -H 'Accept-Encoding: gzip' -o "$work/body" "$url/site.css"
is ".gz beside the file is sent for gzip" "$(gzip -dc "$work/body")" "from gz"
if have zstd; then
    get -H 'Accept-Encoding: zstd' -D "$work/head" -o "$work/body" \
        "$url/site.css"
    is ".zst is sent for zstd" "$(zstd -dcq <"$work/body")" "from zst"
    is "and said so" "$(field content-encoding <"$work/head")" zstd
else
    skip "no zstd here" ".zst is sent for zstd"
    skip "no zstd here" "and said so"
fi
if have brotli; then
    get -H 'Accept-Encoding: gzip, br' -D "$work/head" -o "$work/body" \
        "$url/site.css"
    is ".br is liked best" "$(brotli -dc <"$work/body")" "from br"
    is "and said so" "$(field content-encoding <"$work/head")" br
    get -H 'Accept-Encoding: br;q=0.1, gzip' -o "$work/body" "$url/site.css"
    is "unless the client likes gzip better" \
        "$(gzip -dc "$work/body")" "from gz"
else
    for _ in 1 2 3; do
        skip "no brotli here" ".br is sent for br"
    done
fi
if have brotli && curl_can brotli; then
    is "curl --compressed takes what it gets" \
        "$(get --compressed "$url/site.css")" "from br"
else
    skip "curl or its files lack brotli" "curl --compressed takes what it gets"
fi
like "its type is that of the file" \
    "$(get -I -H 'Accept-Encoding: br, gzip' "$url/site.css" |
        field content-type)" '^text/css'
tags=$(for coding in identity gzip zstd br; do
    get -I -H "Accept-Encoding: $coding" "$url/site.css" | field etag
done)
wanted=2
! have zstd || wanted=$((wanted + 1))
! have brotli || wanted=$((wanted + 1))
is "each coding has an entity tag of its own" \
    "$(sort -u <<<"$tags" | wc -l)" $wanted
like "and they are strong" "$(grep -c '^W/' <<<"$tags")" '^0$'

# Only if it has changed.

touch -d '2024-01-02 03:04:05 UTC' "$www/text.txt"
sleep 1.1
is "Last-Modified is the file's time" \
    "$(get -I "$url/text.txt" | field last-modified)" \
    "Tue, 02 Jan 2024 03:04:05 GMT"
is "-z with that time is 304" \
    "$(status -z 'Tue, 02 Jan 2024 03:04:05 GMT' "$url/text.txt")" 304
is "-z with an earlier one sends it" \
    "$(status -z 'Tue, 02 Jan 2024 03:04:04 GMT' "$url/text.txt")" 200
get -R -o "$work/copy" "$url/text.txt"
is "-R gives the copy the file's time" "$(stat -c %Y "$work/copy")" \
    "$(stat -c %Y "$www/text.txt")"
is "-z COPY is 304" "$(status -z "$work/copy" "$url/text.txt")" 304
is "--etag-save sends the file" \
    "$(status --etag-save "$work/etag" "$url/text.txt")" 200
is "--etag-compare then does not" \
    "$(status --etag-compare "$work/etag" "$url/text.txt")" 304
get --etag-compare "$work/etag" -D "$work/head" -o /dev/null "$url/text.txt"
is "304 repeats the tag" "$(field etag <"$work/head")" "$(cat "$work/etag")"
is "and what it depends on" "$(field vary <"$work/head")" Accept-Encoding
is "another coding has not that tag" \
    "$(status --compressed --etag-compare "$work/etag" "$url/text.txt")" 200
is "If-Match with another tag is 412" \
    "$(status -H 'If-Match: "other"' "$url/text.txt")" 412
is "If-Unmodified-Since before the time is 412" \
    "$(status -H 'If-Unmodified-Since: Tue, 02 Jan 2024 03:04:04 GMT' \
        "$url/text.txt")" 412
is "an entity tag goes before a date" \
    "$(status --etag-compare "$work/etag" \
        -H 'If-Modified-Since: Tue, 02 Jan 2024 03:04:04 GMT' \
        "$url/text.txt")" 304
tr 1 2 <"$www/text.txt" >"$work/next"
touch -r "$www/text.txt" "$work/next"
mv "$work/next" "$www/text.txt"
sleep 1.1
is "a file that was replaced is sent, though size and time are the same" \
    "$(status --etag-compare "$work/etag" "$url/text.txt")" 200

# Folders.

is "a folder without its slash is redirected" \
    "$(get -o /dev/null -w '%{http_code} %{redirect_url}' "$url/home")" \
    "301 $url/home/"
is "-L gets its index" "$(get -L "$url/home")" '<h1>home</h1>'
is "without an index it is listed, for curl as lines" \
    "$(get "$url/sub/")" "a & b's <c>.txt
ünï.txt"
get "$url/sub/?format=json" >"$work/body"
is_json "?format=json is JSON" <"$work/body"
like "and has the names" "$(cat "$work/body")" "a & b's <c>.txt"
like "a browser gets a page" \
    "$(get -H 'Accept: text/html,*/*;q=0.8' -D - -o "$work/page" "$url/sub/" |
        field content-type)" '^text/html'
is "names are escaped in it" "$(grep -c '<c>' "$work/page")" 0
is "its links lead to the files" \
    "$(sed -n 's/.*<a href="\(a[^"]*\)".*/\1/p' "$work/page" |
        while IFS= read -r link; do get "$url/sub/$link"; done)" deep
is "?sort=size&order=desc has the biggest first" \
    "$(get "$url/?sort=size&order=desc" | head -n 1)" \
    "$(cd "$www" && find . -maxdepth 1 -type f -printf '%s %f\n' |
        sort -rn | head -n 1 | cut -d ' ' -f 2)"
is "a sort that is none is refused" "$(status "$url/?sort=colour")" 400
like "dot-files and what lies outside are not listed" \
    "$(get "$url/" | grep -c -e hidden -e outside -e '^\.git')" '^0$'

# Safety.

is "a link that stays inside is followed" "$(status "$url/inside.txt")" 200
is "a link that leads out is not" "$(status "$url/outside.txt")" 404
is "nor does a path lead out" \
    "$(for path in ../secret.txt ..%2fsecret.txt %2e%2e/secret.txt \
        sub/../../secret.txt sub/..%5c..%5csecret.txt; do
        get --path-as-is "$url/$path"
    done | grep -c '^secret')" 0
is "dot-files do not exist" \
    "$(status "$url/.hidden") $(status "$url/.git/config")" "404 404"
is ".well-known does" "$(get "$url/.well-known/open.txt")" open
is "nor does what was never there" "$(status "$url/nothing")" 404
is "a path of 9000 bytes is 414" \
    "$(status "$url/$(printf 'a%.0s' {1..9000})")" 414
is "DELETE is 405, and says what is allowed" \
    "$(get -X DELETE -o /dev/null -w '%{http_code}' -D "$work/head" \
        "$url/short.txt") $(field allow <"$work/head")" \
    "405 GET, HEAD, OPTIONS"
stop
finish
