import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { connect, createSecureContext, type SecureContext } from "node:tls";
import { certificatePem } from "../../src/x509/pem.ts";
import { commonName, type Issuer } from "../support/certificate-forge.ts";
import { LONG } from "../support/long-form.ts";
import { example, forge, workload, workloadKey } from "../support/chain-world.ts";
import { nextEvent } from "../support/next-event.ts";
import type { MemoryReport, MemoryServerOptions } from "./memory-server.ts";

/**
 * The handshakes of one measurement, and the number of measurements of each kind of peer. Short measurements have more
 * noise, since the heap still grows, so there are more of them.
 */
const COUNT = LONG ? 5000 : 200;
const ROUNDS = LONG ? 2 : 6;

/** Enough to show a leak. */
const CONTROL_COUNT = 200;

/**
 * The most bytes that a handshake may leak, in the long form. The short form has more noise, and compares with a known
 * leak instead.
 */
const BOUND = 500;

const rogue = forge.ca("spiffe://example.org");
const intermediate = example.intermediate();
const extra = Array.from({ length: 9 }, (_, depth) => example.intermediate({ subject: commonName(`extra ${depth}`) }));

/** A leaf and nine intermediates below this CA. */
function ten(ca: Issuer): readonly Buffer[] {
  const names = Array.from({ length: 9 }, (_, depth) => commonName(`intermediate ${depth}`));
  return workload(
    {},
    names.reduce((issuer: Issuer, subject) => issuer.intermediate({ subject }), ca),
  );
}

const PEERS: Readonly<Record<string, readonly Buffer[]>> = {
  "untrusted peers with ten certificates": ten(rogue),
  "trusted workloads with nine unnecessary certificates": [...workload(), ...extra.map(({ der }) => der)],
  "trusted workloads below one intermediate": workload({}, intermediate),
};

describe("a handshake leaks no memory in the server:", () => {
  let server: ChildProcess;
  let port: number;

  before(async () => {
    const own = example.issue({ id: "spiffe://example.org/coffer" });
    const options: MemoryServerOptions = { cert: own.certPem, key: own.keyPem, bundle: certificatePem([example.der]) };
    server = fork(new URL("./memory-server.js", import.meta.url), [JSON.stringify(options)]);
    [{ port }] = (await nextEvent(server, "message")) as [{ port: number }];
  });
  after(() => server.disconnect());

  async function ask(question: "report" | "read"): Promise<MemoryReport> {
    server.send(question);
    const [report] = await nextEvent(server, "message");
    return report as MemoryReport;
  }

  async function meet(secureContext: SecureContext): Promise<void> {
    const client = connect({
      host: "127.0.0.1",
      port,
      secureContext,
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
    });
    // A refused client may receive a reset.
    client.on("error", () => {});
    client.resume();
    await new Promise((resolve) => client.once("close", resolve));
  }

  /** Collects garbage in between, so that memory that waits for a collection does not look like a leak. */
  async function meetOften(context: SecureContext, count: number): Promise<void> {
    for (let met = 1; met <= count; met++) {
      await meet(context);
      if (met % 250 === 0) await ask("report");
    }
  }

  /** How many bytes the server grew for each handshake, in each of several measurements. */
  async function growth(chain: readonly Buffer[], count = COUNT): Promise<readonly number[]> {
    const key = workloadKey.privateKey.export({ type: "pkcs8", format: "pem" });
    const context = createSecureContext({ cert: certificatePem(chain), key, minVersion: "TLSv1.3" });
    const grown: number[] = [];
    // The first measurement is a warm-up: it includes memory that is allocated once.
    for (let round = 0, last = 0; round <= ROUNDS + 1; round++) {
      const { resident } = await ask("report");
      if (round > 1) grown.push((resident - last) / count);
      last = resident;
      if (round <= ROUNDS) await meetOften(context, count);
    }
    return grown;
  }

  const kept = new Map<string, number>();
  for (const [who, chain] of Object.entries(PEERS)) {
    it(`that of ${who}`, async (t) => {
      // A leak occurs in every measurement, and other growth does not, so the smallest growth is that of a leak.
      const bytes = Math.min(...(await growth(chain)));
      t.diagnostic(`${Math.round(bytes)} bytes a handshake`);
      kept.set(who, bytes);
      if (LONG) assert.ok(bytes <= BOUND, `${bytes}`);
    });
  }

  it("(control) all handshakes of trusted workloads are accepted, and all others are refused as untrusted", async () => {
    const { accepted, refused } = await ask("report");
    const trusted = Object.keys(PEERS).filter((who) => who.startsWith("trusted"));
    assert.deepEqual([accepted, refused], [trusted.length * COUNT * (ROUNDS + 1), ["untrusted"]]);
  });

  // The control comes last, because it makes the server leak: a chain that is read for each handshake is never freed.
  it("(control) one whose chain is read leaks memory", async (t) => {
    await ask("read");
    // A leak may first fill memory that earlier handshakes have freed, which the system does not see.
    const leaked = Math.max(
      ...(await growth(PEERS["trusted workloads with nine unnecessary certificates"]!, CONTROL_COUNT)),
    );
    t.diagnostic(`${Math.round(leaked)} bytes a handshake`);
    for (const [who, bytes] of kept)
      assert.ok(bytes < leaked / 3, `${who}: ${bytes} bytes, where a leak has ${leaked}`);
  });
});
