import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { after, before, it } from "node:test";
import { connect, createSecureContext, type TLSSocket } from "node:tls";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { pemText } from "../../src/x509/pem.ts";
import { sentChain } from "../../src/spiffe/sent-chain.ts";
import { shakeHands } from "../../src/admission/handshake.ts";
import { commonName, type Issuer } from "../support/certificate-forge.ts";
import { example, workload, workloadKey } from "../support/chain-world.ts";

const HANDSHAKES = 800;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Nine intermediates and a leaf: as many certificates as a peer may show. */
function longChain(): readonly Buffer[] {
  const names = Array.from({ length: 9 }, (_, depth) => commonName(`intermediate ${depth}`));
  return workload(
    {},
    names.reduce((issuer: Issuer, subject) => issuer.intermediate({ subject }), example),
  );
}

const secureContext = createSecureContext({
  cert: longChain()
    .map((der) => pemText("CERTIFICATE", der))
    .join(""),
  key: workloadKey.privateKey.export({ type: "pkcs8", format: "pem" }),
  minVersion: "TLSv1.3",
});

let look: (socket: TLSSocket) => number;
const server = createServer((raw) =>
  shakeHands(raw, secureContext, {
    failed: () => raw.destroy(),
    complete: (socket) => {
      assert.equal(look(socket), 10);
      socket.end("seen");
    },
  }),
);

before(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
after(() => server.close());

async function meet(): Promise<void> {
  const { port } = server.address() as { port: number };
  const client = connect({ host: "127.0.0.1", port, secureContext, rejectUnauthorized: false });
  client.resume();
  await once(client, "end");
  client.destroy();
}

/** By how many bytes this process has grown after so many strangers were looked at in this way, for each of them. */
async function growth(looking: typeof look): Promise<number> {
  look = looking;
  const resident = async () => {
    for (let met = 0; met < HANDSHAKES; met++) await meet();
    collectGarbage();
    return process.memoryUsage().rss;
  };
  // The first ones also cost what is kept for later.
  const warm = await resident();
  return ((await resident()) - warm) / HANDSHAKES;
}

/** What sentChain must not do. */
function leakingChain(socket: TLSSocket): number {
  let count = 0;
  for (let next = socket.getPeerX509Certificate(); next !== undefined; next = next.issuerCertificate) count++;
  return count;
}

// Whoever can reach the port can show certificates as often as the handshake rate allows: none of it may stay. The other
// way to read them shows that this would be noticed.
it("Strangers leave nothing behind in memory, whatever they show", async () => {
  const kept = await growth((socket) => sentChain(socket).length);
  const leaked = await growth(leakingChain);
  assert.ok(kept < leaked / 3, `${kept} bytes a handshake, where a leak has ${leaked}`);
});
