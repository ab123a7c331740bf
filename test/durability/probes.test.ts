import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { systemClock } from "../../src/domain/timers.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { createDevelopmentCa } from "../../src/pki/development-ca.ts";
import { fetchOps } from "../support/fetch-ops.ts";
import { freePort } from "../support/free-port.ts";
import { nextEvent } from "../support/next-event.ts";
import { type IdentityArguments, type ServerProcess, Site } from "../support/server-process.ts";
import { until } from "../support/until.ts";

let site: Site;
/** The address of the ops listener of the test's server. */
let ops: string;
beforeEach(async () => {
  site = new Site();
  ops = `127.0.0.1:${await freePort()}`;
});
afterEach(() => site.remove());

async function page(name: string, method = "GET"): Promise<{ status: number; body: string }> {
  const response = await fetchOps(`http://${ops}${name}`, { method });
  return { status: response.status, body: await response.text() };
}

/** Connects and disconnects, as a TCP probe does. */
async function probe(port: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  await nextEvent(socket, "connect");
  socket.destroy();
}

/** Connects and sends bytes that are not TLS. */
async function sendPlainText(port: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.end("GET / HTTP/1.1\r\n\r\n");
  await once(socket.resume(), "close");
}

const abandoned = /^coffer_connections_refused_total\{reason="handshake-abandoned"\} (\d+)$/m;

// A kubelet probes every few seconds, forever. The control is a failed handshake, which causes a log line. A line about
// an earlier probe would precede it, because log lines are in order.
describe("probes cause no log line", () => {
  for (const level of ["info", "debug"]) {
    it(`of level ${level}`, async () => {
      const server = await site.start({ flags: ["--ops-listen", ops, "--log-level", level] });
      const before = server.log.length;
      for (let n = 0; n < 10; n++) {
        await probe(server.port);
        await probe(Number(ops.split(":")[1]));
        for (const method of ["GET", "HEAD"]) {
          for (const name of ["/livez", "/readyz"]) assert.equal((await page(name, method)).status, 200);
        }
      }
      // The counter shows that the server has handled all probes of its TLS port.
      await until("all probes are counted", async () => abandoned.exec((await page("/metrics")).body)?.[1] === "10");
      await sendPlainText(server.port);
      await server.logged("connection refused", (line) => line["reason"] === "handshake-failed");
      assert.deepEqual(
        server.log.slice(before).map(({ event }) => event),
        ["connection refused"],
      );
    });
  }
});

/** Waits until /readyz returns 503 with a reason. */
async function unready(server: ServerProcess, why: RegExp): Promise<void> {
  await until(`/readyz returns 503 with ${why}`, async () => {
    if (server.isGone) throw new Error(server.stderr);
    const answer = await page("/readyz").catch(() => undefined);
    return answer?.status === 503 && why.test(answer.body);
  });
}

// A missing agent or an expired SVID must not fail /livez: a restart would correct neither, and would interrupt the
// callers that are still served. disk.test.ts has the cases of a full and of a read-only disk.
describe("/livez is 200 while /readyz is 503", () => {
  it("because no SPIFFE agent runs", async () => {
    const environment = { SPIFFE_ENDPOINT_SOCKET: `unix://${join(site.folder, "none.sock")}` };
    const server = site.launch({ identity: { flags: [], environment }, flags: ["--ops-listen", ops] });
    await unready(server, /waiting for an identity/);
    assert.deepEqual(await page("/livez"), { status: 200, body: "ok\n" });
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });

  it("because the SVID has expired", async () => {
    const identity = new ShortLived();
    const server = await site.start({ identity: identity.arguments, flags: ["--ops-listen", ops] });
    await identity.shorten(server);
    await unready(server, /identity not ready/);
    assert.deepEqual(await page("/livez"), { status: 200, body: "ok\n" });
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });
});

/** An identity in files that is valid for an hour, until it is replaced by one that expires soon and is not renewed. */
class ShortLived {
  readonly arguments: IdentityArguments;
  readonly #ca = createDevelopmentCa(TrustDomain.parse("example.org"), systemClock);

  constructor() {
    const bundle = this.#write("short-bundle.pem", this.#ca.bundlePem);
    const { cert, key } = this.#issue(Date.now() + 3_600_000);
    this.arguments = {
      flags: ["--cert", cert, "--key", key, "--bundle", `example.org=${bundle}`],
      environment: {},
    };
  }

  /**
   * Resolves when the server has adopted an SVID that expires soon. On a slow machine, an SVID can expire before the
   * server reads it, so each one lives twice as long as the last.
   */
  async shorten(server: ServerProcess): Promise<void> {
    for (let life = 2000; ; life *= 2) {
      const before = server.log.length;
      this.#issue(Date.now() + life);
      server.signal("SIGHUP");
      const { event } = await server.loggedAfter(before, ["identity updated", "identity update failed"]);
      if (event === "identity updated") return;
    }
  }

  #issue(notAfter: number): { readonly cert: string; readonly key: string } {
    const credential = this.#ca.issue({ id: "spiffe://example.org/coffer", notAfter });
    return { cert: this.#write("short.pem", credential.certPem), key: this.#write("short.key", credential.keyPem) };
  }

  #write(name: string, text: string): string {
    writeFileSync(join(site.folder, name), text, { mode: 0o600 });
    return join(site.folder, name);
  }
}
