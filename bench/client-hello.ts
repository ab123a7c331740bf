import { Duplex } from "node:stream";
import { type ConnectionOptions, connect } from "node:tls";

/** Returns the first flight of a client of node:tls, which can be sent any number of times. */
export function clientHello(options: ConnectionOptions = {}): Promise<Buffer> {
  return new Promise((resolve) => {
    const recorder = new Duplex({ read() {}, write: (chunk) => resolve(chunk) });
    connect({ socket: recorder, ALPNProtocols: ["h2"], ...options }).on("error", () => {});
  });
}
