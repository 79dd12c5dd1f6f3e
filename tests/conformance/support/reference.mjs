// reference.mjs [LONG_POLL_MS] - the protocol's reference server on a free
// port of 127.0.0.1; prints "listening on URL" and runs until it is killed.
import { DurableStreamTestServer } from "@durable-streams/server";

const server = new DurableStreamTestServer({
    host: "127.0.0.1",
    port: 0,
    longPollTimeout: Number(process.argv[2] || 2000),
});

console.log(`listening on ${await server.start()}`);
