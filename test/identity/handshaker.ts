import { connect, type ConnectionOptions } from "node:tls";

/** What a process of clients is told: to shake hands so often, one after the other. */
export interface Handshakes {
  readonly port: number;
  readonly count: number;
  readonly options: Pick<ConnectionOptions, "cert" | "key" | "ecdhCurve">;
}

// Clients in a process of their own, so that what they do is not counted as the server's work.
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
