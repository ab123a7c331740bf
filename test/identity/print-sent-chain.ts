import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { connect, createSecureContext } from "node:tls";
import { sentChain } from "../../src/spiffe/sent-chain.ts";
import { handshakeContext, shakeHands } from "../../src/admission/handshake.ts";

// A program: how many certificates the server takes for those that a client has sent, who sent the first one in a file of
// PEM, whose key is in another one. With "default", of a server whose context has OpenSSL's default store.
const [certFile, keyFile, store] = process.argv.slice(2);
const certPem = readFileSync(certFile!, "utf8");
const keyPem = readFileSync(keyFile!, "utf8");
const ours = () => handshakeContext({ svid: { certPem, keyPem } } as Parameters<typeof handshakeContext>[0]);
const context = store === "default" ? createSecureContext({ cert: certPem, key: keyPem }) : ours();

const server = createServer((raw) =>
  shakeHands(raw, context, {
    failed: (code) => {
      throw new Error(code);
    },
    complete: (socket) => {
      process.stdout.write(`${sentChain(socket).length}`);
      socket.end("seen");
    },
  }),
);
server.listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = server.address() as { port: number };
const client = connect({ host: "127.0.0.1", port, cert: certPem, key: keyPem, ca: [], rejectUnauthorized: false });
client.resume();
await once(client, "close");
server.close();
