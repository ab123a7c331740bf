import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, test } from "node:test";
import { createLogger } from "../../../src/observability/logger.ts";
import type { Check, ServerStatus } from "../../../src/observability/server-status.ts";
import { OpsServer, type OpsSources } from "../../../src/observability/ops-server.ts";
import { Lines } from "../../support/log-lines.ts";
import { nextEvent } from "../../support/next-event.ts";

const open: OpsServer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

/** A part of a status, which the server only serializes. */
const STATUS = { release: "1.2.3", ready: true } as ServerStatus;

function idleSources(): OpsSources {
  const metrics = async () => ({ contentType: "text/x-test", body: "m 1\n" });
  const status = () => STATUS;
  return { readiness: () => [], metrics, status, log: createLogger("info", new Lines()) };
}

async function setUp(metrics = idleSources().metrics) {
  const lines = new Lines();
  const checks: Check[] = [];
  const log = createLogger("info", lines);
  const server = await OpsServer.listen(
    { host: "127.0.0.1", port: 0 },
    { ...idleSources(), readiness: () => checks, metrics, log },
  );
  open.push(server);
  return { server, checks, lines, ask: (path: string, method = "GET") => ask(server, path, method) };
}

async function ask({ address }: OpsServer, path: string, method: string, host?: string) {
  const headers = host === undefined ? {} : { host };
  const asked = request({ ...address, path, method, headers, agent: false }).end();
  const [response] = await nextEvent(asked, "response");
  let body = "";
  for await (const chunk of response) body += chunk;
  return { status: response.statusCode as number, headers: response.headers, body };
}

// The process is alive if it can answer.
test("/livez is ok even if checks fail", async () => {
  const { checks, ask } = await setUp();
  checks.push({ name: "store", state: "not ready", why: "loading" });
  const { status, body } = await ask("/livez");
  assert.deepEqual([status, body], [200, "ok\n"]);
});

// There is one line for each check, and the status is 503 while a check fails. The checks run for each request.
test("/readyz follows its checks", async () => {
  const { checks, ask } = await setUp();
  checks.push({ name: "identity", state: "ok" }, { name: "store", state: "not ready", why: "loading" });
  const loading = await ask("/readyz");
  assert.deepEqual([loading.status, loading.body], [503, "identity ok\nstore not ready: loading\n"]);
  checks[1] = { name: "store", state: "ok" };
  const ready = await ask("/readyz?verbose");
  assert.deepEqual([ready.status, ready.body], [200, "identity ok\nstore ok\n"]);
});

// Prometheus gets the text and its content type.
test("/metrics returns the metrics", async () => {
  const { ask } = await setUp();
  const { status, headers, body } = await ask("/metrics");
  assert.deepEqual([status, headers["content-type"], body], [200, "text/x-test", "m 1\n"]);
});

// HEAD returns the same headers as GET.
test("HEAD has no body", async () => {
  const { ask } = await setUp();
  const { status, headers, body } = await ask("/metrics", "HEAD");
  assert.deepEqual([status, headers["content-length"], body], [200, "4", ""]);
});

// The server has no other pages, and requests can't change anything.
test("other methods and other paths are refused", async () => {
  const { ask } = await setUp();
  const post = await ask("/livez", "POST");
  assert.deepEqual([post.status, post.headers["allow"]], [405, "GET, HEAD"]);
  for (const path of ["/", "/livez/", "/constructor", "/__proto__"]) assert.equal((await ask(path)).status, 404, path);
});

// Headers that are larger than those of any probe are refused, and headers of a usual size are accepted.
test("the size of headers is limited", async () => {
  const { server } = await setUp();
  const send = async (padding: number): Promise<string> => {
    const socket = connect(server.address);
    socket.write(`GET /livez HTTP/1.1\r\nhost: x\r\nx-padding: ${"x".repeat(padding)}\r\n\r\n`);
    let answer = "";
    for await (const chunk of socket) answer += chunk;
    return answer.split("\r\n", 1)[0]!;
  };
  assert.equal(await send(100), "HTTP/1.1 200 OK");
  assert.equal(await send(10_000), "HTTP/1.1 431 Request Header Fields Too Large");
});

// The log has the error. The response does not contain its message.
test("an error of a page is logged, and the client gets status 500", async () => {
  const { ask, lines } = await setUp(() => Promise.reject(new Error("SELECT went wrong")));
  const { status, body } = await ask("/metrics");
  assert.equal(status, 500);
  assert.doesNotMatch(body, /SELECT/);
  const [line] = lines.all;
  assert.deepEqual([line!["event"], line!["detail"]], ["ops response failed", "/metrics"]);
  assert.match(String(line!["error"]), /SELECT went wrong/);
});

// Neither an idle connection nor a response in progress delays the close, and the port is free afterwards.
test("close does not wait for clients", async () => {
  const scraped = new EventEmitter();
  const { server } = await setUp(() => {
    scraped.emit("begun");
    return new Promise(() => {});
  });
  const { address } = server;
  const idle = connect(address);
  const busy = connect(address);
  const ends = [idle, busy].map(ended);
  await nextEvent(idle, "connect");
  busy.write("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
  await once(scraped, "begun");
  open.splice(open.indexOf(server), 1);
  await server.close();
  await Promise.all(ends);
  open.push(await OpsServer.listen(address, idleSources()));
});

/** Resolves when the connection is closed, with or without an error. */
function ended(socket: Socket): Promise<void> {
  socket.on("error", () => {}).resume();
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

// Clients that open connections and send nothing, and reconnect as soon as they are disconnected, do not prevent the
// answer to a probe.
test("a probe replaces a connection without a request", async () => {
  let closed = await closedByProbe();
  while (closed === "some by their timeout") closed = await closedByProbe();
  assert.deepEqual(closed, [0], "the one that was silent for longest, and no other");
});

/**
 * The numbers of the silent connections that the server closes at a probe. A silent connection is also answered with
 * status 408 and closed after five seconds, which a machine under load can need.
 */
async function closedByProbe(): Promise<readonly number[] | "some by their timeout"> {
  const { server } = await setUp();
  let answered = false;
  const silent = Array.from({ length: 64 }, () => connect(server.address).on("error", () => {}));
  await Promise.all(silent.map((socket) => nextEvent(socket, "connect")));
  for (const socket of silent) socket.once("data", () => (answered = true));
  const first = ended(silent[0]!);
  assert.equal((await fetch(`http://127.0.0.1:${server.address.port}/livez`)).status, 200);
  await first;
  const closed = [...silent.keys()].filter((number) => silent[number]?.destroyed);
  for (const socket of silent) socket.destroy();
  return answered ? "some by their timeout" : closed;
}

// The control of the test above: connections with a response in progress are not closed, and the limit holds.
test("there are at most 64 connections", async () => {
  const scraped = new EventEmitter();
  let asked = 0;
  const { server } = await setUp(() => {
    asked += 1;
    scraped.emit("asked");
    return new Promise(() => {});
  });
  const busy = Array.from({ length: 64 }, () => connect(server.address).on("error", () => {}));
  for (const socket of busy) socket.write("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
  while (asked < 64) await once(scraped, "asked");
  await ended(connect(server.address));
  assert.ok(busy.every(({ destroyed }) => !destroyed));
  for (const socket of busy) socket.destroy();
});

// A port in use is an error of the start, and not an event that ends the process later.
test("listening on a port in use rejects", async () => {
  const { server } = await setUp();
  await assert.rejects(OpsServer.listen(server.address, idleSources()), { code: "EADDRINUSE" });
});

// A web page in a browser of this machine or network can make its own name resolve to the server's address, and then
// read the responses (DNS rebinding). Scrapers and probes use IP addresses, short names, or names of the server.
test("a request for another host is refused", async () => {
  const server = await OpsServer.listen(
    { host: "127.0.0.1", port: 0 },
    { ...idleSources(), hosts: ["Ops.Example.com"] },
  );
  open.push(server);
  const { port } = server.address;
  const statuses = async (hosts: readonly string[]) =>
    Promise.all(hosts.map(async (host) => [host, (await ask(server, "/metrics", "GET", host)).status]));
  const accepted = [
    `127.0.0.1:${port}`,
    "10.1.2.3",
    `[::1]:${port}`,
    `localhost:${port}`,
    "coffer:9553",
    "coffer.shop.svc:9553",
    "coffer.shop.svc.cluster.local",
    "coffer.google.internal.",
    "ops.example.com:9553",
  ];
  assert.deepEqual(
    await statuses(accepted),
    accepted.map((host) => [host, 200]),
  );
  const refused = [
    "evil.example",
    `evil.example:${port}`,
    "127.0.0.1.evil.example",
    "localhost.evil.example:9553",
    "ops.example.com.evil.example",
    "evil.example.",
    "EVIL.EXAMPLE",
    "xlocal.example",
  ];
  assert.deepEqual(
    await statuses(refused),
    refused.map((host) => [host, 421]),
  );
  for (const path of ["/livez", "/readyz"]) assert.equal((await ask(server, path, "GET", "evil.example")).status, 421);
});

// Some load balancers probe with HTTP/1.0, which has no Host header. Every browser sends one.
test("a probe without a Host header is answered", async () => {
  const { server } = await setUp();
  const socket = connect(server.address);
  socket.write("GET /livez HTTP/1.0\r\n\r\n");
  let answer = "";
  for await (const chunk of socket) answer += chunk;
  assert.match(answer, /^HTTP\/1\.1 200 /);
});
