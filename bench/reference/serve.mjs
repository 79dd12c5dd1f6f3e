// serve.mjs - the npm reference server of Durable Streams, in memory, on a
// free port of 127.0.0.1, which it tells in Sluice's words.
import { DurableStreamTestServer } from "@durable-streams/server";

const server = new DurableStreamTestServer({
  port: 0,
  host: "127.0.0.1",
  compression: false,
});
const url = await server.start();
console.log(`listening on ${url.replace(/\/$/, "")}/`);
