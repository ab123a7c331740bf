import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { unfixedNode } from "../../src/app/node-line.ts";
import { coffer, type Serving, serving } from "../support/cli-kit.ts";
import { fetchOps } from "../support/fetch-ops.ts";
import { freePort } from "../support/free-port.ts";

const ID = "spiffe://example.org/coffer";

describe("coffer status", () => {
  const folder = mkdtempSync(join(tmpdir(), "coffer-status-"));
  let ops = "";
  let running: Serving | undefined;
  before(async () => {
    const port = await freePort();
    ops = `127.0.0.1:${port}`;
    // Listen on all addresses, so that a request can also come from outside the loopback.
    running = serving(["dev", "--listen", "127.0.0.1:0", "--ops-listen", `0.0.0.0:${port}`], { cwd: folder });
    await running.server.serving();
  });
  after(async () => {
    await running?.server.stop();
    rmSync(folder, { recursive: true });
  });

  const status = (...more: string[]) => coffer(["status", ...more], { env: { COFFER_OPS_ADDR: ops } });

  // Each property has its own line. The values match those of the log.
  it("shows identity, sources, policy, store, revision, disk, threads and uptime", async () => {
    const { code, stdout, stderr } = await status();
    assert.deepEqual([code, stderr], [0, ""]);
    const lines = new Map(
      stdout
        .toString()
        .trimEnd()
        .split("\n")
        .map((line) => [line.split(/ +/, 1)[0], line.replace(/^\S+ +/, "")]),
    );
    const adopted = await running!.server.logged("identity updated");
    assert.equal(lines.get("ready"), "yes");
    assert.equal(lines.get("identity"), `${ID} until ${adopted["valid_until"]}`);
    assert.match(lines.get("source") ?? "", /^the files .*coffer\.pem/);
    assert.match(lines.get("bundle") ?? "", /^example\.org: 1 CA until /);
    assert.match(lines.get("policy") ?? "", /^\.coffer\/policy\.yaml, 2 rules, 1 admin, loaded /);
    assert.match(lines.get("store") ?? "", /^sqlite, 0 secrets, 0 versions, /);
    assert.equal(lines.get("revision"), "0");
    assert.match(lines.get("disk") ?? "", /^\.coffer\/data: .* used, .* free$/);
    assert.match(
      lines.get("process") ?? "",
      new RegExp(`^${running!.server.pid}, .* \\d+ threads, of which \\d+ answer calls$`),
    );
    assert.match(lines.get("uptime") ?? "", /^\d+[smhd]/);
    assert.match(lines.get("release") ?? "", /^\d+\.\d+\.\d+ \(commit \S+\), Node \d+\S+, SQLite 3\./);
    assert.match(
      lines.get("runtime") ?? "",
      /^OpenSSL 3\S+, (X25519MLKEM768, )?X25519, .*; probe passed; security fixes /,
    );
  });

  // The control is a run of this test on another line of Node: at any time, only some lines get no security fixes.
  it("comes with a warning in the server's log if, and only if, this release of Node gets no security fixes", async () => {
    const warned = running!.server.stderr.includes('"event":"node without security fixes"');
    assert.equal(warned, unfixedNode(process.version, Date.now()) !== undefined);
  });

  // The JSON has the same values for programs, as numbers and times.
  it("prints JSON", async () => {
    const answer = JSON.parse((await status("-o=json")).stdout.toString());
    assert.equal(answer.ready, true);
    assert.equal(answer.identity.svid.spiffe_id, ID);
    assert.equal(answer.store.revision, 0);
    assert.ok(answer.disk.used_bytes > 0 && answer.process.threads > answer.process.call_threads);
  });

  // The status names files and the server's identity, so the ops listener does not send it to other machines. The
  // control is /readyz, which it does send.
  it("is not available to clients on other machines", async (t) => {
    const outside = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .find(({ family, internal }) => family === "IPv4" && !internal)?.address;
    if (outside === undefined) return t.skip("this machine has only loopback addresses");
    const address = `${outside}:${ops.split(":")[1]}`;
    assert.equal((await fetchOps(`http://${address}/readyz`)).status, 200);
    const ran = await status("--ops-addr", address);
    assert.equal(ran.code, 4);
    assert.equal(ran.stderr, `coffer: ${address} serves its status only to clients on its own machine\n`);
  });

  it("reports when nothing listens, and when another program does", async () => {
    const nowhere = `127.0.0.1:${await freePort()}`;
    const refused = await status("--ops-addr", nowhere);
    assert.equal(refused.code, 6);
    assert.match(refused.stderr, /^coffer: no status from 127\.0\.0\.1:\d+: connection refused; set --ops-addr/);
    const other = createServer((_, response) => response.end("hello")).listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as { readonly port: number };
    const unexpected = await status("--ops-addr", `127.0.0.1:${port}`);
    other.close();
    assert.deepEqual(
      [unexpected.code, unexpected.stderr],
      [1, `coffer: 127.0.0.1:${port} is not the ops listener of a Coffer server\n`],
    );
  });
});

describe("coffer status of a server without an identity", () => {
  const folder = mkdtempSync(join(tmpdir(), "coffer-status-"));
  after(() => rmSync(folder, { recursive: true }));

  // The ops listener answers before the server serves: operators need the status most when the server does not become
  // ready.
  it("shows what it waits for, and exits with 6", async () => {
    const ops = `127.0.0.1:${await freePort()}`;
    const env = { SPIFFE_ENDPOINT_SOCKET: `unix://${folder}/agent.sock` };
    const { server } = serving(["serve", "--store", "memory", "--listen", "127.0.0.1:0", "--ops-listen", ops], { env });
    await server.logged("waiting for an identity");
    await server.logged("store loaded");
    const ran = await coffer(["status", "--ops-addr", ops]);
    assert.equal(ran.code, 6);
    assert.equal(ran.stderr, "coffer: the server is not ready\n");
    const shown = ran.stdout.toString();
    assert.match(shown, /^ready +no \(identity: .*agent\.sock/m);
    assert.match(shown, /^identity +none$/m);
    assert.match(shown, /^source +the Workload API at unix:/m);
    assert.match(shown, /^disk +none: --store memory$/m);
    await server.stop();
  });
});
