import { connect, type ConnectionOptions } from "node:tls";

/** The message to a client process: how many handshakes to perform, one after the other. */
export interface Handshakes {
  readonly port: number;
  readonly count: number;
  readonly options: Pick<ConnectionOptions, "cert" | "key" | "ecdhCurve">;
}

// Clients in their own process, so that their work is not counted as the server's.
process.on("message", async ({ port, count, options }: Handshakes) => {
  for (let i = 0; i < count; i++) await shakeHands(port, options);
  process.send?.("done");
});

function shakeHands(port: number, options: Handshakes["options"]): Promise<unknown> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: ["h2"], ...options });
    socket.on("error", () => {});
    socket.resume();
    socket.once("close", resolve);
  });
}
