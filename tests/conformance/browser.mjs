// browser.mjs - Chromium opens the demo page and follows streams from it with
// what every page has: EventSource, WebSocket and fetch.
//
// CHROMIUM names the browser, Debian's unless set.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { base, friendly, newName, publish } from "./support/streams.mjs";
import { run, test, within } from "./support/tap.mjs";

const START_MS = 30000;
const profile = mkdtempSync(join(tmpdir(), "sluice-chromium."));
process.on("exit", () => rmSync(profile, { recursive: true, force: true }));

let browser;
let page;
const complaints = [];

async function launch() {
    browser = await chromium.launchPersistentContext(profile, {
        executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
        headless: true,
        timeout: START_MS,
        args: [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ],
    });
    page = browser.pages()[0] ?? (await browser.newPage());
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
        if (message.type() === "error") {
            complaints.push(message.text());
        }
    });
}

// Runs BODY in the page with the stream's path. What it returns comes back.
async function inPage(body, url) {
    assert(page, "the browser did not start");
    const { pathname } = new URL(url);
    return within(8000, page.evaluate(body, pathname), "the page");
}

test(
    "the demo page opens without a complaint",
    async () => {
        await launch();
        const answer = await page.goto(`${base}/streams.html`, {
            timeout: START_MS,
        });
        assert.equal(answer.status(), 200);
        assert.match(await page.title(), /\S/);
        await page.waitForTimeout(500);
        assert.deepEqual(complaints, []);
    },
    { seconds: 60 },
);

test("EventSource gets what is there and what comes", async () => {
    const url = friendly(newName("page"));
    await publish(url, "one", "text/plain");
    const seen = await inPage(async (path) => {
        const source = new EventSource(`${path}?from=start`);
        const events = [];
        const all = new Promise((resolve) => {
            source.onmessage = (event) => {
                events.push([event.data, event.lastEventId.length > 0]);
                if (events.length === 3) {
                    resolve();
                }
            };
        });
        await new Promise((resolve) => {
            source.onopen = resolve;
        });
        for (const body of ["two", "three\nlines"]) {
            await fetch(path, { method: "POST", body });
        }
        await all;
        source.close();
        return events;
    }, url);
    assert.deepEqual(seen, [
        ["one", true],
        ["two", true],
        ["three\nlines", true],
    ]);
});

test("a WebSocket follows and publishes", async () => {
    const url = friendly(newName("page"));
    await publish(url, "one", "text/plain");
    const seen = await inPage(async (path) => {
        const here = location.origin.replace("http", "ws");
        const ask = "?from=start&publish=1";
        const socket = new WebSocket(`${here}${path}${ask}`, ["ds.v1"]);
        const { protocol } = await new Promise((resolve, reject) => {
            socket.onopen = () => resolve(socket);
            socket.onerror = () => reject(new Error("no handshake"));
        });
        socket.close(1000);
        const reader = new WebSocket(`${here}${path}${ask}`);
        const texts = [];
        const all = new Promise((resolve) => {
            reader.onmessage = (event) => {
                texts.push(event.data);
                if (texts.length === 2) {
                    resolve();
                }
            };
        });
        await new Promise((resolve) => {
            reader.onopen = resolve;
        });
        reader.send("two");
        await all;
        const code = new Promise((resolve) => {
            reader.onclose = (event) => resolve(event.code);
        });
        reader.close(1000);
        return { protocol, texts, code: await code };
    }, url);
    const wanted = { protocol: "ds.v1", texts: ["one", "two"], code: 1000 };
    assert.deepEqual(seen, wanted);
});

test("fetch reads a body that has no end while it grows", async () => {
    const url = friendly(newName("page"));
    await publish(url, "one ", "text/plain");
    const seen = await inPage(async (path) => {
        const stop = new AbortController();
        const answer = await fetch(`${path}?live=raw&from=start`, {
            signal: stop.signal,
        });
        const reader = answer.body.getReader();
        const decoder = new TextDecoder();
        const states = [];
        let text = "";
        for (const more of ["two ", "three", null]) {
            const { value } = await reader.read();
            text += decoder.decode(value, { stream: true });
            states.push(text);
            if (more) {
                await fetch(path, { method: "POST", body: more });
            }
        }
        stop.abort();
        return states;
    }, url);
    assert.deepEqual(seen, ["one ", "one two ", "one two three"]);
});

test("fetch reads JSON messages line by line", async () => {
    const url = friendly(newName("page"));
    await publish(url, '[{"n":1},{"n":2}]', "application/json");
    const seen = await inPage(async (path) => {
        const stop = new AbortController();
        const answer = await fetch(`${path}?live=ndjson&from=start`, {
            signal: stop.signal,
        });
        await fetch(path, {
            method: "POST",
            headers: { "Content-Type": "application/json" },
            body: '{"n":3}',
        });
        const reader = answer.body.getReader();
        const decoder = new TextDecoder();
        let text = "";
        while (text.split("\n").length < 4) {
            const { value, done } = await reader.read();
            if (done) {
                break;
            }
            text += decoder.decode(value, { stream: true });
        }
        stop.abort();
        return text.trim().split("\n").map((line) => JSON.parse(line));
    }, url);
    assert.deepEqual(seen, [{ n: 1 }, { n: 2 }, { n: 3 }]);
});

test("the browser ends", async () => {
    assert(browser, "the browser did not start");
    await within(10000, browser.close(), "its end");
});

await run();
