import { once } from "node:events";
import { writeSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { connect } from "node:tls";
import { processTimers } from "../domain/timers.ts";
import { Bundle } from "../spiffe/bundle.ts";
import { CurrentIdentity } from "../identity/current-identity.ts";
import { parseSvid } from "../spiffe/svid.ts";
import { TrustDomain } from "../spiffe/trust-domain.ts";
import { Connections } from "../admission/connection.ts";
import { HandshakeGate } from "../admission/handshake-gate.ts";
import { type CertificateFilter, loadCertificateFilter, NO_FILTER } from "../admission/certificate-filter.ts";
import { ConnectionAdmission } from "../admission/connection-admission.ts";
import { ChainForge, type ProbeChain, strangeKeys } from "./probe-chain.ts";

// The program of the probe, which node-probe.ts runs. It presents certificates with keys of every kind to the code that
// accepts a server's connections. Before each chain, it prints a line with the kinds of its keys: the last line of a
// crashed probe names the keys of the chain at which it crashed. At the end, it prints "passed".

/** A chain can have ten certificates: the leaf, its intermediate, and these. */
const KEYS_IN_A_CHAIN = 8;

/** No effective limits, because only the probe connects to this server. */
const LIMITS = { connections: 100, inProgress: 100, perSecond: 100_000 };

const trustDomain = TrustDomain.parse("probe.invalid");
const chains = new ChainForge(trustDomain, processTimers.clock);

/** Presents a chain to a new server. Resolves with "accepted", or with the reason and detail of the refusal. */
async function verdictOn(chain: ProbeChain, filter: CertificateFilter): Promise<string> {
  const identity = ownIdentity();
  const server = createServer();
  const verdict = new Promise<string>((resolve) => {
    const admission = new ConnectionAdmission({
      identity,
      connections: new Connections(),
      gate: new HandshakeGate(LIMITS, processTimers),
      filter,
      timers: processTimers,
      onConnection: ({ socket }) => {
        socket.destroy();
        resolve("accepted");
      },
      onRefused: ({ reason, detail }) => resolve(`${reason}: ${detail}`),
    });
    server.on("connection", (raw) => admission.receive(raw));
    server.on("close", () => admission.close());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = connect({ host: "127.0.0.1", port, ...chain, ...CLIENT });
  client.on("error", () => {});
  try {
    return await verdict;
  } finally {
    client.destroy();
    server.close();
    identity.close();
  }
}

/** With a higher security level, the client's own OpenSSL does not send certificates with short keys. */
const CLIENT = { rejectUnauthorized: false, ALPNProtocols: ["h2"], ciphers: "DEFAULT:@SECLEVEL=0" };

function ownIdentity(): CurrentIdentity {
  const { certPem, keyPem, notAfter } = chains.issue("/server");
  const inPem = (text: string) => ({ name: "the probe", bytes: Buffer.from(text) });
  const bundle = Bundle.fromPem(trustDomain, Buffer.from(chains.bundlePem), "the probe");
  const identity = new CurrentIdentity(processTimers, "none");
  const bundles = new Map([[trustDomain.name, bundle]]);
  identity.adopt({ svid: parseSvid(inPem(certPem), inPem(keyPem), "server"), validUntil: notAfter, bundles });
  return identity;
}

function say(line: string): void {
  writeSync(process.stdout.fd, `${line}\n`);
}

/** The filter of the server; {@link NO_FILTER} if it can't be loaded. A release of Node can crash in it, too. */
const filter = await loadCertificateFilter().catch(() => NO_FILTER);
for (const each of [NO_FILTER, filter]) {
  const control = await verdictOn(chains.chain([]), each);
  if (control !== "accepted") throw new Error(`a valid chain was refused: ${control}`);
}
const keys = strangeKeys();
while (keys.length > 0) {
  const shown = keys.splice(0, KEYS_IN_A_CHAIN);
  say(`showing ${shown.map(({ kind }) => kind).join(", ")}`);
  await verdictOn(chains.chain(shown), filter);
  // The server runs without the filter where it can't be loaded.
  const verdict = await verdictOn(chains.chain(shown), NO_FILTER);
  if (process.argv.includes("--verbose")) say(verdict);
}
say("passed");
