import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { connect, createSecureContext } from "node:tls";
import { shownBy } from "../../src/spiffe/sent-chain.ts";
import { handshakeContexts, performHandshake } from "../../src/admission/handshake.ts";
import { FILTER } from "../support/loaded-filter.ts";

// A program that prints OpenSSL's objection to a client whose certificate and key are in two PEM files,
// when the server has no bundle. With "default", the server's context has OpenSSL's default store.
const [certFile, keyFile, store] = process.argv.slice(2);
const certPem = readFileSync(certFile!, "utf8");
const keyPem = readFileSync(keyFile!, "utf8");
const svid = { certPem, keyPem } as Parameters<typeof handshakeContexts>[0]["svid"];
const production = handshakeContexts({ svid, bundles: new Map() }, FILTER);
const contexts =
  store === "default" ? { ...production, verifying: createSecureContext({ cert: certPem, key: keyPem }) } : production;

const server = createServer((raw) =>
  performHandshake(raw, contexts, {
    refused: ({ reason }) => {
      throw new Error(reason);
    },
    failed: (code) => {
      throw new Error(code);
    },
    complete: (socket) => {
      process.stdout.write(shownBy(socket).objection?.code ?? "none");
      socket.end("seen");
    },
  }),
);
server.listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = server.address() as { port: number };
const shown = { cert: certPem, key: keyPem, ALPNProtocols: ["h2"], ca: [], rejectUnauthorized: false };
const client = connect({ host: "127.0.0.1", port, ...shown });
client.resume();
await once(client, "close");
server.close();
