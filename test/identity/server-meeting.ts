import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { ClientError } from "../../src/client/client-error.ts";
import { CofferClient } from "../../src/client/coffer-client.ts";
import { pemText } from "../../src/x509/pem.ts";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import { ManualTimers } from "../support/manual-timers.ts";
import { type Case, NOW, TRUST, workloadKey } from "../support/chain-world.ts";
import { ownIdentity } from "./own-identity.ts";
import { PATIENCE_MS } from "../support/patience.ts";

/** The outcome of a client's call. */
export interface Meeting {
  /** Why the client refused the server; undefined if it accepted it. */
  readonly refused: string | undefined;
  /** Whether the server received a byte of HTTP/2. */
  readonly received: boolean;
}

/** Calls a server that presents the chain of this case. The caller is Coffer's client, which expects the ID `serverId`. */
export async function call(
  { chain, key = workloadKey, bundles = TRUST, now = NOW }: Case,
  serverId: string,
): Promise<Meeting> {
  let received = false;
  const server = createServer({
    cert: chain.map((der) => pemText("CERTIFICATE", der)).join(""),
    key: key.privateKey.export({ type: "pkcs8", format: "pem" }),
    ciphers: "DEFAULT@SECLEVEL=0",
    ALPNProtocols: ["h2"],
  });
  server.on("secureConnection", (socket: TLSSocket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      received = true;
      socket.destroy();
    });
  });
  const timers = new ManualTimers(now);
  const identity = ownIdentity(bundles, timers);
  const address = { kind: "tcp", host: "127.0.0.1", port: await listening(server) } as const;
  const options = {
    address,
    identity,
    serverId: SpiffeId.parse(serverId),
    timeoutMs: PATIENCE_MS,
    retry: false,
    timers,
  };
  const client = new CofferClient(options);
  const error = await client.health().then(
    () => undefined,
    (failed: unknown) => failed,
  );
  assert.ok(error instanceof ClientError, String(error));
  await client.close();
  identity.close();
  server.close();
  await once(server, "close");
  return { refused: error.failure?.kind === "untrusted-server" ? error.failure.refusal.reason : undefined, received };
}

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}
