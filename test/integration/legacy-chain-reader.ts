import { once } from "node:events";
import { writeSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { TLSSocket, connect, createSecureContext } from "node:tls";
import { ChainForge, strangeKeys } from "../../src/app/probe-chain.ts";
import { systemClock } from "../../src/domain/timers.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";

// A program that a test runs in place of the probe of Node (src/app/probe-program.ts). Its server reads the
// certificates of clients with getPeerCertificate(true), which ends the process on Node 24 and 26. It prints the same lines
// as the probe.
const chains = new ChainForge(TrustDomain.parse("probe.invalid"), systemClock);
const { certPem, keyPem } = chains.issue("/server");
const secureContext = createSecureContext({ cert: certPem, key: keyPem, ca: [] });
const server = createServer((raw) => {
  const socket = new TLSSocket(raw, { isServer: true, secureContext, requestCert: true, rejectUnauthorized: false });
  socket.once("secure", () => socket.end(String(socket.getPeerCertificate(true).raw.length)));
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = server.address() as AddressInfo;
for (const key of strangeKeys()) {
  writeSync(1, `showing ${key.kind}\n`);
  const options = { rejectUnauthorized: false, ciphers: "DEFAULT:@SECLEVEL=0" };
  const client = connect({ host: "127.0.0.1", port, ...options, ...chains.chain([key]) });
  client.resume();
  await once(client, "close");
}
server.close();
writeSync(1, "passed\n");
