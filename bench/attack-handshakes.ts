import { once } from "node:events";
import { type Socket, connect } from "node:net";
import { type TLSSocket, connect as connectTls } from "node:tls";
import { BareTlsClient } from "../test/support/bare-tls-client.ts";
import { type Access, openSession } from "./access.ts";
import type { Action } from "./attack.ts";
import { clientHello } from "./client-hello.ts";
import { OPENING } from "./link.ts";
import { costlyKey } from "./costly-key.ts";

/** The attacks on the handshake, and on the limit of open connections. */
export const attackByHandshakes = {
  "finite-field-hello": (access: Access): Action => {
    const hello = finiteFieldHello();
    return async (effective) => {
      const bytes = await hello;
      const socket = open(access).once("data", () => socket.destroy());
      socket.write(bytes, effective);
      await closed(socket);
    };
  },
  "costly-key": (access: Access): Action => {
    const identity = costlyKey();
    return async (effective) => {
      const socket = open(access).once("data", effective);
      BareTlsClient.introduce(socket, { ...identity, request: Buffer.alloc(0) });
      await closed(socket);
    };
  },
  "hang-up": (access: Access): Action => {
    let turn = 0;
    return async (effective) => {
      const hangUp = HANG_UPS[turn++ % HANG_UPS.length]!;
      const socket = open(access);
      const secure = secured(socket, access);
      await once(secure, "secureConnect");
      hangUp(secure, socket);
      effective();
      await closed(socket);
    };
  },
  hoard:
    (access: Access): Action =>
    async (effective) => {
      const session = openSession(access).once("remoteSettings", effective);
      await once(session, "close");
    },
};

/** The ways in which a peer ends a connection. */
const HANG_UPS: readonly ((secure: TLSSocket, socket: Socket) => void)[] = [
  (_, socket) => socket.end(),
  (_, socket) => socket.resetAndDestroy(),
  (secure) => secure.end(),
  (secure) => secure.end(OPENING),
  (secure, socket) => secure.write(OPENING, () => socket.destroy()),
];

/** A ClientHello that offers ffdhe8192 and no other group. */
export function finiteFieldHello(): Promise<Buffer> {
  return clientHello({ ecdhCurve: "ffdhe8192" });
}

/** Opens a TCP connection. If it fails, {@link closed} rejects. */
export function open({ port }: Access): Socket {
  return connect(port, "127.0.0.1")
    .setNoDelay(true)
    .on("error", () => {})
    .resume();
}

/** Starts TLS with an SVID on a connection. */
export function secured(socket: Socket, { port: _, ...identity }: Access): TLSSocket {
  const options = { ...identity, servername: "localhost", ALPNProtocols: ["h2"] };
  return connectTls({ socket, ...options })
    .on("error", () => socket.destroy())
    .resume();
}

/** Resolves when either side has closed the connection. */
export async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await once(socket, "close");
}
