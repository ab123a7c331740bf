import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { after, before, describe, it } from "node:test";
import { handshakeContexts, performHandshake } from "../../src/admission/handshake.ts";
import type { CertificateSpec, KeyType } from "../support/certificate-forge.ts";
import { costlyCurve, costlyExponent, relativePoints } from "../support/costly-certificates.ts";
import { nameAttribute, sequence } from "../support/der-writer.ts";
import { LONG } from "../support/long-form.ts";
import { ManualTimers } from "../support/manual-timers.ts";
import { example, ID, NOW, TRUST, workloadKey } from "../support/chain-world.ts";
import { nextEvent } from "../support/next-event.ts";
import type { Client, Handshakes } from "./handshaker.ts";
import { ownIdentity } from "./own-identity.ts";
import { FILTER } from "../support/loaded-filter.ts";

const own = ownIdentity(TRUST, new ManualTimers(NOW));

/** A measurement has COUNT handshakes. Each choice is measured ROUNDS times, each time followed by the reference. */
const COUNT = 20;
const ROUNDS = 7;

/** The highest permitted cost of a handshake, as a multiple of one with X25519 and a key on P-256. */
const BOUND = 3;

/** The client whose handshake is the unit of costs. */
const REFERENCE: Client = nodeTls("X25519", "P-256");

/** Clients that choose what costs the server most. */
const CLIENTS: Readonly<Record<string, () => Client>> = {
  ...byName("the group", ["P-256", "P-384", "P-521", "X448", "ffdhe2048", "ffdhe8192"], (group) =>
    nodeTls(group, "P-256"),
  ),
  ...byName(
    "a key of the type",
    ["P-384", "P-521", "ed25519", "ed448", "rsa-2048", "rsa-4096", "rsa-8192"],
    (keyType) => nodeTls("X25519", keyType as KeyType),
  ),
  "100 kB of certificates with explicit curve parameters": () => bareWith({ publicKeyInfo: costlyCurve() }),
  "100 kB of certificates with long RSA exponents": () => bareWith({ publicKeyInfo: costlyExponent() }),
  "relative names of a long issuer": () =>
    leafOnly({
      issuer: sequence(...Array<Buffer>(500).fill(nameAttribute("2.5.4.3", ""))),
      extensions: [relativePoints(500)],
    }),
  "100 kB of certificates with keys on P-521": () => bareWith({ keyType: "P-521" }),
};

function byName(
  what: string,
  names: readonly string[],
  client: (name: string) => Client,
): Record<string, () => Client> {
  return Object.fromEntries(names.map((name) => [`${what} ${name}`, () => client(name)]));
}

function nodeTls(ecdhCurve: string, keyType: KeyType): Client {
  const { certPem: cert, keyPem: key } = example.issue({ id: ID, keyType });
  return { kind: "node:tls", ecdhCurve, cert, key };
}

/** A valid leaf, and as many copies of another certificate as OpenSSL accepts. */
function bareWith(spec: CertificateSpec): Client {
  const { der, keyPem } = example.issue({ id: ID, key: workloadKey });
  const more = example.intermediate(spec).der;
  const count = Math.floor((100_000 - der.length) / (more.length + 5));
  const chain = [der, ...Array<Buffer>(count).fill(more)].map((each) => each.toString("base64"));
  return { kind: "bare", chain, keyPem };
}

function leafOnly(spec: CertificateSpec): Client {
  const { der, keyPem } = example.issue({ id: ID, key: workloadKey, ...spec });
  return { kind: "bare", chain: [der.toString("base64")], keyPem };
}

// Only in the long form: it measures the CPU time of this process, which a machine under load can distort.
describe("a handshake costs no more than three ordinary ones:", { skip: LONG ? false : "measures CPU time" }, () => {
  const contexts = handshakeContexts(own.snapshot(), FILTER);
  const server = createServer((raw) =>
    performHandshake(raw, contexts, {
      complete: (socket) => socket.destroy(),
      refused: () => raw.destroy(),
      failed: () => raw.destroy(),
    }),
  );
  const clients = fork(new URL("./handshaker.js", import.meta.url));
  before(() => once(server.listen(0, "127.0.0.1"), "listening"));
  after(() => {
    clients.disconnect();
    server.close();
  });

  async function cost(client: Client): Promise<number> {
    const { port } = server.address() as AddressInfo;
    const start = process.cpuUsage();
    clients.send({ port, count: COUNT, client } satisfies Handshakes);
    await nextEvent(clients, "message");
    const { user, system } = process.cpuUsage(start);
    return (user + system) / COUNT;
  }

  for (const [what, create] of Object.entries(CLIENTS)) {
    it(what, async (t) => {
      const client = create();
      const ratios: number[] = [];
      for (let round = 0; round < ROUNDS; round++) ratios.push((await cost(client)) / (await cost(REFERENCE)));
      const median = ratios.sort((a, b) => a - b)[(ROUNDS - 1) / 2]!;
      t.diagnostic(`${median.toFixed(2)}`);
      assert.ok(median <= BOUND, `${median}`);
    });
  }
});
