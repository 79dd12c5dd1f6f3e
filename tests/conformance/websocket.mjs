// websocket.mjs - npm's ws follows the friendly mount and publishes to it.
import assert from "node:assert/strict";
import { WebSocket } from "ws";
import {
    Inbox,
    contents,
    friendly,
    newName,
    publish,
    socketOf,
} from "./support/streams.mjs";
import { run, test, until, within } from "./support/tap.mjs";

const GOING_WELL = 1000;
const PROTOCOL_ERROR = 1002;
const NOT_UTF8 = 1007;

async function connect(url, { protocols = [], ...options } = {}) {
    const socket = new WebSocket(socketOf(url), protocols, options);
    const inbox = new Inbox();
    const closed = new Promise((resolve) => {
        socket.on("close", (code, reason) =>
            resolve({ code, reason: String(reason) }),
        );
    });
    socket.on("message", (data, binary) => inbox.push({ data, binary }));
    await within(
        5000,
        new Promise((resolve, reject) => {
            socket.on("open", resolve);
            socket.on("error", reject);
        }),
        "the handshake",
    );
    return { socket, inbox, closed: () => within(5000, closed, "the close") };
}

async function texts(inbox, n) {
    const items = await inbox.exactly(n);
    return items.map((item) => item.data.toString());
}

// A frame as a client may not send it.
function sendRaw(socket, bytes) {
    socket._socket.write(Buffer.from(bytes));
}

test("text comes as text frames, one a message", async () => {
    const url = friendly(newName("ws"));
    await publish(url, "one", "text/plain");
    await publish(url, "two\n", "text/plain");
    const { socket, inbox } = await connect(`${url}?from=start`);
    await publish(url, "three", "text/plain");
    assert.deepEqual(await texts(inbox, 3), ["one", "two\n", "three"]);
    assert(inbox.items.every((item) => !item.binary));
    socket.terminate();
});

test("octets come as binary frames, one a message", async () => {
    const url = friendly(newName("ws"));
    const octets = Buffer.from([0, 255, 128, 10, 13]);
    await publish(url, octets, "application/octet-stream");
    const { socket, inbox } = await connect(`${url}?from=start`);
    const [item] = await inbox.exactly(1);
    assert.equal(item.binary, true);
    assert.equal(item.data.toString("hex"), octets.toString("hex"));
    socket.terminate();
});

test("each JSON value comes as a text frame of its own", async () => {
    const url = friendly(newName("ws"));
    await publish(url, '[{"n":1}, {"n":2}]', "application/json");
    const { socket, inbox } = await connect(`${url}?from=start`);
    await publish(url, '{"n":3}', "application/json");
    const values = (await texts(inbox, 3)).map((text) => JSON.parse(text));
    assert.deepEqual(values, [{ n: 1 }, { n: 2 }, { n: 3 }]);
    assert(inbox.items.every((item) => !item.binary));
    socket.terminate();
});

test("from=now leaves out what was there", async () => {
    const url = friendly(newName("ws"));
    await publish(url, "old", "text/plain");
    const { socket, inbox } = await connect(`${url}?from=now`);
    await publish(url, "new", "text/plain");
    assert.deepEqual(await texts(inbox, 1), ["new"]);
    socket.terminate();
});

test("messages of every length class of a frame are whole", async () => {
    const url = friendly(newName("ws"));
    const lengths = [1, 125, 126, 127, 65535, 65536, 1 << 20];
    const body = (length) => Buffer.alloc(length, length % 251);
    for (const length of lengths) {
        await publish(url, body(length), "application/octet-stream");
    }
    const { socket, inbox } = await connect(`${url}?from=start`);
    const items = await inbox.exactly(lengths.length);
    for (const [i, { data }] of items.entries()) {
        assert(data.equals(body(lengths[i])), `${lengths[i]} bytes`);
    }
    socket.terminate();
});

test("many messages at once keep their order", async () => {
    const url = friendly(newName("ws"));
    await publish(url, "begin", "text/plain");
    const { socket, inbox } = await connect(`${url}?from=now`);
    for (let n = 0; n < 300; n += 1) {
        await publish(url, String(n), "text/plain");
    }
    const wanted = Array.from({ length: 300 }, (_, n) => String(n));
    assert.deepEqual(await texts(inbox, 300), wanted);
    socket.terminate();
});

test("ds.v1 is agreed on and adds control frames", async () => {
    const url = friendly(newName("ws"));
    const type = "application/octet-stream";
    const posted = await publish(url, "data", type);
    const protocols = ["ds.v1"];
    const reader = await connect(`${url}?from=start`, { protocols });
    assert.equal(reader.socket.protocol, "ds.v1");
    const controls = () =>
        reader.inbox.items
            .filter((item) => !item.binary)
            .map((item) => JSON.parse(item.data));
    const wanted = posted.headers.get("stream-next-offset");
    await until(
        () => controls().some((c) => c.streamNextOffset === wanted),
        "a control frame with the next offset",
    );
    const octets = reader.inbox.items.filter((item) => item.binary);
    assert.equal(Buffer.concat(octets.map((o) => o.data)).toString(), "data");
    reader.socket.terminate();

    await publish(url, "more", type);
    const offset = encodeURIComponent(wanted);
    const resumed = await connect(`${url}?offset=${offset}`);
    assert.deepEqual(await texts(resumed.inbox, 1), ["more"]);
    assert.equal(resumed.socket.protocol, "");
    resumed.socket.terminate();
});

test("a subprotocol that nobody knows is not agreed on", async () => {
    const url = friendly(newName("ws"));
    await publish(url, "data", "text/plain");
    const protocols = ["ds.v1", "nobody.knows"];
    const { socket } = await connect(url, { protocols });
    assert.equal(socket.protocol, "ds.v1");
    socket.terminate();
});

test("a frame publishes when the reader asked for it", async () => {
    const url = friendly(newName("ws"));
    await publish(url, "0", "text/plain");
    const writer = await connect(`${url}?from=now&publish=1`);
    const reader = await connect(`${url}?from=now`);
    for (const text of ["1", "2", "3"]) {
        writer.socket.send(text);
    }
    assert.deepEqual(await texts(reader.inbox, 3), ["1", "2", "3"]);
    assert.equal(await contents(url), "0123");
    writer.socket.terminate();
    reader.socket.terminate();
});

test("a message in fragments is published as one", async () => {
    const url = friendly(newName("ws"));
    await publish(url, "0", "text/plain");
    const writer = await connect(`${url}?from=now&publish=1`);
    const reader = await connect(`${url}?from=now`);
    writer.socket.send("frag", { fin: false });
    writer.socket.ping("between");
    writer.socket.send("ments", { fin: true });
    assert.deepEqual(await texts(reader.inbox, 1), ["fragments"]);
    writer.socket.terminate();
    reader.socket.terminate();
});

test("a frame of somebody who only reads publishes nothing", async () => {
    const url = friendly(newName("ws"));
    await publish(url, "mine", "text/plain");
    const { socket } = await connect(url);
    socket.send("yours");
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(await contents(url), "mine");
    socket.terminate();
});

test("a ping is answered with what it said", async () => {
    const url = friendly(newName("ws"));
    await publish(url, "data", "text/plain");
    const { socket } = await connect(url);
    const pong = new Promise((resolve) => socket.on("pong", resolve));
    socket.ping("are you there?");
    const said = await within(5000, pong, "the pong");
    assert.equal(said.toString(), "are you there?");
    socket.terminate();
});

test("a client's close is answered with its code", async () => {
    const url = friendly(newName("ws"));
    await publish(url, "data", "text/plain");
    const { socket, closed } = await connect(url);
    socket.close(GOING_WELL, "enough");
    assert.equal((await closed()).code, GOING_WELL);
});

test("a stream that is closed ends its readers with 1000", async () => {
    const url = friendly(newName("ws"));
    await publish(url, "first", "text/plain");
    const { inbox, closed } = await connect(`${url}?from=start`);
    const answer = await fetch(url, {
        method: "POST",
        headers: { "Content-Type": "text/plain", "Stream-Closed": "true" },
        body: "last",
    });
    assert(answer.ok, `closing: ${answer.status}`);
    assert.equal((await closed()).code, GOING_WELL);
    assert.deepEqual(await texts(inbox, 2), ["first", "last"]);
});

test("a frame without a mask ends with 1002", async () => {
    const url = friendly(newName("ws"));
    await publish(url, "data", "text/plain");
    const { socket, closed } = await connect(url);
    sendRaw(socket, [0x81, 0x01, 0x41]);
    assert.equal((await closed()).code, PROTOCOL_ERROR);
});

test("a reserved bit ends with 1002", async () => {
    const url = friendly(newName("ws"));
    await publish(url, "data", "text/plain");
    const { socket, closed } = await connect(url);
    sendRaw(socket, [0xc1, 0x81, 0, 0, 0, 0, 0x41]);
    assert.equal((await closed()).code, PROTOCOL_ERROR);
});

test("published text that is no UTF-8 ends with 1007", async () => {
    const url = friendly(newName("ws"));
    await publish(url, "data", "text/plain");
    const { socket, closed } = await connect(`${url}?publish=1`);
    sendRaw(socket, [0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]);
    assert.equal((await closed()).code, NOT_UTF8);
    assert.equal(await contents(url), "data");
});

test("an unknown stream answers the handshake with 404", async () => {
    const socket = new WebSocket(socketOf(friendly(newName("ws"))));
    socket.on("error", () => {});
    const answer = new Promise((resolve) => {
        socket.on("unexpected-response", (request, response) =>
            resolve(response.statusCode),
        );
    });
    assert.equal(await within(5000, answer, "the answer"), 404);
    socket.terminate();
});

test("a reader may come before the stream", async () => {
    const url = friendly(newName("ws"));
    const coming = connect(`${url}?from=start&wait=10s`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await publish(url, "at last", "text/plain");
    const { socket, inbox } = await coming;
    assert.deepEqual(await texts(inbox, 1), ["at last"]);
    socket.terminate();
});

await run();
