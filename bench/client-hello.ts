import { Duplex } from "node:stream";
import { type ConnectionOptions, connect } from "node:tls";

/** The first flight of a real client, which can be sent any number of times. `options` are those of node:tls. */
export function clientHello(options: ConnectionOptions = {}): Promise<Buffer> {
  return new Promise((resolve) => {
    const line = new Duplex({ read() {}, write: (chunk) => resolve(chunk) });
    connect({ socket: line, ALPNProtocols: ["h2"], ...options }).on("error", () => {});
  });
}
