#!/bin/bash
# test_clients.sh - streams as their clients see them: the official client on
# the strict mount, EventSource, WebSocket and a browser on the friendly one.
. tests/conformance/lib.sh

need_node "the clients run"
serve_streams
for client in client eventsource websocket browser; do
    tap 120 "$client" node "$here/$client.mjs"
done
finish_streams
