import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createServer, type TLSSocket } from "node:tls";
import { ClientError } from "../../src/client/client-error.ts";
import { CofferClient } from "../../src/client/coffer-client.ts";
import { processTimers } from "../../src/domain/timers.ts";
import { FileSource } from "../../src/identity/file-source.ts";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import { API, ServerKit } from "../support/server-kit.ts";

const COFFER = SpiffeId.parse("spiffe://example.org/coffer");

describe("a server that starts to listen while a client retries", () => {
  let kit: ServerKit;
  before(async () => {
    kit = await ServerKit.start();
  });
  after(() => kit.stop());

  // grpc-js fails calls with the error of its last attempt until the next attempt succeeds. If a call fails while the
  // connection of the next attempt is open, the client must not report that the server closed the connection: a client
  // that waits, as `coffer get --wait` does, would give up.
  it("counts as refusing the client only when it closes the connection", async () => {
    // Another program could take a free port before the server listens on it.
    const path = join(kit.folder, "late.sock");
    const { client, close } = connect(path);
    assert.equal(await failureOf(client), "unreachable");
    const { server, sockets } = silentServer();
    server.listen(path);
    while (sockets.length === 0) assert.equal(await failureOf(client), "unreachable");
    assert.equal(await failureOf(client), "unreachable");
    for (const socket of sockets) socket.destroy();
    server.on("secureConnection", (socket) => socket.destroy());
    let failure = await failureOf(client);
    while (failure === "unreachable") {
      await new Promise(setImmediate);
      failure = await failureOf(client);
    }
    assert.equal(failure, "closed-at-once");
    close();
    server.close();
  });

  function connect(path: string) {
    const files = kit.writeCredential(kit.issue({ id: API }), "api");
    const identity = FileSource.open({
      files: { ...files, bundles: kit.files.bundles },
      purpose: "client",
      timers: processTimers,
    });
    const address = { kind: "unix" as const, path };
    const client = new CofferClient({
      address,
      identity,
      serverId: COFFER,
      timeoutMs: PATIENCE_MS,
      retry: false,
      timers: processTimers,
    });
    const close = () => {
      void client.close();
      identity.close();
    };
    return { client, close };
  }

  /** A server with Coffer's SVID that completes the handshake and sends nothing. */
  function silentServer() {
    const { certPem: cert, keyPem: key } = kit.issue({ id: COFFER.toString() });
    const sockets: TLSSocket[] = [];
    const server = createServer({ cert, key, minVersion: "TLSv1.3", ALPNProtocols: ["h2"] }, (socket) => {
      socket.on("error", () => {});
      sockets.push(socket);
    });
    return { server, sockets };
  }
});

async function failureOf(client: CofferClient): Promise<string | undefined> {
  const error = await client.health().catch((problem) => problem);
  assert.ok(error instanceof ClientError, String(error));
  return error.failure?.kind ?? error.code;
}
