"use strict";

const byId = (id) => document.getElementById(id);
const LOG_LINES_MAX = 200;

const name = byId("name");
name.value =
  new URLSearchParams(location.search).get("stream") ||
  "demo-" + Math.random().toString(36).slice(2, 8);

function url(query = "") {
  return new URL("s/" + encodeURIComponent(name.value) + query, location.href);
}

function webSocketUrl(query) {
  const address = url(query);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return address;
}

function log(id, text, note = false) {
  const line = document.createElement("div");
  line.textContent = text;
  if (note) line.className = "note";
  const box = byId(id);
  box.append(line);
  while (box.childElementCount > LOG_LINES_MAX) box.firstChild.remove();
  box.scrollTop = box.scrollHeight;
}

function showCurlLines() {
  for (const line of document.querySelectorAll(".curl")) {
    line.textContent = line.dataset.curl
      .replace("{url}", url())
      .replace("{ws}", webSocketUrl(""))
      .replace("{from}", byId("from").value);
  }
}

async function publish(text) {
  const answer = await fetch(url(), {
    method: "POST",
    headers: { "Content-Type": "text/plain" },
    body: text,
  });
  byId("state").textContent = answer.ok
    ? "next offset " + answer.headers.get("Stream-Next-Offset")
    : await answer.text();
}

let events = null;

function follow() {
  if (events) events.close();
  events = new EventSource(url("?wait=1m&from=start"));
  events.onopen = () => log("sse-log", "following " + name.value, true);
  events.onmessage = (e) => log("sse-log", e.data);
  events.addEventListener("closed", (e) => {
    e.target.close(); /* else it would come back for ever */
    log("sse-log", "the stream was closed", true);
  });
  events.addEventListener("gap", (e) => log("sse-log", "lost: " + e.data, true));
  events.onerror = () => log("sse-log", "the connection ended", true);
}

let socket = null;

function connect() {
  if (socket) socket.close(1000);
  const mine = new WebSocket(webSocketUrl("?publish=1&from=start"));
  socket = mine;
  mine.onopen = () => {
    byId("ws-send").disabled = false;
    log("ws-log", "open", true);
  };
  mine.onmessage = (e) => log("ws-log", e.data);
  mine.onclose = (e) => {
    log("ws-log", `closed: ${e.code} ${e.reason}`, true);
    if (mine === socket) byId("ws-send").disabled = true;
  };
}

let reading = null;

async function readRaw() {
  if (reading) reading.abort();
  reading = new AbortController();
  const query = "?live=raw&from=" + encodeURIComponent(byId("from").value);
  try {
    const answer = await fetch(url(query), { signal: reading.signal });
    if (!answer.ok) throw new Error(await answer.text());
    const text = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await text.read();
      if (done) break;
      log("raw-log", value);
    }
    log("raw-log", "the end", true);
  } catch (e) {
    if (e.name !== "AbortError") log("raw-log", e.message, true);
  }
}

async function look(method, headers = {}) {
  const answer = await fetch(url(), { method, headers });
  log("look-log", `${method} ${answer.status} ${answer.statusText}`);
  for (const field of ["Content-Type", "Stream-Next-Offset", "Stream-Closed"]) {
    const value = answer.headers.get(field);
    if (value) log("look-log", `${field}: ${value}`, true);
  }
}

byId("publish").addEventListener("submit", (e) => {
  e.preventDefault();
  publish(byId("text").value);
});
byId("ten").addEventListener("click", () => {
  for (let i = 1; i <= 10; i++)
    setTimeout(() => publish(`${byId("text").value} ${i}`), i * 200);
});
byId("sse").addEventListener("click", follow);
byId("ws").addEventListener("click", connect);
byId("ws-send").addEventListener("click", () => socket.send(byId("text").value));
byId("raw").addEventListener("click", readRaw);
byId("look").addEventListener("click", () => look("HEAD"));
byId("close").addEventListener("click", () =>
  look("POST", { "Stream-Closed": "true" }));
byId("remove").addEventListener("click", () => look("DELETE"));
name.addEventListener("input", showCurlLines);
byId("from").addEventListener("change", showCurlLines);
showCurlLines();
