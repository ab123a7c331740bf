import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { systemClock } from "../../src/domain/timers.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { createAuthority } from "../../src/pki/development-ca.ts";
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
describe("probes leave no line in the log", () => {
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
describe("/livez is 200 while /readyz is 503, and the server is not ready,", () => {
  it("because its agent is not there", async () => {
    const environment = { SPIFFE_ENDPOINT_SOCKET: `unix://${join(site.folder, "none.sock")}` };
    const server = site.launch({ identity: { flags: [], environment }, flags: ["--ops-listen", ops] });
    await unready(server, /waiting for an identity/);
    assert.deepEqual(await page("/livez"), { status: 200, body: "ok\n" });
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });

  it("because its SVID has expired", async () => {
    const identity = new ShortLived();
    const server = await site.start({ identity: identity.arguments, flags: ["--ops-listen", ops] });
    await identity.shorten(server);
    await unready(server, /identity not ready/);
    assert.deepEqual(await page("/livez"), { status: 200, body: "ok\n" });
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });
});

/** An identity in files that is good for an hour, until it is replaced by one that ends soon and is not renewed. */
class ShortLived {
  readonly arguments: IdentityArguments;
  readonly #authority = createAuthority(TrustDomain.parse("example.org"), systemClock);

  constructor() {
    const bundle = this.#write("short-bundle.pem", this.#authority.bundlePem);
    const { cert, key } = this.#issue(Date.now() + 3_600_000);
    this.arguments = {
      flags: ["--cert", cert, "--key", key, "--bundle", `example.org=${bundle}`],
      environment: {},
    };
  }

  /** Resolves when the server has adopted an SVID that is about to end. On a slow machine the first ones end too soon. */
  async shorten(server: ServerProcess): Promise<void> {
    for (let life = 2000; ; life *= 2) {
      const before = server.log.length;
      this.#issue(Date.now() + life);
      server.signal("SIGHUP");
      const { event } = await server.loggedAfter(before, ["identity adopted", "identity kept"]);
      if (event === "identity adopted") return;
    }
  }

  #issue(notAfter: number): { readonly cert: string; readonly key: string } {
    const credential = this.#authority.issue({ id: "spiffe://example.org/coffer", notAfter });
    return { cert: this.#write("short.pem", credential.certPem), key: this.#write("short.key", credential.keyPem) };
  }

  #write(name: string, text: string): string {
    writeFileSync(join(site.folder, name), text, { mode: 0o600 });
    return join(site.folder, name);
  }
}
