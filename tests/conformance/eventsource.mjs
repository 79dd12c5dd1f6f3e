// eventsource.mjs - npm's EventSource follows the friendly mount.
import assert from "node:assert/strict";
import { EventSource } from "eventsource";
import {
    Inbox,
    base,
    contents,
    friendly,
    newName,
    openRelay,
    publish,
} from "./support/streams.mjs";
import { run, test, until, within } from "./support/tap.mjs";

// EventSource comes back after three seconds, or after what the server says.
const RECONNECT = { seconds: 20 };

async function open(url) {
    const source = new EventSource(url);
    const inbox = new Inbox();
    source.onmessage = (event) => inbox.push(event);
    await within(
        5000,
        new Promise((resolve) => source.addEventListener("open", resolve)),
        "the head of the answer",
    );
    return { source, inbox };
}

async function texts(inbox, n, ms) {
    return (await inbox.exactly(n, ms)).map((event) => event.data);
}

test("the first POST creates a stream of any type", async () => {
    const url = friendly(newName("es"));
    await publish(url, "plain", "text/plain");
    await publish(url, " and untyped");
    const head = await fetch(url, { method: "HEAD" });
    assert.equal(head.headers.get("content-type"), "text/plain");
    assert.equal(await contents(url), "plain and untyped");
});

test("a stream that nobody gave a type holds octets", async () => {
    const url = friendly(newName("es"));
    await publish(url, "octets");
    const head = await fetch(url, { method: "HEAD" });
    assert.equal(head.headers.get("content-type"), "application/octet-stream");
    assert.equal(await contents(url), "octets");
});

test("the type that curl -d sends means the stream's own", async () => {
    const url = friendly(newName("es"));
    const form = "application/x-www-form-urlencoded";
    await publish(url, "first", "text/plain");
    await publish(url, " second", form);
    assert.equal(await contents(url), "first second");
});

test("messages come as unnamed events, one each, in order", async () => {
    const url = friendly(newName("es"));
    await publish(url, "one", "text/plain");
    await publish(url, "two", "text/plain");
    const { source, inbox } = await open(`${url}?from=start`);
    await publish(url, "three", "text/plain");
    assert.deepEqual(await texts(inbox, 3), ["one", "two", "three"]);
    assert(inbox.items.every((event) => event.type === "message"));
    source.close();
});

test("from=now leaves out what was there", async () => {
    const url = friendly(newName("es"));
    await publish(url, "old", "text/plain");
    const { source, inbox } = await open(`${url}?from=now`);
    await publish(url, "new", "text/plain");
    assert.deepEqual(await texts(inbox, 1), ["new"]);
    source.close();
});

test("an event's id is where the next read begins", async () => {
    const url = friendly(newName("es"));
    await publish(url, "one", "text/plain");
    const two = await publish(url, "two", "text/plain");
    const { source, inbox } = await open(`${url}?from=start`);
    const [first, second] = await inbox.first(2);
    assert(first.lastEventId < second.lastEventId, "ids grow");
    assert.equal(second.lastEventId, two.headers.get("stream-next-offset"));
    const offset = encodeURIComponent(first.lastEventId);
    assert.equal(await contents(`${url}?offset=${offset}`), "two");
    source.close();
});

test("lines of a message stay together", async () => {
    const url = friendly(newName("es"));
    const text = "a\nb\n\ndata: c\nevent: gap\nid: 7\n";
    await publish(url, text, "text/plain");
    const { source, inbox } = await open(`${url}?from=start`);
    assert.deepEqual(await texts(inbox, 1), [text]);
    source.close();
});

test("JSON messages are JSON", async () => {
    const url = friendly(newName("es"));
    await publish(url, '[{"n":1},{"n":2}]', "application/json");
    const { source, inbox } = await open(`${url}?from=start`);
    await publish(url, '{"n":3}', "application/json");
    const sum = () =>
        inbox.items
            .flatMap((event) => JSON.parse(event.data))
            .reduce((total, value) => total + value.n, 0);
    await until(() => sum() >= 6, "three values", 5000);
    assert.equal(sum(), 6);
    source.close();
});

test("a reader may come before the stream", async () => {
    const url = friendly(newName("es"));
    const source = new EventSource(`${url}?from=start&wait=10s`);
    const inbox = new Inbox();
    source.onmessage = (event) => inbox.push(event);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await publish(url, "at last", "text/plain");
    assert.deepEqual(await texts(inbox, 1), ["at last"]);
    source.close();
});

test(
    "after a cut it resumes: nothing is lost, nothing comes twice",
    async () => {
        const relay = await openRelay();
        const name = newName("es");
        const url = friendly(name);
        await publish(url, "0", "text/plain");
        const reader = friendly(name, relay.url);
        const { source, inbox } = await open(`${reader}?from=start`);
        await inbox.first(1);
        for (let n = 1; n < 4; n += 1) {
            relay.cut();
            await publish(url, String(n), "text/plain");
        }
        await inbox.first(4, 10000);
        await publish(url, "4", "text/plain");
        assert.deepEqual(await texts(inbox, 5), ["0", "1", "2", "3", "4"]);
        source.close();
        relay.close();
    },
    RECONNECT,
);

test(
    "a reader that comes back too late is told of the gap",
    async () => {
        const relay = await openRelay();
        const path = `/small/${newName("es")}`;
        const url = base + path;
        await publish(url, "first", "text/plain");
        const { source, inbox } = await open(`${relay.url}${path}?from=start`);
        source.addEventListener("gap", (event) => inbox.push(event));
        await inbox.first(1);
        relay.cut();
        const filler = "x".repeat(1000);
        for (let n = 0; n < 300; n += 1) {
            await publish(url, `${n} ${filler}`, "text/plain");
        }
        await inbox.first(3, 12000);
        const [, gap, next] = inbox.items;
        assert.equal(gap.type, "gap");
        assert.equal(next.type, "message");
        await until(
            () => inbox.items.at(-1).data.startsWith("299 "),
            "the newest message",
        );
        const seen = inbox.items.slice(2).map((e) => parseInt(e.data, 10));
        assert(seen[0] > 0, `${seen[0]} is the first after the gap`);
        const wanted = Array.from(
            { length: 300 - seen[0] },
            (_, i) => seen[0] + i,
        );
        assert.deepEqual(seen, wanted, "what follows the gap is whole");
        source.close();
        relay.close();
    },
    RECONNECT,
);

await run();
