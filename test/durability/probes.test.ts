import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { systemClock } from "../../src/domain/clock.ts";
import { TrustDomain } from "../../src/identity/trust-domain.ts";
import { createAuthority } from "../../src/pki/authority.ts";
import { freePort } from "../support/free-port.ts";
import { type IdentityArguments, type ServerProcess, Site } from "../support/server-process.ts";

let site: Site;
/** Where the probes of the one server of a test are. */
let ops: string;
beforeEach(async () => {
  site = new Site();
  ops = `127.0.0.1:${await freePort()}`;
});
afterEach(() => site.remove());

const timeout = 60_000;

async function page(name: string, method = "GET"): Promise<{ status: number; body: string }> {
  const response = await fetch(`http://${ops}${name}`, { method });
  return { status: response.status, body: await response.text() };
}

/** What a TCP probe does: it connects and leaves. */
async function knock(port: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.destroy();
}

/** Somebody who speaks, and not TLS. */
async function disturb(port: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.end("GET / HTTP/1.1\r\n\r\n");
  await once(socket.resume(), "close");
}

const abandoned = /^coffer_connections_refused_total\{reason="handshake-abandoned"\} (\d+)$/m;

// A kubelet asks every few seconds, for ever. A disturbed handshake is the control: the log is read, and its lines come
// in order.
describe("probes leave no line in the log", { timeout }, () => {
  for (const level of ["info", "debug"]) {
    it(`of level ${level}`, async () => {
      const server = await site.start({ flags: ["--ops-listen", ops, "--log-level", level] });
      const before = server.log.length;
      for (let n = 0; n < 10; n++) {
        await knock(server.port);
        await knock(Number(ops.split(":")[1]));
        for (const method of ["GET", "HEAD"]) {
          for (const name of ["/livez", "/readyz"]) assert.equal((await page(name, method)).status, 200);
        }
      }
      // They are counted, which also says that the server has seen them all.
      while (Number(abandoned.exec((await page("/metrics")).body)?.[1]) < 10);
      await disturb(server.port);
      await server.logged("connection refused", (line) => line["reason"] === "handshake-failed");
      assert.deepEqual(
        server.log.slice(before).map(({ event }) => event),
        ["connection refused"],
      );
    });
  }
});

/** Waits until /readyz says 503 and why. */
async function unready(server: ServerProcess, why: RegExp): Promise<void> {
  for (;;) {
    if (server.isGone) throw new Error(server.stderr);
    const answer = await page("/readyz").catch(() => undefined);
    if (answer?.status === 503 && why.test(answer.body)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

// A restart would mend neither, and would take the store from those who are still served. A full disk and one that has
// become read-only are in disk.test.ts.
describe("/livez is 200 while /readyz is 503, and the server is not ready,", { timeout }, () => {
  it("because its agent is not there", async () => {
    const environment = { SPIFFE_ENDPOINT_SOCKET: `unix://${join(site.folder, "none.sock")}` };
    const server = site.launch({ identity: { flags: [], environment }, flags: ["--ops-listen", ops] });
    await unready(server, /waiting for an identity/);
    assert.deepEqual(await page("/livez"), { status: 200, body: "ok\n" });
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });

  it("because its SVID has expired", async () => {
    const server = await site.start({ identity: shortLived(8000), flags: ["--ops-listen", ops] });
    await unready(server, /identity not ready/);
    assert.deepEqual(await page("/livez"), { status: 200, body: "ok\n" });
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });
});

/** An identity in files that ends so many milliseconds from now, and that nobody renews. */
function shortLived(ms: number): IdentityArguments {
  const authority = createAuthority(TrustDomain.parse("example.org"), systemClock);
  const credential = authority.issue({ id: "spiffe://example.org/coffer", notAfter: Date.now() + ms });
  const write = (name: string, text: string) => {
    writeFileSync(join(site.folder, name), text, { mode: 0o600 });
    return join(site.folder, name);
  };
  const [cert, key] = [write("short.pem", credential.certPem), write("short.key", credential.keyPem)];
  const bundle = write("short-bundle.pem", authority.bundlePem);
  return { flags: ["--cert", cert, "--key", key, "--bundle", `example.org=${bundle}`], environment: {} };
}
