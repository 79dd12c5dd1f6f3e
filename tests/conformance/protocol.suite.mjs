// protocol.suite.mjs - the protocol's own suite, run by vitest against
// STREAMS_URL. Its command line finds no files under this vitest; a file of
// ours does.
import { runConformanceTests } from "@durable-streams/server-conformance-tests";

const baseUrl = process.env.STREAMS_URL;
if (!baseUrl) {
    throw new Error("STREAMS_URL must name the server");
}

runConformanceTests({
    baseUrl,
    longPollTimeoutMs: Number(process.env.LONG_POLL_MS || 20000),
    subscriptions: process.env.SUBSCRIPTIONS === "1",
});
