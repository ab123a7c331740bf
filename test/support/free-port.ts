import { randomInt } from "node:crypto";
import { type Socket, createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * The ports to choose from. The system gives none of them to a listener on port 0 or to a client: Linux begins at 32768
 * (ip_local_port_range), gVisor at 16000. fetch() refuses port 10080.
 */
const FIRST = 10_100;
const COUNT = 5_900;

/** The sockets that reserve a port of UDP each. */
const reserving: Socket[] = [];

/**
 * A port of this machine on which nothing listens, for programs that can't choose one themselves, or that listen on it
 * again after a restart. Until this process ends, no other call gets it, in any process: it reserves the port of UDP with
 * the same number. A port that the system has chosen would not stay free: while tests run in parallel, a later listener
 * on port 0 gets it with a probability of about one in ten thousand, and a client that connects to it again and again can
 * connect to itself.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + randomInt(COUNT);
    const reservation = await reserve(port);
    if (reservation === undefined) continue;
    if (await canListen(port)) {
      reserving.push(reservation);
      return port;
    }
    reservation.close();
  }
}

/** Reserves the port of UDP; undefined if it is taken. */
async function reserve(port: number): Promise<Socket | undefined> {
  const socket = createSocket("udp4").unref();
  try {
    socket.bind({ port, address: "127.0.0.1", exclusive: true });
    await once(socket, "listening");
    return socket;
  } catch {
    return undefined;
  }
}

async function canListen(port: number): Promise<boolean> {
  const server = createServer().listen(port);
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}
