// client.mjs - the protocol's official client against the strict mount.
import assert from "node:assert/strict";
import {
    BackoffDefaults,
    DurableStream,
    IdempotentProducer,
    StaleEpochError,
    stream,
} from "@durable-streams/client";
import { Inbox, newName, strict } from "./support/streams.mjs";
import { run, test, until, within } from "./support/tap.mjs";

// Nothing here needs more patience than a test has.
const backoffOptions = {
    ...BackoffDefaults,
    initialDelay: 50,
    maxDelay: 500,
    maxRetries: 5,
};

function create(contentType, more = {}) {
    const url = strict(newName("client"));
    return DurableStream.create({ url, contentType, backoffOptions, ...more });
}

function numbered(n) {
    return Array.from({ length: n }, (_, i) => `line ${i}\n`);
}

async function bytesOf(url) {
    const answer = await stream({ url, live: false });
    return Buffer.from(await answer.body());
}

async function textOf(url) {
    return (await bytesOf(url)).toString();
}

// Follows from OFFSET; what comes lies in the inbox.
async function follow(url, live, more = {}) {
    const inbox = new Inbox();
    const answer = await stream({ url, live, backoffOptions, ...more });
    answer.closed.catch(() => {});
    return { inbox, answer };
}

async function followText(url, live, more) {
    const { inbox, answer } = await follow(url, live, more);
    answer.subscribeText(async (chunk) => {
        if (chunk.text.length > 0) {
            inbox.push(chunk.text);
        }
    });
    return { inbox, answer, all: () => inbox.items.join("") };
}

// The reader has ended and its subscriber, which may be later, saw all of TEXT.
async function endsWith({ answer, all }, text) {
    await within(5000, answer.closed, "the end");
    await until(() => all().length >= text.length, `"${all()}" grows`, 2000);
    assert.equal(all(), text);
}

async function refusal(promise) {
    try {
        await promise;
    } catch (error) {
        return error;
    }
    throw new Error("nothing was refused");
}

test("a stream that was created says its type and where it ends", async () => {
    const handle = await create("text/plain");
    const head = await handle.head();
    assert.equal(head.exists, true);
    assert.equal(head.contentType, "text/plain");
    assert.match(head.offset, /./);
});

test("appended text is read back", async () => {
    const handle = await create("text/plain");
    await handle.append("one, ");
    await handle.append("two");
    assert.equal(await textOf(handle.url), "one, two");
});

test("every byte value survives", async () => {
    const handle = await create("application/octet-stream");
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await handle.append(bytes);
    assert(bytes.equals(await bytesOf(handle.url)));
});

test("a megabyte survives", async () => {
    const handle = await create("application/octet-stream");
    const bytes = Buffer.alloc(1 << 20);
    for (let i = 0; i < bytes.length; i += 1) {
        bytes[i] = (i * 2654435761) >>> 13;
    }
    await handle.append(bytes);
    assert(bytes.equals(await bytesOf(handle.url)));
});

test("200 appends that overlap are batched and stay in order", async () => {
    let posts = 0;
    const counting = (url, options) => {
        posts += options?.method === "POST" ? 1 : 0;
        return fetch(url, options);
    };
    const handle = await create("text/plain", { fetch: counting });
    const lines = numbered(200);
    await Promise.all(lines.map((line) => handle.append(line)));
    assert.equal(await textOf(handle.url), lines.join(""));
    assert(posts > 0 && posts < 200, `${posts} posts`);
});

test("one POST carries what an iterator gives piece by piece", async () => {
    const handle = await create("text/plain");
    async function* pieces() {
        for (const line of numbered(20)) {
            yield line;
            await new Promise((resolve) => setTimeout(resolve, 5));
        }
    }
    await handle.appendStream(pieces());
    assert.equal(await textOf(handle.url), numbered(20).join(""));
});

test("JSON values are read back as values", async () => {
    const handle = await create("application/json");
    const values = [{ n: 1 }, [2, [3]], "four", 5, null, { é: "\u2028" }];
    for (const value of values) {
        await handle.append(JSON.stringify(value));
    }
    const answer = await stream({ url: handle.url, live: false });
    assert.deepEqual(await answer.json(), values);
});

test("a reader resumes where it stopped", async () => {
    const handle = await create("text/plain");
    await handle.append("before ");
    const first = await stream({ url: handle.url, live: false });
    assert.equal(await first.text(), "before ");
    await handle.append("after");
    const { url } = handle;
    const second = await stream({ url, live: false, offset: first.offset });
    assert.equal(await second.text(), "after");
    const third = await stream({ url, live: false, offset: second.offset });
    assert.equal(await third.text(), "");
    assert.equal(third.upToDate, true);
});

for (const live of ["long-poll", "sse"]) {
    test(`${live}: what is there comes, then what is appended`, async () => {
        const handle = await create("text/plain");
        await handle.append("there ");
        const { inbox, answer, all } = await followText(handle.url, live);
        await inbox.first(1);
        for (const word of ["a ", "b ", "c "]) {
            await handle.append(word);
        }
        await until(() => all().length >= 12, `"${all()}" grows`);
        assert.equal(all(), "there a b c ");
        answer.cancel();
    });

    test(`${live}: closing ends the reader after the last byte`, async () => {
        const handle = await create("text/plain");
        const reader = await followText(handle.url, live);
        await handle.append("last ");
        await handle.close({ body: "words" });
        await endsWith(reader, "last words");
        assert.equal(reader.answer.streamClosed, true);
    });

    test(`${live}: a resumed reader gets the rest, once`, async () => {
        const handle = await create("text/plain");
        await handle.append("old ");
        const { offset } = await handle.head();
        const reader = await followText(handle.url, live, { offset });
        await handle.append("new ");
        await handle.append("newer");
        await handle.close();
        await endsWith(reader, "new newer");
    });

    test(`${live}: from now on nothing old comes`, async () => {
        const handle = await create("text/plain");
        await handle.append("old ");
        const more = { offset: "now" };
        const reader = await followText(handle.url, live, more);
        await handle.append("new");
        await handle.close();
        await endsWith(reader, "new");
    });

    test(`${live}: JSON batches hold the values in order`, async () => {
        const handle = await create("application/json");
        const { inbox, answer } = await follow(handle.url, live);
        answer.subscribeJson(async (batch) => {
            batch.items.forEach((item) => inbox.push(item));
        });
        const values = Array.from({ length: 50 }, (_, n) => ({ n }));
        await Promise.all(
            values.map((value) => handle.append(JSON.stringify(value))),
        );
        assert.deepEqual(await inbox.exactly(50), values);
        answer.cancel();
    });

    test(`${live}: bytes that are no text come as they are`, async () => {
        const handle = await create("application/octet-stream");
        const { answer, inbox } = await follow(handle.url, live);
        answer.subscribeBytes(async (chunk) => {
            inbox.push(Buffer.from(chunk.data));
        });
        const bytes = Buffer.from([0, 10, 13, 13, 10, 255, 254, 0, 128]);
        await handle.append(bytes.subarray(0, 4));
        await handle.append(bytes.subarray(4));
        await handle.close();
        const all = () => Buffer.concat(inbox.items).toString("hex");
        await endsWith({ answer, all }, bytes.toString("hex"));
    });
}

test("sse: text keeps its lines, however they end", async () => {
    const handle = await create("text/plain");
    const reader = await followText(handle.url, "sse");
    const text = "\nevent: control\ndata: {}\n\n: no comment\n\nlast\n";
    await handle.append(text);
    await handle.close();
    await endsWith(reader, text);
});

test("sse: 20 readers of one stream get the same", async () => {
    const handle = await create("text/plain");
    const readers = await Promise.all(
        Array.from({ length: 20 }, () => followText(handle.url, "sse")),
    );
    for (const line of numbered(30)) {
        await handle.append(line);
    }
    await handle.close();
    const text = numbered(30).join("");
    await Promise.all(readers.map((reader) => endsWith(reader, text)));
});

test("an idempotent producer's pipeline arrives once, in order", async () => {
    const handle = await create("text/plain");
    const producer = new IdempotentProducer(handle, "p", {
        lingerMs: 1,
        maxBatchBytes: 64,
        maxInFlight: 5,
        onError: (error) => assert.fail(error),
    });
    for (const line of numbered(500)) {
        producer.append(line);
    }
    await producer.flush();
    assert.equal(await textOf(handle.url), numbered(500).join(""));
});

test("what a producer sends twice is there once", async () => {
    const handle = await create("application/json");
    const statuses = [];
    const twice = async (url, options) => {
        const first = await fetch(url, options);
        await first.arrayBuffer();
        const second = await fetch(url, options);
        statuses.push(first.status, second.status);
        return second;
    };
    const producer = new IdempotentProducer(handle, "p", { fetch: twice });
    for (let n = 0; n < 3; n += 1) {
        producer.append(JSON.stringify({ n }));
        await producer.flush();
    }
    assert.deepEqual(statuses, [200, 204, 200, 204, 200, 204]);
    const answer = await stream({ url: handle.url, live: false });
    assert.deepEqual(await answer.json(), [{ n: 0 }, { n: 1 }, { n: 2 }]);
});

test("a producer that was replaced is told so", async () => {
    const handle = await create("text/plain");
    const errors = [];
    const onError = (error) => errors.push(error);
    const old = new IdempotentProducer(handle, "p", { epoch: 0, onError });
    old.append("old ");
    await old.flush();
    const next = new IdempotentProducer(handle, "p", { epoch: 1 });
    next.append("next");
    await next.flush();
    old.append("late");
    await old.flush().catch(onError);
    assert(errors.some((error) => error instanceof StaleEpochError));
    assert.equal(await textOf(handle.url), "old next");
});

test("a producer closes with a last message, and may do it again", async () => {
    const handle = await create("text/plain");
    const producer = new IdempotentProducer(handle, "p");
    producer.append("first ");
    const { finalOffset } = await producer.close("last");
    assert.equal((await producer.close("last")).finalOffset, finalOffset);
    assert.equal(await textOf(handle.url), "first last");
});

test("nothing is appended to a closed stream", async () => {
    const handle = await create("text/plain");
    await handle.append("all");
    const { finalOffset } = await handle.close();
    const error = await refusal(handle.close({ body: "more" }));
    assert.equal(error.status, 409, String(error));
    assert.equal(error.headers["stream-next-offset"], finalOffset);
    assert.equal(await textOf(handle.url), "all");
});

test("a sequence that goes back is refused", async () => {
    const handle = await create("text/plain");
    await handle.append("a", { seq: "02" });
    const error = await refusal(handle.append("b", { seq: "01" }));
    assert.equal(error.status, 409, String(error));
    assert.equal(await textOf(handle.url), "a");
});

test("a deleted stream is gone", async () => {
    const handle = await create("text/plain");
    await handle.delete();
    const error = await refusal(stream({ url: handle.url, live: false }));
    assert.equal(error.status, 404, String(error));
});

await run();
