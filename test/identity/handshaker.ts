import { createPrivateKey } from "node:crypto";
import { connect as connectTcp } from "node:net";
import { connect, type ConnectionOptions } from "node:tls";
import { BareTlsClient } from "../support/bare-tls-client.ts";

/** A client of node:tls, or one that sends any certificates without reading them, in DER as base64. */
export type Client =
  | ({ readonly kind: "node:tls" } & Pick<ConnectionOptions, "cert" | "key" | "ecdhCurve">)
  | { readonly kind: "bare"; readonly chain: readonly string[]; readonly keyPem: string };

/** The message to a client process: how many handshakes to perform, one after the other. */
export interface Handshakes {
  readonly port: number;
  readonly count: number;
  readonly client: Client;
}

// Clients in their own process, so that their work is not counted as the server's.
process.on("message", async ({ port, count, client }: Handshakes) => {
  for (let i = 0; i < count; i++) await shakeHands(port, client);
  process.send?.("done");
});

function shakeHands(port: number, client: Client): Promise<unknown> {
  return new Promise((resolve) => {
    const socket = client.kind === "bare" ? bare(port, client) : nodeTls(port, client);
    socket.on("error", () => {});
    socket.resume();
    socket.once("close", resolve);
  });
}

function nodeTls(port: number, { kind: _, ...options }: Client & { readonly kind: "node:tls" }) {
  return connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: ["h2"], ...options });
}

function bare(port: number, { chain, keyPem }: Client & { readonly kind: "bare" }) {
  const socket = connectTcp(port, "127.0.0.1");
  BareTlsClient.introduce(socket, {
    chain: chain.map((der) => Buffer.from(der, "base64")),
    key: createPrivateKey(keyPem),
    request: Buffer.alloc(0),
  });
  return socket;
}
