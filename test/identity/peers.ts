import type { Socket } from "node:net";
import { connect } from "node:tls";
import { FrameFlag, FrameType, frame } from "../../bench/frame.ts";
import { RequestTemplate } from "../../bench/request.ts";
import { pemText } from "../../src/x509/pem.ts";
import { type Case, workloadKey } from "../support/chain-world.ts";
import { BareTlsClient } from "../support/bare-tls-client.ts";

/** A client that presents the chain of a case on a connection, and calls Get without waiting for anything. */
export type Peer = (socket: Socket, presented: Pick<Case, "chain" | "key">) => void;

/** A call of Get as the first bytes of an HTTP/2 connection (RFC 9113 3.4). */
const REQUEST = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  frame(FrameType.settings, FrameFlag.none, 0, Buffer.alloc(0)),
  get(),
]);

function get(): Buffer {
  const template = new RequestTemplate("coffer", "get", "localhost");
  const bytes = Buffer.alloc(template.size);
  template.write(bytes, 0, 1, 0);
  return bytes;
}

/** A client that can send any certificates. Its request is in one write with the last message of its handshake. */
export const bare: Peer = (socket, { chain, key = workloadKey }) =>
  BareTlsClient.introduce(socket, { chain, key: key.privateKey, request: REQUEST });

/** A client with node:tls, like Coffer's own clients, but with a security level that permits weak keys and hashes. */
export const openssl: Peer = (socket, { chain, key = workloadKey }) => {
  const cert = chain.map((der) => pemText("CERTIFICATE", der)).join("");
  const shown = cert === "" ? {} : { cert, key: key.privateKey.export({ type: "pkcs8", format: "pem" }) };
  const lenient = { rejectUnauthorized: false, ciphers: "DEFAULT@SECLEVEL=0" };
  const secured = connect({ socket, ...shown, ...lenient, ALPNProtocols: ["h2"] });
  secured.on("error", () => {});
  secured.write(REQUEST);
};
