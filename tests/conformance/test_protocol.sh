#!/bin/bash
# test_protocol.sh - the Durable Streams protocol as its authors' suite sees it,
# on the strict mount. The reference server passes 326 of the 332: it renews no
# life span for offset=now and for closing without a body (3), its preflight
# does not allow If-None-Match (1), and its SSE sends several data events before
# one control event (2).
. tests/conformance/lib.sh

need_node "the suite runs"
serve_streams
tap 240 "the suite" node "$here/node_modules/vitest/vitest.mjs" run \
    --config "$here/vitest.config.mjs" --root "$here"
finish_streams
