import { once } from "node:events";
import { type Socket, connect } from "node:net";
import { type TLSSocket, connect as connectTls } from "node:tls";
import { BareTlsClient } from "../test/identity/bare-tls-client.ts";
import { type Access, openSession } from "./access.ts";
import type { Act } from "./attacker.ts";
import { clientHello } from "./client-hello.ts";
import { OPENING } from "./connection.ts";
import { costlyKey } from "./costly-key.ts";

/** The attacks on the handshake, and on the places that connections take. */
export const attackByHandshakes = {
  "finite-field-hello": (access: Access): Act => {
    const hello = clientHello({ ecdhCurve: "ffdhe8192" });
    return async (effective) => {
      const socket = open(access).once("data", () => socket.destroy());
      socket.write(await hello, effective);
      await closed(socket);
    };
  },
  "costly-key": (access: Access): Act => {
    const identity = costlyKey();
    return async (effective) => {
      const socket = open(access).once("data", effective);
      BareTlsClient.introduce(socket, { ...identity, request: Buffer.alloc(0) });
      await closed(socket);
    };
  },
  "hang-up": (access: Access): Act => {
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
    (access: Access): Act =>
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

/** A connection of TCP. What it can't do ends it; without descriptors there would be no attack. */
export function open({ port }: Access): Socket {
  return connect(port, "127.0.0.1")
    .setNoDelay(true)
    .on("error", ({ code }: NodeJS.ErrnoException) => {
      if (code === "EMFILE") process.exit(1);
    })
    .resume();
}

/** TLS with an SVID over a connection. */
export function secured(socket: Socket, { port: _, ...identity }: Access): TLSSocket {
  const options = { ...identity, servername: "localhost", ALPNProtocols: ["h2"] };
  return connectTls({ socket, ...options })
    .on("error", () => socket.destroy())
    .resume();
}

/** Resolves when the connection is closed, whoever closed it. */
export async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await new Promise<void>((resolve) => socket.once("close", () => resolve()));
}
