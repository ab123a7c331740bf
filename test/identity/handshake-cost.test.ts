import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { after, before, describe, it } from "node:test";
import { handshakeContexts, performHandshake } from "../../src/admission/handshake.ts";
import type { KeyType } from "../support/certificate-forge.ts";
import { LONG } from "../support/long-form.ts";
import { ManualTimers } from "../support/manual-timers.ts";
import { example, ID, NOW, TRUST } from "../support/chain-world.ts";
import { nextEvent } from "../support/next-event.ts";
import type { Handshakes } from "./handshaker.ts";
import { ownIdentity } from "./own-identity.ts";

const own = ownIdentity(TRUST, new ManualTimers(NOW));

/** A measurement has COUNT handshakes. Each choice is measured ROUNDS times, each time followed by the reference. */
const COUNT = 20;
const ROUNDS = 7;

/** The highest permitted cost of a handshake, as a multiple of one with X25519 and a key on P-256. */
const BOUND = 3;

interface Choice {
  readonly ecdhCurve: string;
  readonly keyType: KeyType;
}
const REFERENCE: Choice = { ecdhCurve: "X25519", keyType: "P-256" };
const CHOICES: readonly Choice[] = [
  ...["P-256", "P-384", "P-521", "X448", "ffdhe2048", "ffdhe8192"].map((ecdhCurve) => ({ ...REFERENCE, ecdhCurve })),
  ...(["P-384", "P-521", "ed25519", "ed448", "rsa-2048", "rsa-4096", "rsa-8192"] as const).map((keyType) => ({
    ...REFERENCE,
    keyType,
  })),
];

// Only in the long form: it measures the CPU time of this process, which a machine under load can distort.
describe("a handshake costs no more than three ordinary ones:", { skip: LONG ? false : "measures CPU time" }, () => {
  const contexts = handshakeContexts(own.snapshot());
  const server = createServer((raw) =>
    performHandshake(raw, contexts, {
      complete: (socket) => socket.destroy(),
      failed: () => raw.destroy(),
    }),
  );
  const clients = fork(new URL("./handshaker.js", import.meta.url));
  before(() => once(server.listen(0, "127.0.0.1"), "listening"));
  after(() => {
    clients.disconnect();
    server.close();
  });

  async function cost(options: Handshakes["options"]): Promise<number> {
    const { port } = server.address() as AddressInfo;
    const start = process.cpuUsage();
    clients.send({ port, count: COUNT, options } satisfies Handshakes);
    await nextEvent(clients, "message");
    const { user, system } = process.cpuUsage(start);
    return (user + system) / COUNT;
  }

  for (const { ecdhCurve, keyType } of CHOICES) {
    it(`${ecdhCurve} and a key of the type ${keyType}`, async (t) => {
      const options = optionsFor({ ecdhCurve, keyType });
      const reference = optionsFor(REFERENCE);
      const ratios: number[] = [];
      for (let round = 0; round < ROUNDS; round++) ratios.push((await cost(options)) / (await cost(reference)));
      const median = ratios.sort((a, b) => a - b)[(ROUNDS - 1) / 2]!;
      t.diagnostic(`${median.toFixed(2)}`);
      assert.ok(median <= BOUND, `${median}`);
    });
  }
});

function optionsFor({ ecdhCurve, keyType }: Choice): Handshakes["options"] {
  const { certPem: cert, keyPem: key } = example.issue({ id: ID, keyType });
  return { ecdhCurve, cert, key };
}
