// streams.mjs - a server's streams, for the programs that test its clients.
import assert from "node:assert/strict";
import net from "node:net";
import { until, within } from "./tap.mjs";

export const base = process.env.STREAMS_URL;
assert(base, "STREAMS_URL must name the server");

let names = 0;

// A name that nobody used before.
export function newName(what) {
    return `${what}-${process.pid}-${Date.now()}-${(names += 1)}`;
}

export function strict(name) {
    return `${base}/v1/stream/${name}`;
}

export function friendly(name, from = base) {
    return `${from}/s/${name}`;
}

export function socketOf(url) {
    return url.replace(/^http/, "ws");
}

export async function publish(url, body, type) {
    const answer = await fetch(url, {
        method: "POST",
        headers: type ? { "Content-Type": type } : {},
        body: type ? body : new Blob([body]),
    });
    await answer.arrayBuffer();
    assert(answer.ok, `POST ${url}: ${answer.status}`);
    return answer;
}

// Everything that a friendly stream holds.
export async function contents(url) {
    const answer = await fetch(url);
    assert.equal(answer.status, 200, `GET ${url}`);
    return answer.text();
}

// What arrives, in order, for somebody who waits for it.
export class Inbox {
    items = [];

    push(item) {
        this.items.push(item);
    }

    async first(n, ms = 5000) {
        await until(
            () => this.items.length >= n,
            `${n} arrivals, of which ${this.items.length} came`,
            ms,
        );
        return this.items.slice(0, n);
    }

    // Exactly N, and none after them for a moment.
    async exactly(n, ms = 5000) {
        await this.first(n, ms);
        await new Promise((resolve) => setTimeout(resolve, 200));
        assert.equal(this.items.length, n, "nothing comes twice");
        return this.items;
    }
}

// A relay in front of the server whose connections can be cut, as a network
// that fails would.
export async function openRelay() {
    const { hostname, port } = new URL(base);
    const sockets = new Set();
    const server = net.createServer((client) => {
        const upstream = net.connect(Number(port), hostname);
        for (const socket of [client, upstream]) {
            sockets.add(socket);
            socket.on("error", () => {});
            socket.on("close", () => {
                sockets.delete(socket);
                client.destroy();
                upstream.destroy();
            });
        }
        client.pipe(upstream);
        upstream.pipe(client);
    });
    server.listen(0, "127.0.0.1");
    await within(
        5000,
        new Promise((resolve) => server.once("listening", resolve)),
        "the relay",
    );
    return {
        url: `http://127.0.0.1:${server.address().port}`,
        cut() {
            for (const socket of sockets) {
                socket.destroy();
            }
        },
        close() {
            server.close();
            this.cut();
        },
    };
}
